"""Columns of objects that hold texts by name, such as `{"en": ..., "de": ...}`: a column for each name."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tunekit.data.files import Table

SAMPLE = 200  # rows that a column is judged by
OTHERS = {"text", "bytes", "path"}  # names in objects that are a whole: an answer, or a picture


def opened(table: Table) -> Table:
    """A table in which columns of named texts have become a column for each name: `translation.en`."""
    columns: dict[str, Sequence[Any]] = {}
    for column, values in table.columns.items():
        names = names_in(values[:SAMPLE]) if isinstance(values, list) else []
        inner: dict[str, Sequence[Any]] = {
            f"{column}.{name}": [value and value.get(name) for value in values] for name in names
        }
        columns |= inner or {column: values}
    return table if columns.keys() == table.columns.keys() else replace(table, columns=columns)


def names_in(values: Sequence[Any]) -> list[str]:
    """The names under which all values hold texts; none where some value is anything else."""
    objects = [value for value in values if value is not None]
    if not all(isinstance(value, dict) and holds_texts(value) for value in objects):
        return []
    return list(dict.fromkeys(name for value in objects for name in value))


def holds_texts(value: dict[str, Any]) -> bool:
    """Whether an object holds several texts and nothing else."""
    texts = all(text is None or isinstance(text, str) for text in value.values())
    return len(value) > 1 and texts and not OTHERS & value.keys()
