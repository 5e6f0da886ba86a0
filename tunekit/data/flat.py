"""Many windows as a few arrays: each input of all of them end to end, and where every window's part begins.

A million small arrays cost ten times the memory of their numbers, and a process that reads them copies them:
Python counts who holds each. A window is built when it is asked for; a batch without building any.
"""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from tunekit.errors import InputError
from tunekit.tasks.base import Window

BLOCK = 1024  # windows whose inputs are joined at a time
PATCH = 16 * 16  # pixels of an image that are worth a token
SMALL = (np.int8, np.int16, np.int32)

Array = NDArray[Any]
Index = NDArray[np.int64]


@dataclass(frozen=True)
class Parts:
    """Where the numbers of some windows are, and which places of a padded batch they fill."""

    places: Index  # (numbers,)
    filled: NDArray[np.bool_]  # (windows, longest)

    @classmethod
    def of(cls, begins: Index, windows: Index, *, left: bool) -> "Parts":
        """The parts of windows, padded on the right, or left."""
        starts, sizes = begins[windows], begins[windows + 1] - begins[windows]
        longest, before = sizes.max(), np.cumsum(sizes) - sizes  # of each window in the batch
        columns, sizes_down = np.arange(longest), sizes[:, None]
        filled = columns >= longest - sizes_down if left else columns < sizes_down
        return cls(np.repeat(starts - before, sizes) + np.arange(sizes.sum()), filled)


@dataclass(frozen=True)
class Numbers:
    """An input that is one number a window."""

    values: Array  # (windows,)

    def __getitem__(self, window: int) -> Array:
        return np.asarray(self.values[window])

    def tokens(self) -> Index:
        return np.ones(len(self.values), np.int64)


@dataclass(frozen=True)
class Lists:
    """An input that is a list of numbers a window."""

    values: Array  # (numbers,), in the smallest type that holds them
    begins: Index  # (windows + 1,)
    dtype: np.dtype[Any]  # of the numbers in a window or batch

    def __getitem__(self, window: int) -> Array:
        return self.values[self.begins[window] : self.begins[window + 1]].astype(self.dtype)

    def tokens(self) -> Index:
        return np.diff(self.begins)

    def padded(self, parts: Parts, fill: int) -> Array:
        """A batch, shape (windows, longest)."""
        batch = np.full(parts.filled.shape, fill, self.dtype)
        batch[parts.filled] = self.values[parts.places]
        return batch


