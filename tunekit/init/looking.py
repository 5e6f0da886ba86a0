"""A sample of training rows, as tasks judge it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tunekit.data.files import Table
from tunekit.data.values import DESCRIPTIONS, is_kind, label_name
from tunekit.errors import InputError, listing, nearest
from tunekit.tasks._guess import Column, Seen

MOST_ROWS = 5000  # that are looked at, evenly over all
MOST_PICTURES = 50  # of a column that is read from the disk, value by value


def look(tables: Sequence[Table], given: Mapping[str, str]) -> Seen:
    """What tables of one split look like, where the user says of some columns what they are.

    Raises:
        InputError: a column that is named does not exist, or what is in it cannot be told from a header.
    """
    names = list(dict.fromkeys(name for table in tables for name in table.columns))
    for role, name in given.items():
        if name not in names:
            raise InputError(
                f"--column {role}={name}: {tables[0].source} has no such column{nearest(name, names)}; "
                f"its columns are {listing(names)}"
            )
    columns = [column_of(name, tables) for name in names]
    filled = [column for column in columns if column.values]
    if missing := [name for name in given.values() if name not in {column.name for column in filled}]:
        raise InputError(f"column {missing[0]!r} of {tables[0].source} is empty; name another one")
    refuse_no_header(filled, tables[0])
    return Seen(filled, max((len(column.sample) for column in filled), default=0), given)


def column_of(name: str, tables: Sequence[Table]) -> Column:
    """A column of several tables, by a sample."""
    sample = list(sampled(name, tables))
    column = Column(name, frozenset(), sample)
    kinds = frozenset(kind for kind in DESCRIPTIONS if all(is_kind(value, kind) for value in column.values))
    return Column(name, kinds, sample)


def sampled(name: str, tables: Sequence[Table]) -> Iterator[Any]:
    """Values of a column, evenly over the rows, with class labels by their names."""
    total = sum(map(len, tables))
    for table in tables:
        column = table.columns.get(name, [None] * len(table))
        most = MOST_ROWS if isinstance(column, list) else MOST_PICTURES
        every = max(1, -(-total // most))
        names = table.class_names.get(name)
        for number in range(0, len(table), every):
            yield column[number] if names is None else named(column[number], names)


def named(value: Any, names: list[str]) -> Any:
    """A class label, or a list of them, by name; None where it is hidden."""
    if isinstance(value, list):
        return [named(item, names) for item in value]
    try:
        return None if value is None else label_name(value, names)
    except ValueError:
        return None


def refuse_no_header(columns: Sequence[Column], table: Table) -> None:
    """Refuse a file whose first line is a row like the others: its names are values of its own columns.

    Raises:
        InputError: it is.
    """
    if table.lines is None or table.lines[:1] == [1]:  # formats without a header line
        return
    for column in columns:
        if column.repeats and column.name in column.values:
            raise InputError(
                f"{table.source} seems to have no header line: {column.name!r} is the name of a column and "
                "one of its values; write names such as text,label into a first line"
            )
