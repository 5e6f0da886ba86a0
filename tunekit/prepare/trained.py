"""What of a model is trained: all of it, an adapter and the head, or chosen layers."""

from typing import Any

from tunekit.console import out
from tunekit.environment import process_count
from tunekit.errors import InputError, Problems
from tunekit.fast.compiled import layers_of
from tunekit.models.adapters import adapt, check_kind, count_weights, trainable
from tunekit.models.checkpoint import Checkpoint
from tunekit.models.freezing import freeze, hold_statistics, recompute_activations
from tunekit.models.quantization import check_bits, weights_in
from tunekit.recipe import Recipe
from tunekit.tasks.base import Task


def check_trained(recipe: Recipe, checkpoint: Checkpoint) -> int | None:
    """Try on a model without numbers what is to be trained; how many weights that is, or None for all.

    Raises:
        InputError: the model cannot be trained so.
        EnvironmentFailure: a GPU or a package is missing.
    """
    section, adapter, problems = recipe.train, recipe.adapter, Problems()
    if adapter and adapter.bits and process_count() > 1:
        raise InputError(
            f"adapter.bits is {adapter.bits}, and quantized weights are trained by one process alone; "
            "run with --processes 1, or remove adapter.bits"
        )
    with problems.collect():
        if adapter and adapter.bits:
            check_bits("adapter.bits", "remove it")
    with problems.collect():
        if section.optimizer == "adamw-8bit":
            check_bits("train.optimizer adamw-8bit", "choose adamw")
    problems.raise_if_any()
    if not (adapter or section.unfreeze or section.gradient_checkpointing):
        return None
    model = hollow(checkpoint)
    if section.gradient_checkpointing:
        recompute_activations(model)
    if adapter:
        check_kind(adapter, checkpoint.head)
        if section.gradient_checkpointing and not adapter.merges:
            raise InputError(
                f"train.gradient_checkpointing is true, which adapter.kind {adapter.kind} cannot do; "
                "set it to false, or choose lora"
            )
        return count_weights(model, adapter)
    if section.unfreeze:
        freeze(model, section.unfreeze, layers_of(model))
        return shares(model)["trained"]
    return None


def hollow(checkpoint: Checkpoint) -> Any:
    """The model of a checkpoint without numbers."""
    import torch
    import transformers

    auto = getattr(transformers, checkpoint.head)
    with torch.device("meta"):
        model = auto.from_config(checkpoint.config, trust_remote_code=False)
    model.new_weights = set()
    return model


def choose_trained(recipe: Recipe, model: Any, task: Task, checkpoint: Checkpoint) -> tuple[Any, Any]:
    """The model to train, of which what is to stay does not train, and peft's view of it, if it has one."""
    section, adapter = recipe.train, None
    if recipe.adapter:
        adapter = adapt(model, recipe.adapter, task, checkpoint)
        model = trainable(adapter)
    elif section.unfreeze:
        freeze(model, section.unfreeze, layers_of(model))
    if recipe.adapter or section.unfreeze:
        hold_statistics(model)
    if section.gradient_checkpointing:
        recompute_activations(model)
    return model, adapter


def shares(model: Any) -> dict[str, int]:
    """How many weights a model has, and how many of them train."""
    every = {parameter: parameter.requires_grad for parameter in model.parameters()}
    total = sum(map(weights_in, every))
    trained = sum(weights_in(parameter) for parameter, trains in every.items() if trains)
    return {"total": total, "trained": trained}


def tell(counts: dict[str, int]) -> None:
    """Say how many weights train where these are not all."""
    trained, total = counts["trained"], counts["total"]
    if trained < total:
        out.say(f"training {trained:,} of {total:,} weights ({trained / total:.2%})")
