"""Parts of a run, put together for tests in the way that `tunekit.prepare` does."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests import tiny
from tunekit import prepare, tasks
from tunekit.engine import Fitting, Optimization, StopSignals
from tunekit.engine.steps import gradients_or_less, gradients_together
from tunekit.environment import process_index
from tunekit.evaluation import Scores
from tunekit.models.checkpoint import inspect
from tunekit.models.load import load_processor
from tunekit.models.sharding import whole
from tunekit.recipe import ModelSection, load
from tunekit.run import Run
from tunekit.tasks.base import Task, Window


def quiet(_: str) -> None:
    """Say nothing."""


def make_task(name: str, checkpoint: Path, labels: list[str], **options: Any) -> Task:
    """A task with the processor of a checkpoint."""
    kind = tasks.find(name)
    processor = load_processor(inspect(ModelSection(name=str(checkpoint)), kind), kind, quiet)
    return kind(kind.Options(**options), processor, labels)


def taught_windows(task: Task, row: Mapping[str, Any]) -> list[Window]:
    """The windows of a row with their targets, and with what they note, which training forgets."""
    windows = list(task.encode(row))
    for window in windows:
        window.inputs |= task.target(row, window)
    return windows


def make_fitting(
    folder: Path, name: str, checkpoint: Path, data: Path, *overrides: str, **train: Any
) -> Fitting:
    """A run's parts, from a tiny recipe in a folder."""
    # a file for each process: they would else read what another one is writing
    file = tiny.recipe(folder / f"recipe-{process_index()}.yaml", name, checkpoint, data, **train)
    recipe = load(file, overrides)
    run = Run(folder / "run", writes=process_index() == 0)
    prepared = prepare.check(recipe, run, overwrite=False)
    run.begin(recipe, overwrite=False)
    return prepare.assemble(prepared, run, StopSignals(), None)


def gradients(optimization: Optimization, steps: Any, number: int = 0) -> dict[str, Any]:
    """The gradients of one step by parameter, in double precision: what differs is then no rounding."""
    optimization.forget()
    optimization.model.train().double()
    compute = gradients_together if optimization.sharded else gradients_or_less
    compute(optimization, steps, steps[number])
    named = optimization.model.named_parameters()
    return {name: whole(p.grad.detach()).clone() for name, p in named if p.grad is not None}


def difference(a: Mapping[str, Any], b: Mapping[str, Any]) -> float:
    """The relative difference of two sets of tensors, taken as one vector each."""
    import torch

    assert a.keys() == b.keys()
    apart = torch.cat([(a[name] - b[name]).flatten() for name in a]).norm()
    return float(apart / torch.cat([value.flatten() for value in a.values()]).norm())


def rows_of(scores: Scores) -> list[Any]:
    """The ids of predictions in their order."""
    return [row["id"] for row in scores.predictions]
