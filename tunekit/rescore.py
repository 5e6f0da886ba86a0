"""Scoring a finished model again: which rows, by which recipe, and where the scores go."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tunekit import recipe as recipes
from tunekit.console import out
from tunekit.data.columns import mapping
from tunekit.data.load import Data, load, load_split
from tunekit.errors import InputError, listing
from tunekit.models.finetuned import load_task
from tunekit.models.several import Adapted
from tunekit.network import at_revision
from tunekit.recipe import Recipe
from tunekit.tasks.base import Task

OTHER_DATA = ("data.path", "data.config", "data.revision", "data.splits", "data.columns")


def recipe_for(path: Path, folder: Path, overrides: Sequence[str]) -> Recipe:
    """The run's recipe, or that of a pushed model for its own data, else one made from the model."""
    file, pushed = path / "recipe.yaml", folder / "recipe.yaml"
    if file.is_file() and in_run(path, folder):
        return recipes.load(file, overrides, out.say)
    if pushed.is_file() and not names_data(overrides):
        return recipes.load_foreign(pushed, overrides, out.say, model=folder, source=str(file))
    name, task = load_task(folder)
    return recipes.of_model({"name": name, **task.options.model_dump(mode="json")}, folder, overrides)


def in_run(path: Path, folder: Path) -> bool:
    """Whether a model folder is that of the run at `path`, and no bare one or one from the Hub."""
    return folder in (path / "model", path / "adapter")


def names_data(overrides: Sequence[str]) -> bool:
    """Whether overrides name other rows than the run's own."""
    keys = {argument.split("=", 1)[0] for argument in overrides}
    return any(key == "data" or ".".join(key.split(".")[:2]) in OTHER_DATA for key in keys)


def rows_to_score(
    recipe: Recipe, task: Task, split: str | None, *, before: Mapping[str, Any] | None
) -> tuple[str, Data]:
    """The split to score and its rows; `before` is what the run recorded, for its own data.

    Raises:
        InputError: there is no such split, its rows cannot be used, or they are no longer those of the run.
    """
    if before is None:
        found = load_split(recipe.data, task, split)
        out.say(f"columns: {mapping(found[1].columns)}")
        return found
    data = load(recipe.data, type(task), task.options, recipe.data_seed, task.processor)
    name = split or ("test" if "test" in data.splits else "validation")
    if name not in data.splits:
        raise InputError(f"the run's data has no {name} split; choose from {listing(data.splits)}")
    if data.facts()["splits"][name] != before["splits"].get(name):
        raise InputError(
            f"the {name} rows are not those that the run was made with; give data={recipe.data.path} "
            "to score them as other data, in a folder of their own"
        )
    return name, data


def score_folder(path: Path, folder: Path, overrides: Sequence[str]) -> Path:
    """Where scores go: the run for its own data, else a folder named after model and data."""
    inside = in_run(path, folder)
    if inside and not overrides:
        return path
    digest = short_digest(folder, overrides)
    return (path / "evaluations" if inside else Path("evaluations") / path.name) / digest


def short_digest(folder: Path, overrides: Sequence[str] = ()) -> str:
    """What tells a model folder, which for one of the Hub names its commit, and the data from all others."""
    return hashlib.sha256(repr([str(folder.resolve()), *overrides]).encode()).hexdigest()[:8]


def placed_beside(target: Path, several: Sequence[Adapted]) -> Iterator[tuple[Adapted, Path]]:
    """Where the scores of each of several adapters go: the first where its own go, others beside it."""
    for number, each in enumerate(several):
        name = Path(at_revision(each.name)[0]).name or "adapter"
        beside = target / "evaluations" / f"{number}-{name}-{short_digest(each.folder)}"
        yield each, target if number == 0 else beside
