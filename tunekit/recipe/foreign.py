"""A recipe that came with a model: input from a stranger. Its paths are only names, and it runs no code."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tunekit.errors import Problems
from tunekit.network import ID
from tunekit.recipe.build import Draft, Setting, check, expand, override, parse_all
from tunekit.recipe.reading import Place, read_file
from tunekit.recipe.sections import NO_PART_OF_A_RUN, Recipe

WORDS = {  # what somebody else's setting must not be, unless the user gives it
    ("data", "path"): "data",
    ("model", "name"): "model",
}
TEMPLATE = ".jinja"  # the ending of files that a task's options may name


def load_foreign(
    path: Path,
    overrides: Sequence[str] = (),
    say: Callable[[str], None] = lambda _: None,
    *,
    model: Path | None = None,
    source: str | None = None,
) -> Recipe:
    """Read the recipe that lies beside a model, with the user's overrides; `model` takes its model's place.

    What it says of a push and of trackers is dropped. Where its data was a file, data=PATH tells where that
    is here, and its splits and columns stay. `source` is what the file is called in messages, where that is
    not its path.

    Raises:
        InputError: it is no recipe, names something of this machine, or would run code.
    """
    problems = Problems()
    settings = parse_all(overrides, problems)
    with problems.collect():
        values, reading = read_file(path, source)
        draft = Draft(source or str(path), expand(values), reading.lines, reading.problems)
        if model is not None:
            draft.values["model"] = {"name": str(model)}
        draft.problems += refusals(draft, {place for place, _, _ in settings}, model)
        for section in NO_PART_OF_A_RUN:
            draft.values.pop(section, None)
        checked = check(override(draft, placed(draft, settings), say))
    problems.raise_if_any()
    return checked


def refusals(draft: Draft, given: set[Place], model: Path | None) -> Iterator[str]:
    """What is refused of a draft, other than what the user gives."""
    for place, key in WORDS.items():
        name = value_at(draft, place)
        if place in given or (key,) in given or name is None or (key == "model" and model is not None):
            continue
        where = f"{draft.where(place)}: {'.'.join(place)} {name!r}"
        if not is_id(name):
            yield f"{where} was on the machine of whoever made the recipe; give {key}=PATH, where it is here"
        elif os.path.exists(name):
            yield f"{where} is of the Hub, and a path here is called the same; go elsewhere, or give {key}="
    metrics = draft.values.get("metrics")
    for name in metrics if isinstance(metrics, list) and ("metrics",) not in given else []:
        if str(name).endswith(".py"):
            yield (
                f"{draft.where(('metrics',))}: metric {name!r} is code of whoever made the recipe, which is "
                "never run; give metrics=[] to do without"
            )
    task = draft.values.get("task")
    for key, value in task.items() if isinstance(task, dict) else ():
        if str(value).endswith(TEMPLATE) and ("task", key) not in given:
            where = draft.where(("task", key))
            yield f"{where}: task.{key} {value!r} names a file of this machine; remove it"
    card = value_at(draft, ("hub", "card"))
    if card is not None:
        yield f"{draft.where(('hub', 'card'))}: hub.card {card!r} names a file of this machine; remove it"


def value_at(draft: Draft, place: Place) -> Any:
    """What a draft says at a key of a section."""
    section = draft.values.get(place[0])
    return section.get(place[1]) if isinstance(section, dict) else None


def is_id(name: Any) -> bool:
    """Whether a name can be that of a repository of the Hub, and of nothing else."""
    return isinstance(name, str) and ID.fullmatch(name.partition("@")[0]) is not None and name[0] != "."


def placed(draft: Draft, settings: list[Setting]) -> list[Setting]:
    """Say where data is whose path was only a name: what else the recipe says of it stays, by name alone."""
    data = draft.values.get("data")
    if not isinstance(data, dict) or is_id(data.get("path")):
        return settings
    splits = data.get("splits")
    if isinstance(splits, dict):
        data["splits"] = {split: name and Path(str(name)).name for split, name in splits.items()}
    for place, value, argument in settings:
        if place == ("data", "path"):
            draft.set(place, value, argument)
    return [setting for setting in settings if setting[0] != ("data", "path")]
