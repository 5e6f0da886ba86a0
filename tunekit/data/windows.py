"""A split as windows: every example encoded once, with what batching needs to know about each window."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tunekit.data.load import Rows, given_only
from tunekit.errors import InputError
from tunekit.tasks.base import Task, Window


@dataclass(frozen=True)
class Encoded:
    """All windows of a split. Window `w` was cut from row `row[w]`; row `r` has `first[r]:first[r + 1]`."""

    windows: Sequence[Window]
    row: NDArray[np.int64]  # (windows,)
    first: NDArray[np.int64]  # (rows + 1,)
    lengths: NDArray[np.int64]  # (windows,) tokens
    counts: NDArray[np.int64]  # (windows,) targets; 0 where the rows have none
    places: Sequence[str]  # where each row came from, for messages
    cut: int  # rows of which a part is in no window
    lost: int  # rows whose answer no window can teach, or not all of it

    def of_rows(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The windows of some rows that have anything to learn from."""
        windows = np.concatenate([np.arange(self.first[row], self.first[row + 1]) for row in rows])
        return np.asarray(windows[self.counts[windows] > 0])

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

    Raises:
        InputError: with targets, no window of any row has one.
    """
    windows, row_of, first, counts, cut, lost = list[Window](), list[int](), [0], list[int](), 0, 0
    for number, (row, given) in enumerate(zip(rows, given_only(rows, type(task)), strict=True)):
        of_row = list(task.encode(given))
        for window in of_row:
            if targets:
                window.inputs |= task.target(row, window)
            counts.append(task.count(window.inputs) if targets else 0)
            window.inputs = {key: compact(value) for key, value in window.inputs.items()}
        windows += of_row
        row_of += [number] * len(of_row)
        first.append(len(windows))
        cut += any(window.cut for window in of_row)
        lost += all(window.lost for window in of_row)
    if targets and not any(counts):
        raise InputError("no training row has anything left to learn after truncation; raise task.max_length")
    lengths = [max(map(length, window.inputs.values())) for window in windows]
    places = [str(row.get("place", row.get("id"))) for row in rows]
    numbers = [np.array(each, np.int64) for each in (row_of, first, lengths, counts)]
    return Encoded(windows, numbers[0], numbers[1], numbers[2], numbers[3], places, cut, lost)


def length(array: NDArray[np.generic]) -> int:
    """How many tokens an input is worth: a list its elements, and an image its patches of 16 x 16 pixels."""
    return array.size if array.ndim < 3 else max(1, array.shape[-1] * array.shape[-2] // 256)


def compact(value: object) -> NDArray[np.generic]:
    """A window's input as an array that takes little memory."""
    array = np.asarray(value)
    return array.astype(np.int32) if array.dtype == np.int64 else array
