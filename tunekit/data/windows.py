"""A split as windows: every example encoded once, with what batching needs to know about each window."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tunekit.data.flat import Growing, Index, Windows
from tunekit.data.load import Rows, given_only
from tunekit.errors import InputError
from tunekit.tasks.base import Task


@dataclass(frozen=True)
class Encoded:
    """All windows of a split. Window `w` was cut from row `row[w]`; row `r` has `first[r]:first[r + 1]`."""

    windows: Windows
    row: Index  # (windows,)
    first: Index  # (rows + 1,)
    lengths: Index  # (windows,) tokens
    counts: Index  # (windows,) targets; 0 where the rows have none
    places: Sequence[object]  # where each row came from, for messages
    cut: int  # rows of which a part is in no window
    lost: int  # rows whose answer no window can teach, or not all of it

    @classmethod
    def of(cls, windows: Windows, first: Index, counts: Index, rows: Rows, cut: int, lost: int) -> "Encoded":
        """The windows of rows, with what follows from them."""
        row = np.repeat(np.arange(len(rows)), np.diff(first))
        places = [row.get("place", row.get("id")) for row in rows]
        return cls(windows, row, first, windows.tokens(), counts, places, cut, lost)

    def facts(self) -> dict[str, int]:
        """Sizes, for the run's record."""
        return {
            "windows": len(self.windows),
            "truncated_rows": self.cut,
            "rows_without_their_answer": self.lost,
            "tokens": int(self.lengths.sum()),
        }


def encode(task: Task, rows: Rows, *, targets: bool) -> Encoded:
    """Cut every row into windows, with its targets for training.

    What windows note for `decode` is kept only without targets.

    Raises:
        InputError: with targets, no window of any row has one.
    """
    growing = Growing(notes=None if targets else [])
    first, counts, cut, lost = array("q", [0]), array("q"), 0, 0
    for row, given in zip(rows, given_only(rows, type(task)), strict=True):
        of_row = task.taught(row, given) if targets else list(task.encode(given))
        for window in of_row:
            counts.append(task.count(window.inputs) if targets else 0)
            growing.add(window)
        first.append(len(growing))
        cut += any(window.cut for window in of_row)
        lost += all(window.lost for window in of_row)
    if targets and not any(counts):
        raise InputError("no training row has anything left to learn after truncation; raise task.max_length")
    begins, targeted = np.array(first, np.int64), np.array(counts, np.int64)
    return Encoded.of(growing.windows(), begins, targeted, rows, cut, lost)


@dataclass(frozen=True)
class Reading:
    """What an evaluation reads: the rows that are answered, and how likely the right answers are."""

    asked: Rows  # as many of the first rows as are answered
    encoded: Encoded
    judged: Encoded | None  # the windows of all rows with their targets, where a task is judged by them too

    @property
    def whole(self) -> Encoded:
        """Windows of every row."""
        return self.judged or self.encoded

    @classmethod
    def of(cls, task: Task, rows: Rows) -> "Reading":
        """Rows, encoded."""
        asked = task.asked(rows)
        judged = encode(task.judge, rows, targets=False) if task.judge else None
        return cls(asked, encode(task, asked, targets=False), judged)
