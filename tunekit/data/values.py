"""The kinds of values that roles hold: what is one, how it is put into form, and what is wrong with it."""

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tunekit.data.files import Table
from tunekit.data.images import is_image, plain, source_of
from tunekit.data.texts import CONVERSATION, is_conversation, messages_of, whole
from tunekit.errors import cut
from tunekit.tasks._words import Words
from tunekit.tasks.base import Role

DESCRIPTIONS = {
    "text": "a text",
    "texts": "a list of texts",
    "number": "a number",
    "words": "a text or a list of words",
    "spans": "a list of spans ({start, end, label}, in characters)",
    "label": "a label",
    "labels": "a list with one label for each word",
    "answers": 'answers such as {"text": ["Rome"], "answer_start": [12]}',
    "set": "a list of labels",
    "image": "a picture (its bytes, or the path of a .png, .jpg ...)",
    "messages": CONVERSATION,
}
LISTS_OF = {
    "texts": "text",
    "words": "text",
    "spans": "span",
    "labels": "label",
    "set": "label",
}  # kinds whose values are lists, by the items'
MAY_BE_EMPTY = ("spans", "set")


def is_kind(value: Any, kind: str) -> bool:
    """Whether one value is of a role's kind."""
    if kind in LISTS_OF and not (kind == "words" and isinstance(value, str)):
        filled = isinstance(value, list) and (len(value) > 0 or kind in MAY_BE_EMPTY)
        return filled and all(is_kind(item, LISTS_OF[kind]) for item in value)
    if kind == "span":
        return isinstance(value, dict) and {"start", "end"} <= value.keys()
    if kind == "number":
        return isinstance(value, int | float) or (isinstance(value, str) and is_number(value))
    if kind in ("text", "words"):
        return isinstance(value, str)
    if kind == "answers":
        return isinstance(value, str) or all(
            isinstance(item, str) or (isinstance(item, dict) and "text" in item) for item in as_items(value)
        )
    if kind == "image":
        return is_image(value)
    if kind == "messages":
        return is_conversation(value)
    return isinstance(value, str | int) or (isinstance(value, float) and value.is_integer())


@dataclass(frozen=True)
class Unread:
    """A value that is costly to read: where it is. `data.keeping` reads it."""

    table: Table
    column: str
    number: int  # of the row

    @property
    def given(self) -> Any:
        """The value in the table: bytes or a path."""
        return plain(self.table.columns[self.column][self.number])

    @property
    def path(self) -> str | None:
        """The path that was given, where one was."""
        return self.given if isinstance(self.given, str) else None

    def source(self) -> bytes | str:
        """The bytes, or the file that they are in."""
        return source_of(self.given, self.table.folder)

    def __str__(self) -> str:
        return self.column if self.path is None else f"{self.column} {self.path}"


class Normalizer:
    """Turns the values of a role's column into what tasks expect, or says why a row cannot be used."""

    def __init__(self, table: Table, roles: Mapping[str, Role], columns: Mapping[str, str]) -> None:
        self.table, self.roles, self.columns = table, roles, columns

    def row(self, number: int) -> tuple[dict[str, Any], list[str]]:
        """A row keyed by role, and what is wrong with it."""
        values, problems = dict[str, Any](), list[str]()
        for role, spec in self.roles.items():
            if role not in self.columns:
                continue
            column = self.columns[role]
            value = parted(self.table.columns[column][number], spec)
            if spec.blank and (value is None or (isinstance(value, str) and not value.strip())):
                values[role] = ""
                continue
            try:
                values[role] = self.value(value, spec.kind, self.table.class_names.get(column))
            except ValueError as error:
                problems.append(f"{column} {error}{meant(value, spec)}")
            if spec.kind == "image":
                values[role] = Unread(self.table, column, number)
        return values, problems

    def value(self, value: Any, kind: str, names: list[str] | None) -> Any:
        """One value of a kind.

        Raises:
            ValueError: it is not usable; the text says why.
        """
        if value is None:
            raise ValueError("is null")
        if kind == "words" and isinstance(value, str):
            return Words.split(whole(value))
        if kind in LISTS_OF:
            if not isinstance(value, list) or (not value and kind not in MAY_BE_EMPTY):
                shown = "an empty list" if value == [] else cut(repr(value))
                raise ValueError(f"is {shown}, not {DESCRIPTIONS[kind]}")
            items = [self.item(i, item, kind, names) for i, item in enumerate(value)]
            return Words.of(items) if kind == "words" else items
        if kind == "span":
            return span_of(value)
        if kind == "text":
            if not isinstance(value, str):
                raise ValueError(f"is {cut(repr(value))}, not a text")
            return whole(value)
        if kind == "number":
            return number_of(value)
        if kind == "messages":
            return messages_of(value)
        if kind == "answers":
            return answers_of(value)
        if kind == "image":
            return source_of(value, self.table.folder)
        return label_name(value, names)

    def item(self, number: int, item: Any, kind: str, names: list[str] | None) -> Any:
        """One value of a list; what is wrong with it says which."""
        try:
            return self.value(item, LISTS_OF[kind], names)
        except ValueError as error:
            raise ValueError(f"item {number} {error}") from None


