"""What the schema finds wrong with a recipe, as sentences: where, what was given, what there is to choose."""

import re
import types
import typing
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from tunekit import tasks
from tunekit.errors import cut, listing, nearest
from tunekit.recipe.reading import Place
from tunekit.recipe.sections import Recipe

ADVICE = {  # by pydantic's name of the error
    "int_parsing": "give a whole number",
    "int_parsing_size": "give a smaller number",
    "int_from_float": "give a whole number",
    "int_type": "give a whole number",
    "float_parsing": "give a finite number",
    "float_type": "give a finite number",
    "finite_number": "give a finite number",
    "bool_parsing": "give true or false",
    "bool_type": "give true or false",
    "string_type": "give a word or a text",
    "string_too_short": "give a word or a text",
    "list_type": "give a list, such as [a, b]",
    "dict_type": "give keys and values, such as {{key: value}}",
    "greater_than": "give a number greater than {gt:.10g}",
    "greater_than_equal": "give a number of at least {ge:.10g}",
    "less_than": "give a number less than {lt:.10g}",
    "less_than_equal": "give a number of at most {le:.10g}",
}

Where = Callable[[Place], str]


def sentence(where: Where, detail: ErrorDetails, root: type[BaseModel], prefix: Place = ()) -> str:
    """One error of the schema as a sentence."""
    kind, given, facts = detail["type"], detail["input"], detail.get("ctx", {})
    location = tuple(str(part) for part in detail["loc"])
    if location[-1:] == ("[key]",):
        location = location[:-1]
        return unknown((*prefix, *location), quoted(facts.get("expected", "")), where)
    place = (*prefix, *location)
    name = ".".join(place)
    if kind == "extra_forbidden":
        return unknown(place, keys_at(root, location[:-1]), where)
    if kind == "missing":
        return f"{where(place)}: {name} is missing; add it"
    head = f"{where(place)}: {name} is {written(given)}"
    if kind == "value_error":
        whole = isinstance(given, dict | BaseModel)  # of a section, whose keys disagree
        return f"{where(place)}: {name}: {facts['error']}" if whole else f"{head}; {facts['error']}"
    if kind == "literal_error":
        choices = quoted(facts["expected"])
        return f"{head}{nearest(str(given), choices)}; choose from {listing(choices)}"
    if kind in ("model_type", "model_attributes_type"):
        return f"{head}; give it keys ({listing(keys_at(root, location))}), or remove it"
    return f"{head}; {ADVICE.get(kind, detail['msg']).format(**facts)}"


def unknown(place: Place, known: list[str], where: Where) -> str:
    """Say that a key is unknown, which one may be meant, and which there are."""
    key, inside = cut(place[-1]), ".".join(place[:-1]) or "a recipe"
    near = home(place) or nearest(key, known)
    return (
        f"{where(place)}: {'.'.join([*place[:-1], key])} is an unknown key{near}; "
        f"the keys of {inside} are {listing(known)}: correct or remove it"
    )


def home(place: Place) -> str:
    """Where in a recipe a key is known that is not known here, as a clause; nothing where it is unknown."""
    key = place[-1]
    able = [name for name in tasks.names() if key in tasks.find(name).Options.model_fields]
    if able and place[:-1] == ("task",):
        return f"; it is an option of {listing(able)}"
    found = [f"{section}.{key}" for section in Recipe.model_fields if key in keys_at(Recipe, (section,))]
    found += [f"task.{key}"] if able else []
    return f"; did you mean {' or '.join(found)}?" if found else ""


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


def written(value: Any) -> str:
    """A value as the user wrote it, as far as a message needs it."""
    if value is None or value == "":
        return "empty"
    return cut(str(value) if isinstance(value, str) else repr(value))


def quoted(text: str) -> list[str]:
    """The words that stand in quotes in a text: `'a', 'b' or 'c'`."""
    return re.findall(r"'([^']*)'", text)
