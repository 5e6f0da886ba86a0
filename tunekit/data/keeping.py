"""Values that are costly to read: read once, by several threads, before training starts.

So what is broken is known in seconds and not after hours, and an epoch reads nothing twice.
"""

import os
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunekit.console import out
from tunekit.data.images import read_image
from tunekit.data.values import Unread
from tunekit.errors import EnvironmentFailure
from tunekit.tasks.base import Role, Task

READERS = {"image": read_image}  # by the kinds whose values are costly
MEMORY = 1 << 30  # bytes that are kept in memory; more than that goes to a file
BLOCK = 1 << 28  # bytes of a file
CHUNK = 256  # values that are read together

Array = NDArray[Any]


class Shelf:
    """Arrays: in memory while they are small together, else in files that no one sees and nothing leaves."""

    def __init__(self, memory: int = MEMORY, block: int = BLOCK) -> None:
        self.left, self.size = memory, block  # bytes, in memory and of a file
        self.block: Array = np.zeros(0, np.uint8)  # the file that is being filled
        self.used = 0  # bytes of it

    def put(self, array: Array) -> Array:
        """The array, or the same numbers on disk.

        Raises:
            EnvironmentFailure: the disk is full.
        """
        self.left -= array.nbytes
        if self.left >= 0:
            return array
        if self.used + array.nbytes > len(self.block):
            self.block, self.used = new_block(max(self.size, array.nbytes)), 0
        place = self.block[self.used : self.used + array.nbytes]
        self.used += -(-array.nbytes // 64) * 64  # each begins where any type may
        place[:] = np.frombuffer(array.tobytes(), np.uint8)
        return place.view(array.dtype).reshape(array.shape)


def new_block(size: int) -> Array:
    """So many bytes of a file without a name, reserved on the disk."""
    try:
        with tempfile.TemporaryFile() as file:
            file.truncate(size)
            if hasattr(os, "posix_fallocate"):  # a full disk shows here, and not as a crash later
                os.posix_fallocate(file.fileno(), 0, size)
            return np.asarray(np.memmap(file, np.uint8, "r+"))
    except OSError as error:
        raise EnvironmentFailure(
            f"{tempfile.gettempdir()} has no room for what is read ({error}); make room, or name "
            "another folder in the environment variable TMPDIR"
        ) from None


def keep_all(
    splits: Mapping[str, Sequence[dict[str, Any]]],
    kind: type[Task],
    processor: Any,
    roles: Mapping[str, Role],
) -> list[tuple[tuple[str, int], str]]:
    """Read the costly values of all splits into their rows; return what cannot be read, by split and row."""
    shelf, problems = Shelf(), []
    for split, rows in splits.items():
        for number, text in keep(rows, kind, processor, roles, shelf):
            problems.append(((split, number), f"{rows[number]['place']}: {text}"))
    return problems


def keep(
    rows: Sequence[dict[str, Any]],
    kind: type[Task],
    processor: Any,
    roles: Mapping[str, Role],
    shelf: Shelf | None = None,
) -> list[tuple[int, str]]:
    """Read the costly values of some rows into them; return the rows that cannot be read, and why."""
    costly = [role for role, spec in roles.items() if spec.kind in READERS]
    shelf, problems = shelf or Shelf(), list[tuple[int, str]]()
    if not costly:
        return []

    def kept(row: Mapping[str, Any]) -> dict[str, Any] | str:
        """The costly values of one row, in the form that the task keeps."""
        found = {}
        for role in costly:
            if isinstance(row.get(role), Unread):
                of = roles[role].kind
                try:
                    found[role] = kind.keep(processor, of, READERS[of](row[role].source()))
                except ValueError as error:
                    return f"{row[role]} {error}"
        return found

    with ThreadPoolExecutor(os.cpu_count()) as threads, out.live() as line:
        for start in range(0, len(rows), CHUNK):
            line.update(f"reading {len(rows):,} rows", start / len(rows))
            part = rows[start : start + CHUNK]
            for number, values in enumerate(threads.map(kept, part), start):
                if isinstance(values, str):
                    problems.append((number, values))
                else:
                    rows[number].update({role: shelf.put(array) for role, array in values.items()})
    return problems
