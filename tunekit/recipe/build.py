"""From a recipe file and `KEY=VALUE` overrides to a checked `Recipe`, with every problem in one report."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

import tunekit
from tunekit import tasks
from tunekit.console import redact
from tunekit.errors import LONGEST_PATH, InputError, Problems, cut, listing, nearest
from tunekit.recipe.hub import wrong_hub
from tunekit.recipe.reading import Place, read_file, read_value
from tunekit.recipe.secrets import is_secret, refusal, secrets_in
from tunekit.recipe.sections import Recipe, Section, TaskSection
from tunekit.recipe.sentences import sentence, written
from tunekit.recipe.unfreeze import wrong_training

MAIN_KEYS = {
    "task": "name",
    "model": "name",
    "data": "path",
    "hub": "repo",
    "adapter": "kind",
}  # `model: ID` is short for `model: {name: ID}`
BELONGS_TO: dict[Place, tuple[Place, ...]] = {  # keys that an override of another key makes meaningless
    ("data", "path"): (("data", "splits"), ("data", "columns"), ("data", "config"), ("data", "revision")),
    ("model", "name"): (("model", "revision"),),
    ("adapter",): (("train", "learning_rate"),),
    ("adapter", "kind"): (
        ("train", "learning_rate"),
        *(("adapter", key) for key in ("rank", "alpha", "dropout", "tokens")),
    ),
    ("adapter", "rank"): (("adapter", "alpha"),),
    ("train", "steps"): (("train", "epochs"),),
    ("train", "epochs"): (("train", "steps"),),
}


INSTEAD: dict[Place, str] = {  # how to say to `init` what it finds out, by key
    ("model", "name"): "--model ID_OR_FOLDER",
    ("data", "path"): "the command's first word",
    ("data", "columns"): "--column ROLE=COLUMN",
}

Setting = tuple[Place, Any, str]  # what `KEY=VALUE` sets, to what, and the argument itself


@dataclass
class Draft:
    """A recipe before it is checked: plain data, where each key was given, and what is wrong so far."""

    source: str
    values: dict[str, Any]
    lines: dict[Place, int]
    problems: list[str] = field(default_factory=list)
    overridden: dict[Place, str] = field(default_factory=dict)  # place -> the argument that set it

    def where(self, place: Place) -> str:
        """The origin of a key, or of a key inside it, or of the nearest key around it."""
        for end in range(len(place), 0, -1):
            if place[:end] in self.overridden:
                return self.overridden[place[:end]]
            if place[:end] in self.lines:
                return f"{self.source}:{self.lines[place[:end]]}"
            for other, argument in self.overridden.items():
                if other[:end] == place[:end]:
                    return argument
        return self.source

    def set(self, place: Place, value: Any, argument: str) -> None:
        """Set a nested key, making the sections on the way."""
        values = self.values
        for key in place[:-1]:
            inner = values.get(key)
            if inner is None:
                inner = values[key] = {}
            if not isinstance(inner, dict):
                self.problems.append(
                    f"{argument}: {key!r} has no keys of its own; it is {written(inner)}; correct the key"
                )
                return
            values = inner
        values[place[-1]] = value
        self.lines = {other: line for other, line in self.lines.items() if other[: len(place)] != place}
        self.overridden[place] = argument


def load(
    recipe: str | Path, overrides: Sequence[str] = (), say: Callable[[str], None] = lambda _: None
) -> Recipe:
    """Read a recipe by path or shipped name, apply `KEY=VALUE` overrides, and check it.

    Raises:
        InputError: with every problem found, each with its file and line.
    """
    path = find(recipe)
    problems = Problems()
    settings = parse_all(overrides, problems)
    with problems.collect():
        values, reading = read_file(path)
        draft = Draft(str(path), expand(values), reading.lines, reading.problems)
        checked = check(override(draft, settings, say))
    problems.raise_if_any()
    return checked


def of_model(task: dict[str, Any], folder: Path, overrides: Sequence[str]) -> Recipe:
    """The recipe for scoring a model that has none: its task, itself, and data from the overrides."""
    problems = Problems()
    settings = parse_all(overrides, problems)
    draft = Draft(str(folder), {"task": task, "model": {"name": str(folder)}}, {}, problems.found)
    return check(override(draft, settings, lambda _: None))


def of_data(path: str, overrides: Sequence[str]) -> Recipe:
    """A recipe for data of which nothing else is known: task and model are stand-ins."""
    problems = Problems()
    settings = parse_all(overrides, problems)
    for place, _, argument in settings:
        with problems.collect():
            if place[0] == "task" or place[:2] in INSTEAD:
                option = INSTEAD.get(place[:2], "--task NAME, and --column ROLE=COLUMN")
                raise InputError(f"{argument}: this is found out from the data; say it with {option}")
    values = {"task": {"name": tasks.names()[0]}, "model": {"name": "none"}, "data": {"path": path}}
    draft = Draft("the command line", values, {}, problems.found)
    return check(override(draft, settings, lambda _: None))


def shipped() -> dict[str, Path]:
    """The recipes that come with tunekit, by name."""
    return {path.stem: path for path in sorted(shipped_folder().glob("*.yaml"))}


def shipped_folder() -> Path:
    """Where the shipped recipes and their schema are: in the package, or beside it in a clone."""
    package = Path(tunekit.__file__).parent
    return next(place for place in (package / "recipes", package.parent / "recipes") if place.is_dir())


def find(recipe: str | Path) -> Path:
    """The file of a recipe that is given by path or by shipped name."""
    path = Path(recipe)
    if os.path.exists(path):  # unlike Path.exists, False for names that no system would take
        return path
    if str(recipe) in shipped():
        return shipped()[str(recipe)]
    names = list(shipped())
    beside = sorted(other.name for other in path.parent.glob("*.y*ml"))
    raise InputError(
        f"there is no recipe {cut(str(recipe), LONGEST_PATH)!r}, neither as a file nor among the shipped ones"
        f"{nearest(path.name, [*names, *beside])}; give a file, or one of {listing(names)}"
    )


def expand(values: dict[str, Any]) -> dict[str, Any]:
    """Write `model: ID` and the like out as sections."""
    return {
        key: {MAIN_KEYS[key]: value} if key in MAIN_KEYS and isinstance(value, str) else value
        for key, value in values.items()
    }


def override(draft: Draft, settings: Iterable[Setting], say: Callable[[str], None]) -> Draft:
    """Apply settings; what belonged to a replaced key is dropped, and `say` is told so."""
    settings = list(settings)
    given = {place for place, _, _ in settings}
    for place, _, argument in settings:
        dropped = [
            other for other in BELONGS_TO.get(place, ()) if other not in given and discard(draft, other)
        ]
        if dropped and place[0] in MAIN_KEYS:
            names = listing(".".join(other) for other in dropped)
            former = "way of training" if place[0] == "adapter" else place[0]
            say(f"{argument} drops {names} of the recipe, which belong to the former {former}")
    for place, value, argument in settings:
        draft.set(place, value, argument)
    return draft


def parse_all(arguments: Iterable[str], problems: Problems) -> list[Setting]:
    """`KEY=VALUE` arguments as settings; those that are none, or repeat a key, are problems."""
    settings: dict[Place, Setting] = {}
    for argument in arguments:
        with problems.collect():
            setting = parse(argument)
            if setting[0] in settings:
                raise InputError(f"{argument}: {settings[setting[0]][2]} is given too; remove one of them")
            settings[setting[0]] = setting
    return list(settings.values())


def parse(argument: str) -> Setting:
    """One `KEY=VALUE` as its place and value."""
    key, sign, text = argument.partition("=")
    place = tuple(part.strip() for part in key.split("."))
    if not sign or not all(place):
        raise InputError(f"{redact(argument)!r} is no KEY=VALUE; write for example train.epochs=5")
    if is_secret(place, text):
        raise InputError(refusal("on the command line", place))
    value = read_value(text, argument)
    if secrets := list(secrets_in(value, place)):
        raise InputError([refusal("on the command line", secret) for secret in secrets])
    off = place == ("adapter",) and value is None
    if len(place) == 1 and place[0] in MAIN_KEYS and not isinstance(value, dict) and not off:
        place = (place[0], MAIN_KEYS[place[0]])
    return place, value, argument


def discard(draft: Draft, place: Place) -> bool:
    """Remove a key of the recipe; tell whether it was there."""
    section = draft.values.get(place[0])
    return isinstance(section, dict) and section.pop(place[1], None) is not None


def check(draft: Draft) -> Recipe:
    """Validate a draft against the schema and the task, and report everything at once."""
    problems = draft.problems
    if secrets := list(secrets_in(draft.values)):
        raise InputError([*problems, *(refusal(draft.where(place), place) for place in secrets)])
    task = check_task(draft, problems)
    recipe = None
    try:
        stand_in = {"name": "none", "options": Section()}
        recipe = Recipe.model_validate({**draft.values, "task": task or stand_in})
    except ValidationError as error:
        problems += [sentence(draft.where, detail, Recipe) for detail in error.errors()]
    if task and recipe:
        problems += disagreements(draft, recipe)
    if problems or recipe is None:
        raise InputError(list(dict.fromkeys(problems)))
    return recipe


def check_task(draft: Draft, problems: list[str]) -> TaskSection | None:
    """The task section, or None with what is wrong with it added to the problems."""
    section = draft.values.get("task")
    name = section.get("name") if isinstance(section, dict) else None
    if not isinstance(section, dict) or not isinstance(name, str):
        wrong = "is missing" if section is None or isinstance(section, dict) else f"is {written(section)}"
        problems.append(f"{draft.where(('task',))}: task {wrong}; name one of {listing(tasks.names())}")
        return None
    try:
        kind = tasks.find(name)
        if not kind.trainable:
            raise InputError(f"{name} is nothing to train: {kind.untrained}")
        options = kind.Options.model_validate({key: value for key, value in section.items() if key != "name"})
        return TaskSection(name=name, options=options)
    except InputError as error:
        problems += [f"{draft.where(('task', 'name'))}: {problem}" for problem in error.problems]
    except ValidationError as error:
        problems += [sentence(draft.where, detail, kind.Options, ("task",)) for detail in error.errors()]
    return None


def disagreements(draft: Draft, recipe: Recipe) -> list[str]:
    """Settings that are right by themselves, and wrong for the task or beside each other."""
    kind = tasks.find(recipe.task.name)
    measure = kind.judged_by(recipe.task.options)
    options = recipe.task.options
    found = list(wrong_columns(draft, recipe, [*kind.inputs_for(options), *kind.targets_for(options), "id"]))
    for name in recipe.metrics:
        if name not in measure.names and not (name.endswith(".py") and Path(name).is_file()):
            found.append(
                f"{draft.where(('metrics',))}: metric {name!r} is not built in, and no .py file that exists"
                f"{nearest(name, measure.names)}; choose from {listing(measure.names)}"
            )
    best = recipe.train.best
    own = any(name.endswith(".py") for name in recipe.metrics)  # their metrics are known when they are tried
    if best and best not in measure.names and not own:
        found.append(
            f"{draft.where(('train', 'best'))}: train.best {best!r} is no metric of {recipe.task.name}"
            f"{nearest(best, measure.names)}; choose from {listing(measure.names)}"
        )
    found += wrong_training(draft.where, recipe.adapter, recipe.train, recipe.hub.adapter)
    return found + list(wrong_hub(draft.where, recipe.hub, measure.names))


def wrong_columns(draft: Draft, recipe: Recipe, roles: Sequence[str]) -> Iterator[str]:
    """Columns that are given to no role of the task, or to two."""
    role_of: dict[str, str] = {}
    for role, column in (recipe.data.columns or {}).items():
        where = draft.where(("data", "columns", role))
        if role not in roles:
            yield (
                f"{where}: data.columns.{role} is no role of {recipe.task.name}{nearest(role, roles)}; "
                f"choose from {listing(roles)}"
            )
        elif column in role_of:
            yield (
                f"{where}: data.columns.{role} is {column!r}, and so is {role_of[column]}; "
                "give each role a column of its own"
            )
        role_of.setdefault(column, role)
