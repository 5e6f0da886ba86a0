"""The kinds of values that roles hold: what is one, how it is put into form, and what is wrong with it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tunekit.data.files import Table
from tunekit.data.images import is_image, plain, source_of
from tunekit.errors import cut
from tunekit.tasks.base import Role

DESCRIPTIONS = {
    "text": "a text",
    "texts": "a list of texts",
    "number": "a number",
    "words": "a list of words",
    "label": "a label",
    "labels": "a list with one label for each word",
    "image": "a picture (its bytes, or the path of a .png, .jpg ...)",
}
LISTS_OF = {
    "texts": "text",
    "words": "text",
    "labels": "label",
}  # kinds whose values are lists, by the items'


def is_kind(value: Any, kind: str) -> bool:
    """Whether one value is of a role's kind."""
    if kind in LISTS_OF:
        return isinstance(value, list) and all(is_kind(item, LISTS_OF[kind]) for item in value)
    if kind == "number":
        return isinstance(value, int | float) or (isinstance(value, str) and is_number(value))
    if kind == "text":
        return isinstance(value, str)
    if kind == "image":
        return is_image(value)
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
        values, problems = {}, []
        for role, spec in self.roles.items():
            if role not in self.columns:
                continue
            column = self.columns[role]
            value = self.table.columns[column][number]
            try:
                values[role] = self.value(value, spec.kind, self.table.class_names.get(column))
            except ValueError as error:
                problems.append(f"{column} {error}")
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
        if kind in LISTS_OF:
            if not isinstance(value, list) or not value:
                shown = "an empty list" if value == [] else cut(repr(value))
                raise ValueError(f"is {shown}, not {DESCRIPTIONS[kind]}")
            return [self.item(i, item, kind, names) for i, item in enumerate(value)]
        if kind == "text":
            if not isinstance(value, str):
                raise ValueError(f"is {cut(repr(value))}, not a text")
            return whole(value)
        if kind == "number":
            return number_of(value)
        if kind == "image":
            return source_of(value, self.table.folder)
        return label_name(value, names)

    def item(self, number: int, item: Any, kind: str, names: list[str] | None) -> Any:
        """One value of a list; what is wrong with it says which."""
        try:
            return self.value(item, LISTS_OF[kind], names)
        except ValueError as error:
            raise ValueError(f"item {number} {error}") from None


def whole(text: str) -> str:
    """A text that says something.

    Raises:
        ValueError: it is blank, or holds half a character, as a cut `\\ud83d\\ude00` of JSON does.
    """
    if not text.strip():
        raise ValueError("is empty")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"holds half a character (at {error.start}), which no tokenizer takes") from None
    return text


def number_of(value: Any) -> float:
    """A number, also one that a csv file holds as text.

    Raises:
        ValueError: it is none, or not finite.
    """
    if isinstance(value, bool) or not is_kind(value, "number"):
        raise ValueError(f"is {cut(repr(value))}, not a number")
    if not math.isfinite(float(value)):
        raise ValueError(f"is {value}, which is not finite")
    return float(value)


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
    return whole(str(value)).strip()
