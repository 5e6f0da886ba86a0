"""From a recipe file and `KEY=VALUE` overrides to a checked `Recipe`, with every problem in one report."""

import types
import typing
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

import tunekit
from tunekit import metrics, tasks
from tunekit.errors import InputError, listing, nearest
from tunekit.recipe.reading import Place, read_file, read_value
from tunekit.recipe.sections import Recipe, Section, TaskSection

MAIN_KEYS = {"task": "name", "model": "name", "data": "path"}  # `model: ID` is short for `model: {name: ID}`
BELONGS_TO: dict[Place, tuple[Place, ...]] = {  # keys that an override of another key makes meaningless
    ("data", "path"): (("data", "splits"), ("data", "columns"), ("data", "config"), ("data", "revision")),
    ("model", "name"): (("model", "revision"),),
    ("train", "steps"): (("train", "epochs"),),
    ("train", "epochs"): (("train", "steps"),),
}


@dataclass
class Draft:
    """A recipe before it is checked: plain data, and where each key was given."""

    source: str
    values: dict[str, Any]
    lines: dict[Place, int]
    overridden: dict[Place, str] = field(default_factory=dict)  # place -> the argument that set it

    def where(self, place: Place) -> str:
        """The origin of a key, or of the nearest key around it."""
        for end in range(len(place), 0, -1):
            if place[:end] in self.overridden:
                return self.overridden[place[:end]]
            if place[:end] in self.lines:
                return f"{self.source}:{self.lines[place[:end]]}"
        return self.source


def load(
    recipe: str | Path, overrides: Sequence[str] = (), say: Callable[[str], None] = lambda _: None
) -> Recipe:
    """Read a recipe by path or shipped name, apply `KEY=VALUE` overrides, and check it.

    Raises:
        InputError: with every problem found, each with its file and line.
    """
    path = find(recipe)
    values, lines = read_file(path)
    return check(override(Draft(str(path), expand(values), lines), overrides, say))


def of_model(task: dict[str, Any], folder: Path, overrides: Sequence[str]) -> Recipe:
    """The recipe for scoring a model that has none: its task, itself, and data from the overrides."""
    draft = Draft(str(folder), {"task": task, "model": {"name": str(folder)}}, {})
    return check(override(draft, overrides, lambda _: None))


def shipped() -> dict[str, Path]:
    """The recipes that come with tunekit, by name."""
    package = Path(tunekit.__file__).parent
    folder = next(place for place in (package / "recipes", package.parent / "recipes") if place.is_dir())
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def find(recipe: str | Path) -> Path:
    """The file of a recipe that is given by path or by shipped name."""
    path = Path(recipe)
    if path.exists():
        return path
    if str(recipe) in shipped():
        return shipped()[str(recipe)]
    names = list(shipped())
    raise InputError(
        f"there is no recipe {str(recipe)!r}, neither as a file nor among the shipped ones"
        f"{nearest(str(recipe), names)}; shipped are {listing(names)}"
    )


def expand(values: dict[str, Any]) -> dict[str, Any]:
    """Write `model: ID` and the like out as sections."""
    return {
        key: {MAIN_KEYS[key]: value} if key in MAIN_KEYS and isinstance(value, str) else value
        for key, value in values.items()
    }


def override(draft: Draft, arguments: Iterable[str], say: Callable[[str], None]) -> Draft:
    """Apply `KEY=VALUE` arguments; what belonged to a replaced key is dropped, and `say` is told so."""
    settings = [parse(argument) for argument in arguments]
    given = {place for place, _, _ in settings}
    for place, _, argument in settings:
        dropped = [
            other for other in BELONGS_TO.get(place, ()) if other not in given and discard(draft, other)
        ]
        if dropped and place[0] in MAIN_KEYS:
            names = listing(".".join(other) for other in dropped)
            say(f"{argument} drops {names} of the recipe, which belong to the former {place[0]}")
    for place, value, argument in settings:
        assign(draft.values, place, value, argument)
        draft.overridden[place] = argument
    return draft


def parse(argument: str) -> tuple[Place, Any, str]:
    """One `KEY=VALUE` as its place and value."""
    key, sign, text = argument.partition("=")
    if not sign or not key.strip():
        raise InputError(f"{argument!r} is no KEY=VALUE; write for example train.epochs=5")
    place = tuple(key.strip().split("."))
    value = read_value(text, argument)
    if len(place) == 1 and key in MAIN_KEYS and not isinstance(value, dict):
        place = (key, MAIN_KEYS[key])
    return place, value, argument


def discard(draft: Draft, place: Place) -> bool:
    """Remove a key of the recipe; tell whether it was there."""
    section = draft.values.get(place[0])
    return isinstance(section, dict) and section.pop(place[1], None) is not None


