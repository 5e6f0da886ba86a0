"""The cheap checks: what can be known in seconds, all of it before anything is downloaded or written."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunekit import tasks
from tunekit.console import out
from tunekit.data.columns import mapping
from tunekit.data.load import Data, load
from tunekit.data.sources import on_hub
from tunekit.environment import hush
from tunekit.errors import EnvironmentFailure, InputError, Problems, cut, first_line
from tunekit.evaluation import load_module
from tunekit.identity import versions
from tunekit.models.checkpoint import Checkpoint, inspect, local_folder
from tunekit.models.load import load_processor, token_limit
from tunekit.models.sentences import suited
from tunekit.models.weights import WEIGHTS
from tunekit.network import offline
from tunekit.prepare.resuming import refuse_changes
from tunekit.prepare.trained import check_trained
from tunekit.recipe import Recipe
from tunekit.run import Run
from tunekit.tasks.base import Task
from tunekit.tracking import check_trackers


@dataclass(frozen=True)
class Prepared:
    """A recipe whose data and checkpoint have been looked at and fit together."""

    recipe: Recipe
    data: Data
    checkpoint: Checkpoint
    task: Task

    @property
    def rerunnable(self) -> Recipe:
        """The recipe with the task options that fit the model, which it can be run with again."""
        task = self.recipe.task.model_copy(update={"options": self.task.options})
        return self.recipe.model_copy(update={"task": task})

    def identity(self) -> dict[str, Any]:
        """What must be the same for a run to be continued."""
        prints = {name: facts["sha256"] for name, facts in self.data.facts()["splits"].items()}
        kept = ("tunekit", "torch", "transformers", "tokenizers", "numpy")
        return {
            **self.recipe.resolved(),
            "rows of": prints,
            "version of": {name: versions()[name] for name in kept},
        }


def check(recipe: Recipe, run: Run, *, overwrite: bool, known: Data | None = None) -> Prepared:
    """The cheap checks: output folder, data, checkpoint, and whether they fit together.

    Data that are `known` were read, and all was checked, by another process of this machine.

    Raises:
        InputError: with every problem found.
    """
    hush()
    kind, problems = tasks.find(recipe.task.name), Problems()
    data, checkpoint, processor = None, None, None
    with problems.collect():
        if run.writes:
            run.check(overwrite=overwrite)
    with problems.collect():
        checkpoint = inspect(recipe.model, kind)
        processor = load_processor(checkpoint, kind, out.say)
        limit = token_limit(checkpoint, processor)
        options = suited(recipe.task.options, checkpoint, limit)
    if on_hub(recipe.data) and not offline():
        problems.raise_if_any()  # before a data set is downloaded
    with problems.collect():
        data = known or load(recipe.data, kind, recipe.task.options, recipe.data_seed, processor)
    with problems.collect():
        check_trackers(recipe.tracking)
    with problems.collect():
        check_modules(recipe.metrics if known is None else [], kind(recipe.task.options, None), data)
    trained = None
    with problems.collect():
        trained = check_trained(recipe, checkpoint) if checkpoint else None
    with problems.collect():
        check_pushable(recipe) if checkpoint else None
    with problems.collect():
        check_space(run, checkpoint, recipe.train.keep, trained)
    problems.raise_if_any()
    assert data is not None and checkpoint is not None
    task = kind(options, processor, data.labels, checkpoint.head)
    task.given = [role for role in kind.inputs if role in data.columns]
    columns = {role: column for role, column in data.columns.items() if role != "id"}
    task.origin = recipe.data.model_dump(include={"separator", "encoding"}) | {"columns": columns}
    prepared = Prepared(recipe, data, checkpoint, task)
    if run.facts and not overwrite and known is None:
        refuse_changes(run, prepared.identity())
    tell(data)
    return prepared


def refuse_several(settings: Recipe) -> None:
    """Refuse a recipe for several runs where one is made.

    Raises:
        InputError: it is one.
    """
    if settings.train.seeds > 1:
        raise InputError(
            f"train.seeds is {settings.train.seeds}, and this makes one run; give train.seeds=1, or call "
            "tunekit.finetune_seeds, which makes them all"
        )


def check_modules(metrics: Sequence[str], task: Task, data: Data | None) -> None:
    """Try the user's own metrics on two right answers, so that they do not fail after an hour.

    Raises:
        InputError: a module cannot be loaded, or does not take this task's answers.
    """
    for path in (Path(name) for name in metrics if name.endswith(".py")):
        module = load_module(path)
        if data is None:
            continue
        references = [task.reference(row) for row in data.splits["train"][:2]]
        several = task.measure.form == "texts"  # right ones, of which an answer is one
        answers = [next(iter(each), "") for each in references] if several else references
        try:
            module.compute(predictions=answers, references=references)
        except Exception as error:
            raise InputError(
                f"metric {str(path)!r} fails on the right answers {cut(repr(answers))} "
                f"({type(error).__name__}: {first_line(error)}); correct it"
            ) from error


def check_pushable(recipe: Recipe) -> None:
    """Refuse to train an adapter that is to be pushed alone, for a checkpoint that nobody else has.

    Raises:
        InputError: it is one.
    """
    adapter, hub, model = recipe.adapter, recipe.hub, recipe.model
    alone = adapter is not None and hub.repo and (hub.adapter or not adapter.merges)
    if adapter and alone and local_folder(model.name):
        raise InputError(
            f"the adapter is to be pushed to {hub.repo}, and model {model.name!r} is a folder here, which "
            f"nobody else has; {adapter.instead}"
        )


def check_space(run: Run, checkpoint: Checkpoint | None, keep: int, trained: int | None = None) -> None:
    """Refuse to start where checkpoints of a model that is here would not fit: weights, two moments for each.

    Of a model of which only some weights are `trained`, no others are in them.

    Raises:
        EnvironmentFailure: too little space is free.
    """
    files = [path for pattern in WEIGHTS for path in checkpoint.folder.glob(pattern)] if checkpoint else []
    size = sum(path.stat().st_size for path in files)
    part = size if trained is None else min(size, trained * 4)  # bytes of fp32
    need = part * 3 * (keep + 2) + size  # the best, the one being written, and the model itself
    place = next(p for p in (run.path, *run.path.absolute().parents) if p.exists())
    free = shutil.disk_usage(place).free
    if need > free:
        raise EnvironmentFailure(
            f"checkpoints need about {need:,} bytes in {place}, where {free:,} are free; "
            "make room, lower train.keep, or choose another --output"
        )


def tell(data: Data) -> None:
    """Say which column plays which role, how many rows there are, and what was left out."""
    sizes = ", ".join(f"{len(rows):,} {split}" for split, rows in data.splits.items())
    out.say(f"columns: {mapping(data.columns)}")
    out.say(f"rows: {sizes}" + (f"; {len(data.labels)} labels" if data.labels else ""))
    if data.skipped:
        out.warn(
            f"{len(data.skipped)} problems in rows that are left out (listed in run.json), such as "
            f"{data.skipped[0]}"
        )
    if data.corrected:
        out.warn(
            f"{len(data.corrected)} rows were put in order (listed in run.json), such as {data.corrected[0]}"
        )
