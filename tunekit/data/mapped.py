"""Windows in a folder, so that several processes of a machine share one copy in memory.

Every array is a file of its own, which readers map; the rest is JSON. A reader has no rows: where each came
from is kept, for messages, and what windows note for `decode` is not.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunekit.data.flat import Arrays, Column, Index, Lists, Numbers, Windows
from tunekit.data.windows import Encoded

Array = NDArray[Any]


@dataclass(frozen=True)
class Laid(Sequence[Array]):
    """Arrays of different shapes, end to end in one."""

    values: Array  # (numbers,)
    begins: Index  # (arrays + 1,)
    shapes: Index  # (arrays, dimensions)

    def __len__(self) -> int:
        return len(self.shapes)

    def __getitem__(self, at: Any) -> Any:
        part = self.values[self.begins[at] : self.begins[at + 1]]
        return part.reshape(self.shapes[at])


@dataclass(frozen=True)
class Texts(Sequence[str]):
    """Short texts in one array."""

    values: Array  # (texts,) of bytes

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, at: Any) -> Any:
        return bytes(self.values[at]).decode()


class Folder:
    """Named arrays in a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def put(self, name: str, array: Array) -> None:
        """Write an array."""
        np.save(self.path / f"{name}.npy", array, allow_pickle=False)

    def get(self, name: str) -> Array:
        """An array, mapped; one that is empty cannot be."""
        path = self.path / f"{name}.npy"
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
        except ValueError:
            return np.load(path, allow_pickle=False)  # type: ignore[no-any-return]

    def put_end_to_end(self, name: str, items: Sequence[Array]) -> None:
        """Write arrays of different shapes, one at a time."""
        sizes = np.array([item.size for item in items], np.int64)
        self.put(f"{name}-begins", np.concatenate([[0], np.cumsum(sizes)]))
        self.put(f"{name}-shapes", np.array([item.shape for item in items], np.int64))
        whole, begin = (
            np.lib.format.open_memmap(self.path / f"{name}.npy", "w+", items[0].dtype, (int(sizes.sum()),)),
            0,
        )
        for item in items:
            whole[begin : begin + item.size] = item.reshape(-1)
            begin += item.size
        whole.flush()


def write_windows(path: Path, encoded: Encoded) -> None:
    """Write the windows of a split into an empty folder.

    Raises:
        OSError: the disk is full.
    """
    folder, columns = Folder(path), []
    whole = encoded.windows
    for number, (name, column) in enumerate(whole.inputs.items()):
        columns.append({"name": name, "kind": type(column).__name__} | put_column(folder, number, column))
    for name in ("row", "first", "lengths", "counts"):
        folder.put(name, getattr(encoded, name))
    folder.put("cut", whole.cut)
    folder.put("lost", whole.lost)
    folder.put("places", np.array([str(place).encode() for place in encoded.places], np.bytes_))
    about = {"columns": columns, "cut": encoded.cut, "lost": encoded.lost}
    (path / "about.json").write_text(json.dumps(about))


def put_column(folder: Folder, number: int, column: Column) -> dict[str, str]:
    """Write an input of all windows; what its arrays do not say."""
    if isinstance(column, Arrays):
        folder.put_end_to_end(f"input-{number}", column.items)
        return {}
    folder.put(f"input-{number}", column.values)
    if isinstance(column, Lists):
        folder.put(f"input-{number}-begins", column.begins)
        return {"dtype": column.dtype.str}
    return {}


def read_windows(path: Path) -> Encoded:
    """The windows that `write_windows` wrote; their arrays stay where they are."""
    about, folder = json.loads((path / "about.json").read_text()), Folder(path)
    inputs = dict(columns_in(folder, about["columns"]))
    row, first, lengths, counts, cut, lost = map(
        folder.get, ("row", "first", "lengths", "counts", "cut", "lost")
    )
    windows = Windows(inputs, [], cut, lost)
    places = Texts(folder.get("places"))
    return Encoded(windows, row, first, lengths, counts, places, about["cut"], about["lost"])


def columns_in(folder: Folder, columns: Sequence[dict[str, str]]) -> Iterator[tuple[str, Column]]:
    """Each input with its name; those whose lists begin at the same places share that."""
    known: list[Index] = []
    for number, each in enumerate(columns):
        values = folder.get(f"input-{number}")
        if each["kind"] == "Numbers":
            yield each["name"], Numbers(values)
            continue
        begins = folder.get(f"input-{number}-begins")
        if each["kind"] == "Arrays":
            yield each["name"], Arrays(Laid(values, begins, folder.get(f"input-{number}-shapes")))
            continue
        same = next((one for one in known if np.array_equal(one, begins)), begins)
        known.append(same)
        yield each["name"], Lists(values, same, np.dtype(each["dtype"]))
