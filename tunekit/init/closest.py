"""The shipped recipe that is closest to a guess: its model, and how that is trained."""

import math
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from tunekit import recipe as recipes
from tunekit.errors import InputError
from tunekit.init.choosing import Choice
from tunekit.recipe import Recipe, TrainSection
from tunekit.tasks._guess import Column, Seen

MULTILINGUAL = {  # what reads many languages instead of a model that reads English
    "google-bert/bert-base-uncased": "google-bert/bert-base-multilingual-cased",
    "google-bert/bert-base-cased": "google-bert/bert-base-multilingual-cased",
    "google-t5/t5-small": "google/mt5-small",
}
ACCENTED = 0.01  # share of letters beyond ASCII from which on texts are not English
STEPS = 300  # optimizer steps that a head should have to learn
PER_EPOCH = 50  # steps of an epoch below which a batch is made smaller
SMALLEST_BATCH, MOST_EPOCHS = 8, 20


@dataclass(frozen=True)
class Start:
    """What a recipe starts from: a model, task options that go with it, and settings of training."""

    model: str
    options: Mapping[str, Any]
    train: Mapping[str, Any]
    notes: Mapping[str, str]  # by dotted name: model.name, train.epochs ...


def closest(choice: Choice) -> tuple[str, Recipe] | None:
    """The shipped recipe of a task with the same sort of answers and the same roles, and its name."""
    every = {name: recipes.load(name) for name in recipes.shipped()}
    same = {name: recipe for name, recipe in every.items() if recipe.task.name == choice.task}
    if not same:
        return None
    name = min(same, key=partial(distance, choice=choice, shipped=same))
    return name, same[name]


def distance(name: str, choice: Choice, shipped: Mapping[str, Recipe]) -> tuple[int, int, int]:
    """How far a shipped recipe is from a guess; of equals the shorter name is the plainer recipe."""
    recipe = shipped[name]
    guessed = choice.kind.Options(**choice.guess.options)
    fields = choice.kind.Options.model_fields
    sorts = [key for key, field in fields.items() if names_a_sort(field.annotation)]
    apart = sum(getattr(guessed, key) != getattr(recipe.task.options, key) for key in sorts)
    roles = choice.guess.columns.keys() ^ (recipe.data.columns or {}).keys()
    return apart, len(roles - {"id"}), len(name)


def names_a_sort(annotation: Any) -> bool:
    """Whether an option is one of a few words, or yes or no: it then says what is asked."""
    return annotation is bool or typing.get_origin(annotation) is typing.Literal


def start_from(choice: Choice, seen: Seen, rows: int, model: str | None) -> Start:
    """A model for a guess, and how to train it on so many rows.

    Raises:
        InputError: no model is named, and none is known for the task.
    """
    found = closest(choice)
    if found is None:
        if model is None:
            raise InputError(f"no shipped recipe has a model for {choice.task}; name one with --model")
        return Start(model, {}, for_few(rows, TrainSection()), {})
    name, recipe = found
    shipped, lengths = recipe.model.name, choice.guess.lengths
    options = recipe.task.options.model_dump(exclude_unset=True)
    options = {key: value for key, value in options.items() if key not in lengths}
    train = recipe.train.model_dump(exclude_unset=True)
    chosen, said = shipped, f"of the shipped recipe {name}"
    if model is None and (share := accented(choice, seen)) > ACCENTED and shipped in MULTILINGUAL:
        chosen = MULTILINGUAL[shipped]
        said = f"reads many languages: {share:.0%} of the letters are no English ones"
    if model is not None:
        chosen, said = model, ""
    notes = {"model.name": said} if said else {}
    if chosen != shipped:  # what only the model of the recipe wants
        options = {key: value for key, value in options.items() if not isinstance(value, str)}
        train = {key: value for key, value in train.items() if key != "learning_rate"}
        train["learning_rate"] = TrainSection().learning_rate
        notes["train.learning_rate"] = f"a usual one; {shipped} has {recipe.train.learning_rate:g} in {name}"
    settings = {**train, **for_few(rows, recipe.train)}
    return Start(chosen, options, settings, notes | about_few(rows, recipe.train))


def for_few(rows: int, train: TrainSection) -> dict[str, Any]:
    """Batch size and epochs with which few rows still make enough steps."""
    batch, epochs = train.batch_size, train.epochs or 1
    while batch > SMALLEST_BATCH and rows < batch * PER_EPOCH:
        batch //= 2
    if rows * epochs < STEPS * batch:
        epochs = max(epochs, min(MOST_EPOCHS, math.ceil(STEPS * batch / rows)))
    return {"epochs": int(epochs) if epochs == int(epochs) else epochs, "batch_size": batch}


def about_few(rows: int, train: TrainSection) -> dict[str, str]:
    """What is to be said where few rows change how long is trained."""
    fitting = for_few(rows, train)
    if fitting["epochs"] == train.epochs:
        return {}
    steps = math.ceil(rows / fitting["batch_size"]) * fitting["epochs"]
    return {"train.epochs": f"few rows need more passes: {steps:,} steps, or fewer when they help no more"}


def accented(choice: Choice, seen: Seen) -> float:
    """The share of letters beyond ASCII in what a model reads."""
    used = {choice.guess.columns[role] for role in choice.kind.inputs if role in choice.guess.columns}
    texts = "".join(text for column in seen.columns if column.name in used for text in words_in(column))
    letters = [character for character in texts if character.isalpha()]
    return sum(not letter.isascii() for letter in letters) / max(1, len(letters))


def words_in(column: Column) -> list[str]:
    """The texts of a column, or of its lists, of some rows."""
    values = column.values[:: max(1, len(column.values) // 500)]
    items = [item for value in values for item in (value if isinstance(value, list) else [value])]
    return [item for item in items if isinstance(item, str)]