def parted(value: Any, spec: Role) -> Any:
    """A value, as a list where its role has lists written as one text."""
    if spec.separator is None or not isinstance(value, str):
        return value
    return [part.strip() for part in value.split(spec.separator) if part.strip()]


def meant(value: Any, spec: Role) -> str:
    """What to set for values of another kind than the role's, as a clause."""
    if value == [] or is_kind(value, spec.kind):
        return ""
    return next((f"; {advice}" for kind, advice in spec.otherwise.items() if is_kind(value, kind)), "")


def span_of(value: Any) -> dict[str, Any]:
    """A span as predicted or annotated: whole numbers `start` and `end`, and `label` (or `type`).

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, dict):
        raise ValueError(f"is {cut(repr(value))}, not {{start, end, label}}")
    label = "type" if "label" not in value and "type" in value else "label"
    for key in ("start", "end", label):
        if value.get(key) is None:
            raise ValueError(f"has no {key!r}")
    for key in ("start", "end"):
        if isinstance(value[key], bool) or not isinstance(value[key], int):
            raise ValueError(f"has {key} {cut(repr(value[key]))}, which is no whole number")
    return {"start": value["start"], "end": value["end"], "label": label_name(value[label], None)}


def number_of(value: Any) -> float:
    """A number, also one that a csv file holds as text.

    Raises:
        ValueError: it is none, or not finite.
    """
    if isinstance(value, bool) or not is_kind(value, "number"):
        comma = isinstance(value, str) and is_number(value.replace(".", "").replace(",", "."))
        advice = "; write a point before fractions, and none between thousands" if comma else ""
        raise ValueError(f"is {cut(repr(value))}, not a number{advice}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"is {cut(str(value))}, which is no finite number")
    return number


def as_items(value: Any) -> list[Any]:
    """A value as a list: of its own items, or of itself alone."""
    return value if isinstance(value, list) else [value]


def answers_of(value: Any) -> dict[str, list[Any]]:
    """Answers as their texts, and where each starts in its context, None where nothing says so.

    They may be given as one object of lists, as one object for each answer, or as texts alone. An empty list,
    and an empty text, is no answer.

    Raises:
        ValueError: they are written in none of these ways, or one of them says nothing.
    """
    if not is_kind(value, "answers"):
        raise ValueError(f"is {cut(repr(value))}, not {DESCRIPTIONS['answers']}")
    found: dict[str, list[Any]] = {"text": [], "answer_start": []}
    for item in as_items(value) if value != "" else []:
        texts, starts = (item["text"], item.get("answer_start")) if isinstance(item, dict) else (item, None)
        texts = as_items(texts)
        starts = [None] * len(texts) if starts is None else as_items(starts)
        if len(texts) != len(starts):
            raise ValueError(f"has {len(texts)} in text but {len(starts)} in answer_start")
        found["text"] += texts
        found["answer_start"] += starts
    for number, (text, start) in enumerate(zip(found["text"], found["answer_start"], strict=True)):
        if not isinstance(text, str):
            raise ValueError(f"text {number} is {cut(repr(text))}, not a text")
        if not (start is None or (is_kind(start, "number") and number_of(start).is_integer())):
            raise ValueError(f"answer_start {number} is {cut(repr(start))}, not a whole number")
        try:
            whole(text)
        except ValueError as error:
            raise ValueError(f"text {number} {error}") from None
    starts = [None if start is None else int(float(start)) for start in found["answer_start"]]
    return {"text": found["text"], "answer_start": starts}


def is_number(text: str) -> bool:
    """Whether a text is a number in Python's spelling."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def label_name(value: Any, names: list[str] | None) -> str:
    """A label as a name: integers of a named set by their name, other values by how they are written.

    Raises:
        ValueError: it is no label.
    """
    if names is not None and isinstance(value, int):
        if not 0 <= value < len(names):
            raise ValueError(
                f"is {value}, outside the {len(names)} labels (-1 often stands for a hidden label)"
            )
        return names[value]
    if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()):
        return str(value).lower() if isinstance(value, bool) else str(int(value))
    if not isinstance(value, str | int):
        raise ValueError(f"is {cut(repr(value))}, which is no label")
    return sys.intern(whole(str(value)).strip())  # once, however many rows have it