@dataclass(frozen=True)
class Arrays:
    """An input that is an array of several dimensions a window, such as a picture: each stays where it is."""

    items: Sequence[Array]

    def __getitem__(self, window: int) -> Array:
        return self.items[window]

    def tokens(self) -> Index:
        """Of texts their tokens, and of pictures their patches."""
        return np.array([self.worth(item) for item in self.items], np.int64)

    @staticmethod
    def worth(item: Array) -> int:
        """How many tokens an array is worth."""
        return item.size if item.ndim < 3 else max(1, item.shape[-1] * item.shape[-2] // PATCH)


Column = Numbers | Lists | Arrays


@dataclass(frozen=True, eq=False)
class Windows(Sequence[Window]):
    """Windows that share arrays; `chosen` are those of the arrays' windows that are in it, in order."""

    inputs: Mapping[str, Column]
    notes: Sequence[dict[str, Any]]  # by window of the arrays; empty where none has any
    cut: NDArray[np.bool_]
    lost: NDArray[np.bool_]
    chosen: Index | None = None  # all

    @classmethod
    def of(cls, windows: Sequence[Window]) -> "Windows":
        """Windows that there are already."""
        growing = Growing()
        for window in windows:
            growing.add(window)
        return growing.windows()

    def __len__(self) -> int:
        return len(self.cut) if self.chosen is None else len(self.chosen)

    @overload
    def __getitem__(self, at: int) -> Window: ...
    @overload
    def __getitem__(self, at: slice) -> "Windows": ...
    def __getitem__(self, at: int | slice) -> "Window | Windows":
        picked = range(len(self))[at]
        if isinstance(picked, range):
            return self.take(np.array(picked, np.int64))
        window = picked if self.chosen is None else int(self.chosen[picked])
        inputs = {key: column[window] for key, column in self.inputs.items()}
        notes = self.notes[window] if self.notes else {}
        return Window(inputs, notes, cut=bool(self.cut[window]), lost=bool(self.lost[window]))

    def __iter__(self) -> Iterator[Window]:
        return (self[number] for number in range(len(self)))

    @property
    def numbers(self) -> Index:
        """Which of the arrays' windows are in it."""
        return np.arange(len(self.cut)) if self.chosen is None else self.chosen

    def take(self, windows: Index) -> "Windows":
        """Some of the windows, by number; the arrays are shared."""
        chosen = windows if self.chosen is None else self.chosen[windows]
        return Windows(self.inputs, self.notes, self.cut, self.lost, chosen)

    def singles(self) -> "Windows":
        """The same windows with those inputs alone that are one number each."""
        inputs = {key: column for key, column in self.inputs.items() if isinstance(column, Numbers)}
        return Windows(inputs, [], self.cut, self.lost, self.chosen)

    def tokens(self) -> Index:
        """How many tokens each window is worth: as many as its longest input, (windows,)."""
        each = [column.tokens() for column in self.inputs.values()]
        return np.maximum.reduce(each)[self.numbers] if each else np.zeros(len(self), np.int64)

    def batch(self, fill: Mapping[str, int], *, left: bool = False) -> dict[str, Array]:
        """All windows as one array for each input: lists padded on the right (or left), others stacked."""
        found, windows = dict[str, Array](), self.numbers
        parts: dict[int, Parts] = {}  # inputs of the same sizes share one
        for key, column in self.inputs.items():
            if isinstance(column, Numbers):
                found[key] = column.values[windows]
            elif isinstance(column, Arrays):
                found[key] = stacked([column[window] for window in windows], fill.get(key, 0), left=left)
            else:
                of = id(column.begins)
                parts[of] = parts.get(of) or Parts.of(column.begins, windows, left=left)
                found[key] = column.padded(parts[of], fill.get(key, 0))
        return found


def stacked(arrays: Sequence[Array], fill: int, *, left: bool) -> Array:
    """Arrays as one; those of two dimensions are padded, shape (arrays, most, longest)."""
    if arrays[0].ndim != 2:
        return np.stack(arrays)
    shape = np.max([item.shape for item in arrays], axis=0)
    result = np.full((len(arrays), *shape), fill, arrays[0].dtype)
    for row, item in zip(result, arrays, strict=True):
        start = shape[1] - item.shape[1] if left else 0
        row[: item.shape[0], start : start + item.shape[1]] = item
    return result


@dataclass
class Growing:
    """Windows that are still being made."""

    inputs: dict[str, "Input"] = field(default_factory=dict)
    notes: list[dict[str, Any]] | None = field(default_factory=list)  # None where they are not kept
    cut: "array[int]" = field(default_factory=lambda: array("b"))
    lost: "array[int]" = field(default_factory=lambda: array("b"))

    def __len__(self) -> int:
        return len(self.cut)

    def add(self, window: Window) -> None:
        """One more window.

        Raises:
            InputError: its inputs are not those of the others.
        """
        if not self.cut:
            self.inputs = {key: Input(key, np.ndim(value)) for key, value in window.inputs.items()}
        if window.inputs.keys() != self.inputs.keys():
            odd = sorted(window.inputs.keys() ^ self.inputs.keys())[0]
            raise InputError(f"some windows have an input {odd!r} and others have not; encode all alike")
        for key, value in window.inputs.items():
            self.inputs[key].add(value)
        if self.notes is not None:
            self.notes.append(window.notes)
        self.cut.append(window.cut)
        self.lost.append(window.lost)

    def windows(self) -> Windows:
        """All windows that were added; nothing can be added then."""
        begins = list[Index]()
        columns = {key: self.inputs[key].column(begins) for key in list(self.inputs)}
        notes = self.notes if self.notes and any(self.notes) else []
        cut, lost = (np.array(each, np.bool_) for each in (self.cut, self.lost))
        return Windows(columns, notes, cut, lost)


class Input:
    """One input of the windows that are still being made."""

    def __init__(self, name: str, dimensions: int) -> None:
        self.name, self.dimensions = name, dimensions
        self.dtype: np.dtype[Any] | None = None
        self.pending: list[Array] = []  # not yet joined; of several dimensions all there are
        self.blocks: list[Array] = []
        self.sizes = array("q")

    def add(self, value: Any) -> None:
        """One more window's value."""
        item = np.asarray(value)
        if item.ndim != self.dimensions:
            raise InputError(
                f"input {self.name!r} has {item.ndim} dimensions in one window and {self.dimensions} in "
                "another; encode all alike"
            )
        self.pending.append(item)
        if self.dimensions < 2:
            self.sizes.append(item.size)
            if len(self.pending) == BLOCK:
                self.join()
        elif item.dtype == np.int64:
            self.pending[-1] = item.astype(np.int32)

    def join(self) -> None:
        """Join what is pending, in the smallest type that holds it."""
        filled = [item.reshape(-1) for item in self.pending if item.size]  # an empty list has no type
        self.pending = []
        if filled:
            block = np.concatenate(filled)
            self.dtype = block.dtype if self.dtype is None else np.promote_types(self.dtype, block.dtype)
            self.blocks.append(smallest(block))

    def column(self, known: list[Index]) -> Column:
        """All values; `known` collects where lists begin, so that lists of the same sizes share it."""
        if self.dimensions > 1:
            return Arrays(self.pending)
        self.join()
        values, self.blocks = np.concatenate(self.blocks or [np.zeros(0, np.int64)]), []
        dtype = widened(self.dtype or values.dtype)
        if self.dimensions == 0:
            return Numbers(values.astype(dtype))
        begins = np.concatenate([[0], np.cumsum(np.array(self.sizes, np.int64))])
        same = next((each for each in known if np.array_equal(each, begins)), None)
        if same is None:
            known.append(begins)
        return Lists(values, begins if same is None else same, dtype)


def widened(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type of numbers in a batch: torch wants indices in 64 bits."""
    return np.dtype(np.int64) if dtype == np.int32 else dtype


def smallest(numbers: Array) -> Array:
    """The same numbers in as few bytes each as hold them, where they are whole and wide."""
    if numbers.dtype not in (np.int32, np.int64) or not numbers.size:
        return numbers
    low, high = numbers.min(), numbers.max()
    fitting = (kind for kind in SMALL if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max)
    return numbers.astype(next(fitting, numbers.dtype))
