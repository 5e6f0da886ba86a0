"""Adapters: few weights of their own in the layers of a frozen model, which stays what it is otherwise.

A transformers model that is adapted keeps its class: layers inside it are replaced, and what peft makes of it
is only needed to write the adapter. Virtual tokens are the exception: they come before what a model reads.
"""

import json
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tunekit.errors import InputError, listing, nearest
from tunekit.models.checkpoint import Checkpoint
from tunekit.models.load import save_processor
from tunekit.recipe import AdapterSection
from tunekit.recipe.adapter import VIRTUAL
from tunekit.tasks.base import Task

NAME = "default"  # what peft calls an adapter that is not named; it stands in no file
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
FORMS = {  # what peft calls a task, by the head of a model
    "AutoModelForSequenceClassification": "SEQ_CLS",
    "AutoModelForTokenClassification": "TOKEN_CLS",
    "AutoModelForQuestionAnswering": "QUESTION_ANS",
    "AutoModelForCausalLM": "CAUSAL_LM",
    "AutoModelForSeq2SeqLM": "SEQ_2_SEQ_LM",
}


@dataclass(frozen=True)
class Places:
    """Where in a model an adapter goes, by the names of modules."""

    targets: list[str]  # layers that it changes
    inner: list[str]  # those of them that end an MLP
    whole: list[str]  # modules that are trained as they are: the head, and what is new
    transposed: bool  # whether the layers keep their weights as (in, out)
    width: int | None = None  # numbers of a key of all heads, where that is not the hidden size


def adapt(model: Any, section: AdapterSection, task: Task, checkpoint: Checkpoint) -> Any:
    """Put an adapter into a loaded model, whose other weights no longer train; peft's view of it.

    Raises:
        InputError: the section's targets are nowhere in the model.
    """
    found = find_places(model, section)
    read = [name for name in found.whole if not f"{name}.".startswith(task.unread)]
    places = replace(found, whole=read)
    origin = {"base_model_name_or_path": checkpoint.place, "revision": checkpoint.commit}
    return wrap(model, make_config(section, places, task, origin))


def wrap(model: Any, config: Any) -> Any:
    """A model with an adapter of a peft configuration, as peft sees it."""
    peft = library()
    kind = peft.PeftModelForSeq2SeqLM if config.is_prompt_learning else peft.PeftModel
    with warnings.catch_warnings(action="ignore", category=FutureWarning):  # of names that transformers drops
        wrapped = kind(model, config, NAME)
    if config.is_prompt_learning:
        wrapped._can_compile_fullgraph = False  # it fills the caches itself, and not those of a fixed size
    if config.peft_type != "LORA":  # vectors around 1 and embeddings are not to shrink
        for parameter in {p for p in wrapped.parameters() if p.requires_grad} - head_weights(wrapped):
            parameter.decays = False
    return wrapped


def library() -> Any:
    """The package peft."""
    import peft

    return peft


def trainable(wrapped: Any) -> Any:
    """The model to train and to ask: the transformers model itself, unless virtual tokens come before it."""
    return wrapped.get_base_model() if merges(wrapped) else wrapped


def merges(wrapped: Any) -> bool:
    """Whether an adapter can become a part of the weights; virtual tokens cannot."""
    return not wrapped.active_peft_config.is_prompt_learning


def find_places(model: Any, section: AdapterSection) -> Places:
    """Where an adapter of a section goes in a model.

    Raises:
        InputError: the section's targets are nowhere in the model, or no adapter goes into it.
    """
    if not section.merges:
        width = getattr(model.config, "d_kv", 0) * getattr(model.config, "num_heads", 0)
        return Places([], [], [], False, width or None)
    whole = whole_modules(model)
    layers = {name: layer for name, layer in repeated_layers(model) if not inside(name, whole)}
    if not layers:
        raise InputError(
            f"adapter.kind {section.kind} goes into linear layers of repeated blocks, of which "
            f"{type(model).__name__} has none; remove adapter, or give train.unfreeze instead"
        )
    chosen = layers if section.targets is None else chosen_layers(layers, section.targets)
    inner = [name for name in chosen if ends_mlp(name, layers)]
    transposed = all(not hasattr(layer, "in_features") for layer in chosen.values())
    return Places(list(chosen), inner, whole, transposed)


def check_kind(section: AdapterSection, head: str) -> None:
    """Refuse virtual tokens for a head that they cannot serve.

    Others pool, or tell apart, places that virtual tokens move; and what peft does to let a decoder write
    after them needs an argument that transformers no longer gives.

    Raises:
        InputError: it is one of those.
    """
    if not section.merges and FORMS.get(head) != "SEQ_2_SEQ_LM":
        able = [kind for kind in section.RATES if kind not in VIRTUAL]
        raise InputError(
            f"adapter.kind {section.kind} is for encoder-decoders that write, and the head here is {head}; "
            f"choose from {listing(able)}"
        )


def count_weights(model: Any, section: AdapterSection) -> int:
    """How many weights an adapter and the head have.

    Raises:
        InputError: the section's targets are nowhere in the model.
    """
    config = model.config
    if section.tokens:
        depth = getattr(config, "num_hidden_layers", 0) * 2 if section.kind == "prefix" else 2
        return int(section.tokens * config.hidden_size * depth)
    places = find_places(model, section)
    whole = sum(p.numel() for name in places.whole for p in model.get_submodule(name).parameters())
    for name in places.targets:
        taken, given = sizes(model.get_submodule(name))
        if section.rank is None:
            whole += taken if name in places.inner else given
        else:
            whole += section.rank * (taken + given) + (given if section.kind == "dora" else 0)
    return int(whole)


