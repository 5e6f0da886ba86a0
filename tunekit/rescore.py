"""Scoring a finished model again: which rows, by which recipe, and where the scores go."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from tunekit import recipe as recipes
from tunekit.console import out
from tunekit.data.load import Data, load, load_split
from tunekit.errors import InputError, listing
from tunekit.models.finetuned import load_task
from tunekit.recipe import Recipe
from tunekit.tasks.base import Task


def recipe_for(path: Path, folder: Path, overrides: Sequence[str]) -> Recipe:
    """The run's recipe, or for a bare model folder one made from the model, with the overrides."""
    file = path / "recipe.yaml"
    if file.is_file() and folder != path:
        return recipes.load(file, overrides, out.say)
    name, task = load_task(folder)
    return recipes.of_model({"name": name, **task.options.model_dump(mode="json")}, folder, overrides)


def names_data(overrides: Sequence[str]) -> bool:
    """Whether overrides name other rows than the run's own."""
    return any(argument.startswith(("data=", "data.")) for argument in overrides)


def rows_to_score(recipe: Recipe, task: Task, split: str | None, *, own_data: bool) -> tuple[str, Data]:
    """The split to score and its rows; for the run's own data the split as the run had it.

    Raises:
        InputError: there is no such split, or its rows cannot be used.
    """
    if not own_data:
        return load_split(recipe.data, type(task), task.options, task.labels, split)
    data = load(recipe.data, type(task), task.options, recipe.train.seed)
    name = split or ("test" if "test" in data.splits else "validation")
    if name not in data.splits:
        raise InputError(f"the run's data has no {name} split; there are {listing(data.splits)}")
    return name, data


def score_folder(path: Path, folder: Path, overrides: Sequence[str]) -> Path:
    """Where scores go: the run for its own data, else a folder named after the data asked for."""
    inside = folder != path
    if inside and not overrides:
        return path
    digest = hashlib.sha256(repr(list(overrides)).encode()).hexdigest()[:8]
    return (path / "evaluations" if inside else Path("evaluations") / path.name) / digest
