"""Which column plays which role, and the rows in the form that tasks expect: names, never indices."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tunekit.data.files import Table
from tunekit.errors import InputError, listing, nearest
from tunekit.tasks.base import Role, Task

ID_COLUMNS = ("id", "idx", "guid", "uid")
SAMPLE = 200  # rows that a column's kind is judged by

Columns = dict[str, str]  # role -> column


def roles_of(kind: type[Task], *, targets: bool) -> dict[str, Role]:
    """The roles of a task: what is given, and with `targets` what is asked."""
    return {**kind.inputs, **(kind.targets if targets else {})}


def resolve(table: Table, roles: Mapping[str, Role], given: Mapping[str, str] | None) -> Columns:
    """Find each role's column: as the recipe says, else by name, else by type where only one fits.

    Raises:
        InputError: a column does not exist, or a role has none; lists the columns and the nearest name.
    """
    found, problems = dict[str, str](), list[str]()
    for role, column in (given or {}).items():
        if column in table.columns:
            found[role] = column
        elif role in roles:
            problems.append(
                no_column(f"data.columns.{role} {column!r} is no column of {table.source}", column, table)
            )
    wanted = {role: spec for role, spec in roles.items() if role not in found and role not in (given or {})}
    for role, spec in wanted.items():
        named = by_name(table, spec, found.values())
        if named is not None:
            found[role] = named
    for role, spec in wanted.items():
        chosen = found.get(role) or by_kind(table, spec, found.values())
        if chosen is None:
            start = f"{table.source} has no column for {role}, which is {DESCRIPTIONS[spec.kind]}"
            problems.append(no_column(start, spec.column, table, f"name it with data.columns.{role}=COLUMN"))
        else:
            found[role] = chosen
    if problems:
        raise InputError(problems)
    return found | id_column(table, found)


def no_column(start: str, column: str, table: Table, advice: str = "correct the name") -> str:
    """Finish a sentence about a missing column: what there is, what is near, and what to do."""
    only = next(iter(table.columns)) if len(table.columns) == 1 else ""
    separator = next((sign for sign in (";", "\t", "|", ",") if sign in only), None)
    if separator:
        return f"{start}; its only column is {only!r}: set data.separator={separator!r}"
    return f"{start}{nearest(column, table.columns)}; its columns are {listing(table.columns)}; {advice}"


def by_name(table: Table, spec: Role, taken: Iterable[str]) -> str | None:
    """The column with one of a role's usual names and the right kind of values."""
    spelled = {column.strip().lower(): column for column in reversed(table.columns)}
    for name in (spec.column, *spec.synonyms):
        column = spelled.get(name)
        if column is not None and column not in taken and fits(table, column, spec):
            return column
    return None


def by_kind(table: Table, spec: Role, taken: Iterable[str]) -> str | None:
    """The only column left with the right kind of values."""
    left = [c for c in table.columns if c not in taken and c.strip().lower() not in ID_COLUMNS]
    fitting = [column for column in left if fits(table, column, spec)]
    return fitting[0] if len(fitting) == 1 else None


def fits(table: Table, column: str, spec: Role) -> bool:
    """Whether a column's values, by its first rows, are of the role's kind; a column of nulls fits any."""
    values = [value for value in table.columns[column][:SAMPLE] if value is not None]
    return all(is_kind(value, spec.kind) for value in values)


def is_kind(value: Any, kind: str) -> bool:
    """Whether one value is of a role's kind."""
    if kind in ("words", "labels"):
        inner = "text" if kind == "words" else "label"
        return isinstance(value, list) and all(is_kind(item, inner) for item in value)
    return isinstance(value, str) if kind == "text" else isinstance(value, str | int)


def id_column(table: Table, found: Columns) -> Columns:
    """The column of row ids, where one with a usual name holds a different value in every row."""
    if "id" in found:
        return {}
    spelled = {column.strip().lower(): column for column in table.columns}
    for name in ID_COLUMNS:
        column = spelled.get(name)
        if column is not None and column not in found.values() and unique(table.columns[column]):
            return {"id": column}
    return {}


def unique(values: list[Any]) -> bool:
    """Whether every value is there, plain, and different from the others."""
    return all(isinstance(v, str | int) and v != "" for v in values) and len(set(values)) == len(values)


DESCRIPTIONS = {
    "text": "a text",
    "words": "a list of words",
    "label": "a label",
    "labels": "a list with one label for each word",
}


class Normalizer:
    """Turns the values of a role's column into what tasks expect, or says why a row cannot be used."""

    def __init__(self, table: Table, roles: Mapping[str, Role], columns: Columns) -> None:
        self.table, self.roles, self.columns = table, roles, columns

    def row(self, number: int) -> tuple[dict[str, Any], list[str]]:
        """A row keyed by role, and what is wrong with it."""
        values, problems = {}, []
        for role, spec in self.roles.items():
            column = self.columns[role]
            value = self.table.columns[column][number]
            try:
                values[role] = self.value(value, spec.kind, self.table.class_names.get(column))
            except ValueError as error:
                problems.append(f"{column} {error}")
        return values, problems

    def value(self, value: Any, kind: str, names: list[str] | None) -> Any:
        """One value of a kind.

        Raises:
            ValueError: it is not usable; the text says why.
        """
        if value is None:
            raise ValueError("is null")
        if kind in ("words", "labels"):
            if not isinstance(value, list) or not value:
                raise ValueError(
                    "is an empty list" if value == [] else f"is {value!r:.40}, not {DESCRIPTIONS[kind]}"
                )
            return [self.value(item, "text" if kind == "words" else "label", names) for item in value]
        if kind == "text":
            if not isinstance(value, str):
                raise ValueError(f"is {value!r:.40}, not a text")
            if not value.strip():
                raise ValueError("is empty")
            return value
        return label_name(value, names)


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
        raise ValueError(f"is {value!r:.40}, which is no label")
    if not str(value).strip():
        raise ValueError("is empty")
    return str(value).strip()


def mixed_types(table: Table, column: str) -> Iterator[str]:
    """Say that a label column holds both numbers and words, with the first row of each."""
    first: dict[bool, int] = {}
    for number, value in enumerate(table.columns[column]):
        for item in value if isinstance(value, list) else [value]:
            if item is not None:
                first.setdefault(isinstance(item, str), number)
    if len(first) == 2:
        places = " and ".join(
            f"{'text' if text else 'a number'} at {table.place(row)}" for text, row in first.items()
        )
        yield f"column {column!r} mixes types: {places}; write all labels the same way"
