"""Several adapters on one checkpoint, whose weights are in memory once."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from tunekit.errors import InputError
from tunekit.models.adapted import base_of, fingerprints, is_adapter, load_adapted, load_base
from tunekit.models.adapters import trainable
from tunekit.models.checkpoint import Checkpoint
from tunekit.models.finetuned import find_folder, load_task, load_weights
from tunekit.models.load import prepare_config
from tunekit.tasks.base import Task


@dataclass(frozen=True)
class Adapted:
    """A model with one of several adapters."""

    name: str  # as the user gave it
    folder: Path
    task: Task
    model: Any


def alone(path: Path) -> Adapted:
    """The model of a run, folder or repository by itself, whatever it is made of."""
    folder = find_folder(path)
    _, task = load_task(folder)
    return Adapted(str(path), folder, task, load_weights(folder, task))


def find_adapter(name: str) -> Path:
    """The folder of an adapter: a run's, the folder itself, or a copy of one of the Hub.

    Raises:
        InputError: there is none.
        EnvironmentFailure: the Hub cannot be reached.
    """
    inside = Path(name) / "adapter"
    folder = inside if is_adapter(inside) else find_folder(Path(name))
    if not is_adapter(folder):
        raise InputError(
            f"{name} has no adapter, but whole weights of its own; ask it by itself, without --adapter"
        )
    return folder


def load_several(names: Sequence[str]) -> list[Adapted]:
    """Models with the adapters of some runs, folders or repositories, in that order, ready to answer.

    Raises:
        InputError: one is no adapter, or they are for different tasks or checkpoints.
        EnvironmentFailure: the Hub cannot be reached.
    """
    folders = [find_adapter(name) for name in names]
    asked = [load_task(folder) for folder in folders]
    for name, (kind, _) in zip(names, asked, strict=True):
        if kind != asked[0][0]:
            raise InputError(
                f"{names[0]} does {asked[0][0]}, and {name} {kind}; ask them one after the other"
            )
    first = asked[0][1]
    bases = [base_of(folder, type(first)) for folder in folders]
    for name, base in zip(names, bases, strict=True):
        if not same_weights(bases[0], base):
            raise InputError(
                f"the adapter of {names[0]} is for {bases[0].name!r}, and that of {name} for {base.name!r}; "
                "ask them one after the other"
            )
    held = load_base(folders[0], first)
    return [
        adapted(name, folder, task, shared(held, base, folder, task))
        for name, folder, (_, task), base in zip(names, folders, asked, bases, strict=True)
    ]


def adapted(name: str, folder: Path, task: Task, base: Any) -> Adapted:
    """A model with its adapter, on the fastest device there is."""
    import torch

    model = trainable(load_adapted(folder, task, base))
    return Adapted(name, folder, task, model.to(torch.accelerator.current_accelerator() or "cpu"))


def same_weights(one: Checkpoint, other: Checkpoint) -> bool:
    """Whether two checkpoints have the same weights."""
    if one.folder.resolve() == other.folder.resolve():
        return True
    one.complete()
    other.complete()
    return fingerprints(one) == fingerprints(other)


def shared(held: Any, checkpoint: Checkpoint, folder: Path, task: Task) -> Any:
    """A model for a task that has its body's weights in common with one that is loaded already."""
    import torch
    import transformers

    config = checkpoint.config
    prepare_config(config, task, None)
    if held.config.num_labels == config.num_labels:
        return task.prepare_model(twin(held))
    with torch.device("meta"):
        model = getattr(transformers, task.head).from_config(config, trust_remote_code=False)
    if model.base_model is model or type(model.base_model) is not type(held.base_model):
        return load_base(folder, task)
    setattr(model, model.base_model_prefix, twin(held.base_model))
    for child in model.children():
        if child is not model.base_model:
            child.to_empty(device="cpu")  # its numbers come with the adapter
    return task.prepare_model(model)


def twin(module: Any) -> Any:
    """A module of its own with the same tensors."""
    tensors = chain(module.parameters(), module.buffers())
    return copy.deepcopy(module, {id(tensor): tensor for tensor in tensors})