def assign(values: dict[str, Any], place: Place, value: Any, argument: str) -> None:
    """Set a nested key, making the sections on the way."""
    for key in place[:-1]:
        inner = values.get(key)
        if inner is None:
            inner = values[key] = {}
        if not isinstance(inner, dict):
            raise InputError(f"{argument}: {key!r} has no keys of its own; it is {inner!r}")
        values = inner
    values[place[-1]] = value


def check(draft: Draft) -> Recipe:
    """Validate a draft against the schema and the task, and report everything at once."""
    problems: list[str] = []
    task = check_task(draft, problems)
    recipe = None
    try:
        stand_in = {"name": "none", "options": Section()}
        recipe = Recipe.model_validate({**draft.values, "task": task or stand_in})
    except ValidationError as error:
        problems += [sentence(draft, detail, Recipe) for detail in error.errors()]
    if task and recipe:
        problems += disagreements(draft, recipe)
    if problems or recipe is None:
        raise InputError(list(dict.fromkeys(problems)))
    return recipe


def check_task(draft: Draft, problems: list[str]) -> TaskSection | None:
    """The task section, or None with what is wrong with it added to the problems."""
    section = draft.values.get("task")
    if not isinstance(section, dict) or not isinstance(section.get("name"), str):
        problems.append(f"{draft.where(('task',))}: task is missing; name one of {listing(tasks.names())}")
        return None
    try:
        kind = tasks.find(section["name"])
        options = kind.Options.model_validate({key: value for key, value in section.items() if key != "name"})
        return TaskSection(name=section["name"], options=options)
    except InputError as error:
        problems += [f"{draft.where(('task', 'name'))}: {problem}" for problem in error.problems]
    except ValidationError as error:
        problems += [sentence(draft, detail, kind.Options, ("task",)) for detail in error.errors()]
    return None


def sentence(draft: Draft, detail: ErrorDetails, root: type[BaseModel], prefix: Place = ()) -> str:
    """One pydantic error as a sentence with its place, what was given, and what there is."""
    location = tuple(str(part) for part in detail["loc"])
    place = (*prefix, *location)
    head = f"{draft.where(place)}: {'.'.join(place)}"
    if detail["type"] == "extra_forbidden":
        keys = keys_at(root, location[:-1])
        inside = ".".join(place[:-1]) or "a recipe"
        return (
            f"{head} is an unknown key{nearest(location[-1], keys)}; the keys of {inside} are {listing(keys)}"
        )
    if detail["type"] == "missing":
        return f"{head} is missing; give it a value"
    if detail["type"] == "value_error":
        text = str(detail["ctx"]["error"])
        return (
            f"{head}: {text}"
            if isinstance(detail["input"], dict | BaseModel)
            else f"{head} is {detail['input']!r}; {text}"
        )
    if detail["type"] == "literal_error":
        return (
            f"{head} is {detail['input']!r}, which is none of {detail['ctx']['expected']}; use one of these"
        )
    return f"{head} is {detail['input']!r}; {detail['msg'][0].lower() + detail['msg'][1:]}"


def keys_at(root: type[BaseModel], location: Place) -> list[str]:
    """The keys that a section knows."""
    model: Any = root
    for part in location:
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        options = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
        model = next((a for a in options if isinstance(a, type) and issubclass(a, BaseModel)), None)
        if model is None:
            return []
    return list(model.model_fields)


def disagreements(draft: Draft, recipe: Recipe) -> list[str]:
    """Settings that are right by themselves, and wrong for the task."""
    kind = tasks.find(recipe.task.name)
    measure = metrics.MEASURES[kind.judged_by(recipe.task.options)[0]]
    roles = [*kind.inputs, *kind.targets, "id"]
    found = []
    for role in recipe.data.columns or {}:
        if role not in roles:
            found.append(
                f"{draft.where(('data', 'columns', role))}: "
                f"data.columns.{role} is no role of {recipe.task.name}{nearest(role, roles)}; "
                f"its roles are {listing(roles)}"
            )
    for name in recipe.metrics:
        if name not in measure.names and not (name.endswith(".py") and Path(name).is_file()):
            found.append(
                f"{draft.where(('metrics',))}: metric {name!r} is neither built in"
                f"{nearest(name, measure.names)} nor a .py file; "
                f"{recipe.task.name} has {listing(measure.names)}"
            )
    best = recipe.train.best
    if best and best not in measure.names and not recipe.metrics:
        found.append(
            f"{draft.where(('train', 'best'))}: train.best {best!r} is no metric of {recipe.task.name}"
            f"{nearest(best, measure.names)}; there are {listing(measure.names)}"
        )
    return found
