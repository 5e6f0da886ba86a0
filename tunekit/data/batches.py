"""Batches: which rows make a step, how a step is divided, and windows as one tensor each.

A step is defined by its rows alone. How many processes share it and into how many forwards it is cut changes
neither the plan nor the sum of the gradients.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunekit.data.flat import Windows
from tunekit.data.windows import Encoded
from tunekit.data.workers import prepared_ahead
from tunekit.errors import listing
from tunekit.tasks.base import IGNORE, Task, Window

Index = NDArray[np.int64]
Key = tuple[int, int, int]  # what a window's random changes depend on: seed, epoch, and its number
MOST_ROWS_NAMED = 8  # of a step that went wrong


def plan(rows: int, seed: int, epoch: int, batch_size: int) -> list[Index]:
    """The row numbers of every step of an epoch: a pure function, whatever the devices or restarts."""
    order = np.random.default_rng([seed, epoch]).permutation(rows)
    return [order[start : start + batch_size] for start in range(0, rows, batch_size)]


def share(lengths: Index, processes: int, process: int) -> Index:
    """The positions of the windows that one process takes: dealt by length, back and forth."""
    order = np.argsort(-lengths, kind="stable")
    turn = np.arange(len(order)) % (2 * processes)
    dealt_to = np.where(turn < processes, turn, 2 * processes - 1 - turn)
    return np.asarray(order[dealt_to == process])


def cut_by_tokens(lengths: Index, budget: int, overhead: int) -> list[Index]:
    """Cut windows into groups of similar length with the least work: padded tokens, plus a price per group.

    No group has more than `budget` padded tokens, unless a single window has. Positions are into `lengths`.
    """
    order = np.argsort(-lengths, kind="stable")
    sizes = lengths[order]
    best = np.zeros(len(order) + 1, np.int64)  # work of the first i windows
    start = np.zeros(len(order) + 1, np.int64)  # where the last group of that begins
    for end in range(1, len(order) + 1):
        begins = np.arange(end)
        padded = sizes[:end] * (end - begins)  # the first window of a group is its longest
        work = np.where(
            (padded <= budget) | (begins == end - 1), best[:end] + padded + overhead, np.iinfo(np.int64).max
        )
        start[end] = int(work.argmin())
        best[end] = work[start[end]]
    groups, end = [], len(order)
    while end:
        groups.append(order[start[end] : end])
        end = int(start[end])
    return groups[::-1]  # the longest first: what does not fit fails early


def cut_by_count(lengths: Index, most: int) -> list[Index]:
    """Cut windows into groups of at most `most`, of similar length."""
    order = np.argsort(-lengths, kind="stable")
    return [order[start : start + most] for start in range(0, len(order), most)]


def collate(windows: Sequence[Window], pad_token: int, *, left: bool = False) -> dict[str, Any]:
    """The inputs of several windows as tensors: lists padded on the right (or left), others stacked."""
    import torch

    flat = windows if isinstance(windows, Windows) else Windows.of(windows)
    batch = flat.batch({"input_ids": pad_token, "labels": IGNORE}, left=left)
    return {
        key: torch.from_numpy(array.astype(np.int64) if array.dtype == np.int32 else array)
        for key, array in batch.items()
    }


def pad_token_of(processor: Any) -> int:
    """The token that fills up a batch; never seen by the model, which masks it."""
    return int(getattr(processor, "pad_token_id", None) or 0)


@dataclass
class Micro:
    """The windows of one forward."""

    windows: Index
    inputs: Mapping[str, Any]  # tensors
    count: int  # targets
    keys: list[Key] | None = None  # of the windows, where their random changes are still to be made


@dataclass(frozen=True)
class Whole:
    """All windows of a step, of all processes, row after row."""

    windows: Index
    inputs: Mapping[str, Any]  # those that are one number a window, as tensors


@dataclass
class Step:
    """What one process does in one optimizer step."""

    number: int  # steps done before this one
    rows: Index  # of all processes
    micros: list[Micro]
    total: int  # targets over all processes
    whole: Whole | None = None  # where the task holds a step's rows against each other


class Steps:
    """The steps of a run for one process, each made from its number alone."""

    def __init__(
        self,
        task: Task,
        encoded: Encoded,
        *,
        seed: int,
        batch_size: int,
        processes: int = 1,
        process: int = 0,
    ) -> None:
        self.task, self.encoded, self.seed, self.batch_size = task, encoded, seed, batch_size
        self.processes, self.process = processes, process
        self.bounds = task.counted(encoded.lengths, encoded.first)  # of what `batch_size` counts, in windows
        self.rows = len(self.bounds) - 1
        self.per_epoch = -(-self.rows // batch_size)
        self.most: int | None = None  # windows per forward; by default as `budget` allows
        self.budget, self.overhead = 8192, 384  # tokens
        self.shrunk = False  # whether memory has run out
        self.augments = True  # else whoever has the inputs on a device makes their random changes there
        self.planned: tuple[int, list[Index]] = (-1, [])

    def __getitem__(self, number: int) -> Step:
        epoch, rows, windows = number // self.per_epoch, self.rows_of(number), self.windows_of(number)
        mine = windows[share(self.encoded.lengths[windows], self.processes, self.process)]
        total = int(self.encoded.counts[windows].sum())
        return Step(number, rows, self.divide(mine, epoch), total, self.whole(windows))

    def whole(self, windows: Index) -> Whole | None:
        """All windows of a step, where the task needs to know of them."""
        if not self.task.couples:
            return None
        ordered = np.sort(windows)
        return Whole(ordered, collate(self.encoded.windows.take(ordered).singles(), 0))

    def position(self, number: int) -> dict[str, int]:
        """Where in the plan the step after `number` steps is, and what the plan follows from."""
        epoch, batch = divmod(number, self.per_epoch)
        return {
            "epoch": epoch,
            "batch": batch,
            "rows": self.rows,
            "batch_size": self.batch_size,
            "seed": self.seed,
        }

    def divide(self, windows: Index, epoch: int) -> list[Micro]:
        """Cut windows into forwards."""
        if not len(windows):  # more processes than windows: every process must make a forward
            return [self.stand_in(epoch)]
        lengths = self.encoded.lengths[windows]
        groups = (
            cut_by_count(lengths, self.most)
            if self.most
            else cut_by_tokens(lengths, self.budget, self.overhead)
        )
        return [
            self.micro(windows[group], epoch, int(self.encoded.counts[windows[group]].sum()))
            for group in groups
        ]

    def idle(self, number: int) -> Micro:
        """A small forward that counts for nothing, for a step in which others make more."""
        return self.stand_in(number // self.per_epoch)

    def stand_in(self, epoch: int) -> Micro:
        """A forward whose loss does not count."""
        return self.micro(self.shortest, epoch, 0)

    @cached_property
    def shortest(self) -> Index:
        """The shortest window that has anything to learn."""
        taught = np.flatnonzero(self.encoded.counts)
        return taught[[self.encoded.lengths[taught].argmin()]]

    def micro(self, windows: Index, epoch: int, count: int) -> Micro:
        """The windows of a forward with their inputs, changed at random here or later."""
        keys = [(self.seed, epoch, int(window)) for window in windows]
        inputs = self.collate(windows)
        if self.augments:
            return Micro(windows, self.task.augment(inputs, keys), count)
        return Micro(windows, inputs, count, keys)

    def collate(self, windows: Index) -> Mapping[str, Any]:
        """The inputs of some windows as tensors."""
        return collate(self.encoded.windows.take(windows), pad_token_of(self.task.processor))

    def shrink(self, micros: Sequence[Micro]) -> bool:
        """Halve what a forward may hold, given those that did not fit; False when each holds one window."""
        widest, self.shrunk = max(len(micro.windows) for micro in micros), True
        if self.most:
            self.most = max(1, min(self.most, widest) // 2)
        longest = [int(self.encoded.lengths[micro.windows].max()) * len(micro.windows) for micro in micros]
        self.budget = max(longest) // 2
        return widest > 1

    def between(self, start: int, stop: int, workers: int) -> Iterator[Step]:
        """The steps from `start` to before `stop`, prepared ahead by `workers` processes.

        Raises:
            EnvironmentFailure: a worker has died or no longer answers; all of them are gone then.
        """
        if workers == 0:
            yield from (self[number] for number in range(start, stop))
        elif start < stop:
            yield from prepared_ahead(self, range(start, stop), workers, self.describe)

    def rows_of(self, number: int) -> Index:
        """The rows of a step, of all processes."""
        if self.bounds is self.encoded.first:
            return self.planned_at(number)
        return np.unique(self.encoded.row[self.windows_of(number)])

    def windows_of(self, number: int) -> Index:
        """The windows of a step that have anything to learn from, of all processes."""
        parts = [np.arange(self.bounds[at], self.bounds[at + 1]) for at in self.planned_at(number)]
        windows = np.concatenate(parts)
        return np.asarray(windows[self.encoded.counts[windows] > 0])

    def planned_at(self, number: int) -> Index:
        """What the plan has for a step, by number."""
        epoch, position = divmod(number, self.per_epoch)
        if self.planned[0] != epoch:
            self.planned = epoch, plan(self.rows, self.seed, epoch, self.batch_size)
        return self.planned[1][position]

    def describe(self, number: int) -> str:
        """Which step was prepared, and of which rows."""
        return f"step {number + 1} was prepared, of rows {listing(self.places(number), MOST_ROWS_NAMED)}"

    def places(self, number: int) -> list[str]:
        """Where the rows of a step are: `train.jsonl:7`."""
        rows = sorted(self.rows_of(number).tolist())
        return [str(self.encoded.places[row]).rsplit("/", 1)[-1] for row in rows]


def pack(lengths: Index, budget: int) -> list[Index]:
    """Cut many windows into batches of similar length with up to `budget` padded tokens, longest first."""
    order = np.argsort(-lengths, kind="stable")
    batches, start = [], 0
    while start < len(order):
        size = max(1, budget // max(1, int(lengths[order[start]])))
        batches.append(order[start : start + size])
        start += size
    return batches
