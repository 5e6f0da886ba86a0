"""What else a row's score is recorded with: how much was read of it, and what other rows it depends on."""

from typing import Any

from tunekit.data.drawing import Rows
from tunekit.data.windows import Encoded
from tunekit.tasks.base import Example, Task


def traits(task: Task, row: Example, encoded: Encoded, number: int) -> dict[str, Any]:
    """The tokens of a row, whether a part of it was cut off, and its unit where it has one."""
    windows = slice(encoded.first[number], encoded.first[number + 1])
    found: dict[str, Any] = {"tokens": int(encoded.lengths[windows].sum())}
    if encoded.windows.cut[windows].any():
        found["truncated"] = True
    unit = task.unit(row)
    return found if unit is None else {**found, "unit": unit}


def units(task: Task, rows: Rows) -> list[Any]:
    """What is drawn anew for intervals: rows, or what several rows share."""
    return [number if (unit := task.unit(row)) is None else unit for number, row in enumerate(rows)]
