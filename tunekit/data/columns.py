"""Which column plays which role, and the rows in the form that tasks expect: names, never indices."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from tunekit.data.files import Table
from tunekit.errors import InputError, cut, listing, nearest
from tunekit.tasks.base import Role, Task

ID_COLUMNS = ("id", "idx", "guid", "uid")
NUMBERINGS = (*ID_COLUMNS, "", "index", "unnamed: 0")  # never taken for anything else
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
    given = given or {}
    found, problems = dict[str, str](), list[str]()
    for role, column in given.items():
        if role == "id" and column in table.columns and not holds_ids(table, column):
            problems.append(
                f"data.columns.id {column!r} does not tell every row of {table.source} from the others "
                "by a text or a whole number; name another column, or leave it out to number the rows"
            )
        elif column in table.columns:
            found[role] = column
        elif role in roles or role == "id":
            problems.append(
                no_column(f"data.columns.{role} {column!r} is no column of {table.source}", column, table)
            )
    wanted = {role: spec for role, spec in roles.items() if role not in given}
    for role, spec in wanted.items():
        called = by_name(table, spec, found.values())
        if called is not None:
            found[role] = called
    for role, spec in wanted.items():
        chosen = found.get(role) or by_kind(table, spec, found.values())
        if chosen is None:
            problems.append(nothing_for(role, spec, table, found.values()))
        else:
            found[role] = chosen
    for role in given.keys() & found.keys() & roles.keys():
        if not fits(table, found[role], roles[role], any):
            problems.append(wrong_kind(role, roles[role], table, found[role]))
    if problems:
        raise InputError(problems)
    return found | id_column(table, found)


def nothing_for(role: str, spec: Role, table: Table, taken: Iterable[str]) -> str:
    """Say that no column is what a role needs; the one that is called so may hold something else."""
    column = next((c for c in named(table, spec) if c not in taken), None)
    if column is not None:
        return wrong_kind(role, spec, table, column)
    start = f"{table.source} has no column for {role}, which is {DESCRIPTIONS[spec.kind]}"
    return no_column(start, spec.column, table, f"name it with data.columns.{role}=COLUMN")


def wrong_kind(role: str, spec: Role, table: Table, column: str) -> str:
    """Say that a column does not hold what its role needs, with its first value."""
    values = enumerate(table.columns[column])
    row, value = next((row, value) for row, value in values if value is not None)
    return (
        f"column {column!r} holds {cut(repr(value))} ({table.place(row)}), not {DESCRIPTIONS[spec.kind]}; "
        f"name another with data.columns.{role}=COLUMN, or correct its values"
    )


def no_column(start: str, column: str, table: Table, advice: str = "correct the name") -> str:
    """Finish a sentence about a missing column: what there is, what is near, and what to do."""
    only = next(iter(table.columns)) if len(table.columns) == 1 else ""
    separator = next((sign for sign in (";", "\t", "|", ",") if sign in only), None)
    if separator:
        return f"{start}; its only column is {only!r}: set data.separator={separator!r}"
    return f"{start}{nearest(column, table.columns)}; its columns are {listing(table.columns)}; {advice}"


def by_name(table: Table, spec: Role, taken: Iterable[str]) -> str | None:
    """The column with one of a role's usual names, if any of its values is of the right kind."""
    able = (column for column in named(table, spec) if column not in taken and fits(table, column, spec, any))
    return next(able, None)


def named(table: Table, spec: Role) -> list[str]:
    """The columns with one of a role's usual names, the most usual first."""
    spelled = {column.strip().lower(): column for column in reversed(table.columns)}
    return [spelled[name] for name in (spec.column, *spec.synonyms) if name in spelled]


def by_kind(table: Table, spec: Role, taken: Iterable[str]) -> str | None:
    """The only column left whose values are all of the right kind; labels must also repeat."""
    left = [c for c in table.columns if c not in taken and c.strip().lower() not in NUMBERINGS]
    fitting = [column for column in left if fits(table, column, spec, all)]
    if spec.kind == "label":
        fitting = [column for column in fitting if not unique(table.columns[column])]
    return fitting[0] if len(fitting) == 1 else None


def fits(table: Table, column: str, spec: Role, how_many: Callable[[Iterable[bool]], bool]) -> bool:
    """Whether `any` or `all` of a column's first values are of the role's kind; only nulls fit any kind."""
    values = [value for value in table.columns[column][:SAMPLE] if value is not None]
    return not values or how_many(is_kind(value, spec.kind) for value in values)


def is_kind(value: Any, kind: str) -> bool:
    """Whether one value is of a role's kind."""
    if kind in ("words", "labels"):
        inner = "text" if kind == "words" else "label"
        return isinstance(value, list) and all(is_kind(item, inner) for item in value)
    if kind == "text":
        return isinstance(value, str)
    return isinstance(value, str | int) or (isinstance(value, float) and value.is_integer())


def id_column(table: Table, found: Columns) -> Columns:
    """The column of row ids, where one with a usual name holds a different value in every row."""
    if "id" in found:
        return {}
    spelled = {column.strip().lower(): column for column in table.columns}
    names = (spelled[name] for name in ID_COLUMNS if name in spelled)
    able = (column for column in names if column not in found.values() and holds_ids(table, column))
    column = next(able, None)
    return {} if column is None else {"id": column}


def holds_ids(table: Table, column: str) -> bool:
    """Whether a column tells every row from the others."""
    return column in table.columns and unique(table.columns[column])


def unique(values: list[Any]) -> bool:
    """Whether every value is there, plain, and different from the others."""
    return all(isinstance(v, str | int) and v != "" for v in values) and len(set(values)) == len(values)


DESCRIPTIONS = {
    "text": "a text",
    "words": "a list of words",
    "label": "a label",
    "labels": "a list with one label for each word",
}
TYPE_NAMES = {str: "text", bool: "true or false", int: "a number", float: "a number", dict: "an object"}


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
                shown = "an empty list" if value == [] else cut(repr(value))
                raise ValueError(f"is {shown}, not {DESCRIPTIONS[kind]}")
            return [self.item(i, item, kind, names) for i, item in enumerate(value)]
        if kind == "text":
            if not isinstance(value, str):
                raise ValueError(f"is {cut(repr(value))}, not a text")
            return whole(value)
        return label_name(value, names)

    def item(self, number: int, item: Any, kind: str, names: list[str] | None) -> Any:
        """One value of a list; what is wrong with it says which."""
        try:
            return self.value(item, "text" if kind == "words" else "label", names)
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


def mixed_types(table: Table, column: str) -> Iterator[str]:
    """Say that a label column holds numbers beside words, or the like, with the first row of each."""
    first: dict[str, int] = {}
    for number, value in enumerate(table.columns[column]):
        for item in value if isinstance(value, list) else [value]:
            if item is not None:
                first.setdefault(TYPE_NAMES.get(type(item), "something else"), number)
    if len(first) > 1:
        places = " and ".join(f"{name} at {table.place(row)}" for name, row in first.items())
        yield f"column {column!r} mixes types: {places}; write all labels the same way"