def repeated_layers(model: Any) -> Iterator[tuple[str, Any]]:
    """The linear layers in the repeated blocks of a model's body: those of attention and MLP, by name."""
    import torch
    from transformers.pytorch_utils import Conv1D

    stacks = [name for name, module in model.named_modules() if isinstance(module, torch.nn.ModuleList)]
    apart = torch.nn.modules.linear.NonDynamicallyQuantizableLinear  # whose weights others read by themselves
    for name, module in model.named_modules():
        linear = isinstance(module, torch.nn.Linear | Conv1D) and not isinstance(module, apart)
        if linear and inside(name, stacks):
            yield name, module


def inside(name: str, modules: list[str]) -> bool:
    """Whether a module is one of some, or a part of one."""
    return any(name == each or name.startswith(f"{each}.") for each in modules)


def chosen_layers(layers: Mapping[str, Any], wanted: list[str]) -> dict[str, Any]:
    """The layers whose names end, or match, as the user wants.

    Raises:
        InputError: nothing is called so.
    """
    for pattern in wanted:
        if not any(called(name, pattern) for name in layers):
            ends = sorted({name.rsplit(".", 1)[-1] for name in layers})
            raise InputError(
                f"adapter.targets names {pattern!r}, and no layer of the model is called so"
                f"{nearest(pattern, ends)}; there are {listing(ends)}"
            )
    return {name: each for name, each in layers.items() if any(called(name, want) for want in wanted)}


def called(name: str, pattern: str) -> bool:
    """Whether a module's name ends in some words, or matches a pattern."""
    return f".{name}".endswith(f".{pattern}") or fnmatchcase(name, pattern)


def ends_mlp(name: str, layers: Mapping[str, Any]) -> bool:
    """Whether a layer leads back from a wider space into which another layer of its block led."""
    block = re.match(r"(.*\.\d+)\.", name)
    beside = (each for other, each in layers.items() if block and inside(other, [block[1]]))
    taken, given = sizes(layers[name])
    return taken > given and any(sizes(each) == (given, taken) for each in beside)


def sizes(layer: Any) -> tuple[int, int]:
    """How many numbers a layer takes and gives."""
    if hasattr(layer, "in_features"):
        return layer.in_features, layer.out_features
    return tuple(layer.weight.shape)  # of Conv1D, which keeps (in, out)


def whole_modules(model: Any) -> list[str]:
    """The modules that are trained as they are: the head, and what the checkpoint had no weights for.

    An adapter that forgot these would answer with other random numbers wherever it is loaded.
    """
    heads = head_modules(model)
    owners = {name.rpartition(".")[0] for name in model.new_weights}
    return heads + sorted(each for each in owners if each and not inside(each, heads))


def head_modules(model: Any) -> list[str]:
    """The modules beside a model's body; one that only tells tokens from hidden states is no head."""
    output, body = model.get_output_embeddings(), model.base_model
    beside = dict(model.named_children())
    if body is model:
        for name in body_parts(model):
            beside.pop(name, None)
    return [
        name
        for name, each in beside.items()
        if each is not body and each is not output and any(True for _ in each.parameters())
    ]


def body_parts(model: Any) -> list[str]:
    """The names of the parts of a body without a head, for models that keep no body apart."""
    import torch
    from transformers import AutoModel

    with torch.device("meta"):
        body = AutoModel.from_config(model.config, trust_remote_code=False)
    return [name for name, _ in body.named_children()]


def head_weights(wrapped: Any) -> set[Any]:
    """The weights of the modules that are trained as they are."""
    from peft.utils import ModulesToSaveWrapper

    kept = (each for each in wrapped.modules() if isinstance(each, ModulesToSaveWrapper))
    return {parameter for each in kept for parameter in each.parameters()}


def make_config(section: AdapterSection, places: Places, task: Task, origin: Mapping[str, Any]) -> Any:
    """The configuration that peft has for a section."""
    peft = library()
    common = {**origin, "task_type": FORMS.get(task.head)}
    if section.kind == "prompt":
        return peft.PromptTuningConfig(
            num_virtual_tokens=section.tokens, prompt_tuning_init="SAMPLE_VOCAB", **common
        )
    if section.kind == "prefix":
        return peft.PrefixTuningConfig(num_virtual_tokens=section.tokens, token_dim=places.width, **common)
    common |= {
        "target_modules": places.targets,
        "modules_to_save": places.whole or None,
        "fan_in_fan_out": places.transposed,
    }
    if section.kind == "ia3":
        return peft.IA3Config(feedforward_modules=places.inner, **common)
    return peft.LoraConfig(
        r=section.rank,
        lora_alpha=section.alpha,
        lora_dropout=section.dropout,
        use_dora=section.kind == "dora",
        use_rslora=section.kind == "rslora",
        **common,
    )


def save_adapter(
    folder: Path, task: Task, name: str, wrapped: Any, base: Mapping[str, Any], weights: Any = None
) -> None:
    """Write an adapter's folder as peft reads it, and tunekit.json; `base` says what it was made for.

    `weights` of the whole model by name are given where they are not the model's own to read.
    """
    from safetensors.torch import save_file

    state = {f"base_model.model.{key}": tensor for key, tensor in weights.items()} if weights else None
    tensors = library().get_peft_model_state_dict(
        wrapped, state_dict=state, adapter_name=NAME, save_embedding_layers=False
    )
    whole = {key: tensor.detach().cpu().contiguous().clone() for key, tensor in tensors.items()}
    save_file(whole, folder / WEIGHTS, metadata={"format": "pt"})
    config = {**wrapped.peft_config[NAME].to_dict(), "inference_mode": True}
    plain = {key: sorted(value) if isinstance(value, set) else value for key, value in config.items()}
    (folder / CONFIG).write_text(json.dumps(plain, indent=2, sort_keys=True) + "\n")
    save_processor(folder, task, name, base=dict(base))
