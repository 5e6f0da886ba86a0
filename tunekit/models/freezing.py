"""Which weights are trained where not all are: the last layers and the head, or modules by name."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from tunekit.errors import InputError, listing, nearest
from tunekit.models.adapters import called, whole_modules


def freeze(model: Any, wanted: int | str | list[str], layers: Sequence[Any]) -> None:
    """Let a model train its head, and what is wanted beside it; `layers` are those of its stacks, in order.

    Embeddings stay as they are, and with them a head that shares their weights.

    Raises:
        InputError: the model has not so many layers, or nothing that is called so, or nothing would train.
    """
    model.requires_grad_(False)
    for module in (*heads(model), *chosen(model, wanted, layers)):
        module.requires_grad_(True)
    for parameter in embeddings(model):
        parameter.requires_grad_(False)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise InputError(
            f"train.unfreeze is {wanted}, and the head shares its weights with the embeddings, which stay as "
            "they are: nothing is left to train; give a number of last layers, such as train.unfreeze=1"
        )


def hold_statistics(model: Any) -> None:
    """Keep what normalization layers that do not train have counted, whatever mode the model is put in.

    They would else move with every batch that they see, and stand in no adapter.
    """
    for module in model.modules():
        trained = any(parameter.requires_grad for parameter in module.parameters(recurse=False))
        if getattr(module, "running_mean", None) is not None and not trained:
            module.eval()
            module.train = partial(same_mode, module)


def same_mode(module: Any, mode: bool = True) -> Any:
    """A module in the mode that it is in."""
    return module


def heads(model: Any) -> Iterator[Any]:
    """The head, what the checkpoint had no weights for, and what tells tokens from hidden states."""
    yield from (model.get_submodule(name) for name in whole_modules(model))
    if model.get_output_embeddings() is not None:
        yield model.get_output_embeddings()


def chosen(model: Any, wanted: int | str | list[str], layers: Sequence[Any]) -> Iterator[Any]:
    """The modules that are trained beside the head.

    Raises:
        InputError: there are none.
    """
    if isinstance(wanted, int):
        if wanted > len(layers):
            raise InputError(f"train.unfreeze is {wanted}, but the model has {len(layers)} layers; lower it")
        yield from layers[-wanted:]
        yield from behind(model, layers[-1])
    elif wanted != "head":
        yield from named(model, list(wanted))


def behind(model: Any, last: Any) -> Iterator[Any]:
    """What follows the last layer: norms and poolers, as the order in which a model is made up says.

    What belongs to embeddings comes before the layers, also where it is made up after them.
    """
    modules = [
        each
        for name, each in model.named_modules()
        if list(each.parameters(recurse=False)) and "embed" not in name
    ]
    inside = {id(each) for each in last.modules()}
    places = [number for number, each in enumerate(modules) if id(each) in inside]
    yield from modules[places[-1] + 1 :]


def named(model: Any, patterns: list[str]) -> Iterator[Any]:
    """The modules whose names end, or match, as some patterns say.

    Raises:
        InputError: nothing is called so.
    """
    modules = {name: each for name, each in model.named_modules() if name}
    frozen = set(embeddings(model))
    for pattern in patterns:
        found = [each for name, each in modules.items() if called(name, pattern)]
        if not found:
            ends = list(dict.fromkeys(name.rsplit(".", 1)[-1] for name in modules))
            raise InputError(
                f"train.unfreeze names {pattern!r}, and nothing in the model is called so"
                f"{nearest(pattern, ends)}; there are {listing(ends)}, and whole names such as "
                f"{list(modules)[len(modules) // 2]}"
            )
        if not {parameter for each in found for parameter in each.parameters()} - frozen:
            raise InputError(
                f"train.unfreeze names {pattern!r}, which has no weights but those of embeddings, and these "
                "stay as they are; name layers, or leave train.unfreeze out to train everything"
            )
        yield from found


def embeddings(model: Any) -> Iterator[Any]:
    """The weights of all embeddings."""
    import torch

    for module in model.modules():
        if isinstance(module, torch.nn.Embedding):
            yield from module.parameters(recurse=False)


def recompute_activations(model: Any) -> None:
    """Let a model keep no activations of its layers, and compute them again in the backward pass.

    Raises:
        InputError: it cannot.
    """
    if not getattr(model, "supports_gradient_checkpointing", False):
        raise InputError(
            f"train.gradient_checkpointing is true, which {type(model).__name__} cannot do; set it to false"
        )
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    enable({"use_reentrant": False})  # by hooks on what is saved, which no frozen input confuses
