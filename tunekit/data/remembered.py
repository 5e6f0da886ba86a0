"""Windows of earlier runs, kept on disk under what they were made of, so that the same rows are encoded once.

A file is named by the sha256 of what its windows follow from (rows, task, tokenizer, versions, code) and by
that of its own bytes: other contents have another name, and a damaged file is known by its name. It holds
arrays and JSON, no pickle, and is read only where it is this user's. What cannot be read or written is made
as if nothing were kept.
"""

import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from importlib import metadata
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunekit import tasks
from tunekit.console import out
from tunekit.data.drawing import Rows
from tunekit.data.flat import Column, Lists, Numbers, Windows
from tunekit.data.windows import Encoded, encode
from tunekit.environment import local_index
from tunekit.tasks.base import Task

SWITCH = "TUNEKIT_CACHE"  # 0: nothing is kept or looked for
FEWEST_ROWS = 1000  # to look for
FEWEST_TOKENS = 1_000_000  # to keep: they take a few seconds to make
MOST_BYTES = 5_000_000_000  # of all files; the least recently used are dropped
UNREADABLE = (OSError, ValueError, KeyError, IndexError, TypeError, EOFError)
PACKAGES = ("numpy", "tokenizers", "transformers")

Array = NDArray[Any]


def encode_once(task: Task, rows: Rows, rows_print: str) -> Encoded:
    """The windows of training rows with their targets: kept ones if there are any, else new ones, kept.

    `rows_print` is the fingerprint of the rows.
    """
    folder = kept_in()
    if folder is None or len(rows) < FEWEST_ROWS or not has_fast_tokenizer(task):
        return encode(task, rows, targets=True)
    key = key_of(task, rows_print)
    found = look_up(folder, key, rows)
    if found is None:
        found = encode(task, rows, targets=True)
        if found.facts()["tokens"] >= FEWEST_TOKENS and local_index() == 0:
            keep(folder, key, found)
    return found


def kept_in() -> Path | None:
    """The folder of kept windows: in the user's cache; None where that is switched off."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    home = given if given.is_absolute() else Path(os.path.expanduser("~/.cache"))
    return None if os.environ.get(SWITCH) == "0" or not home.is_absolute() else home / "tunekit" / "encoded"


def has_fast_tokenizer(task: Task) -> bool:
    """Whether everything that a task's processor does can be read off it."""
    return hasattr(task.processor, "backend_tokenizer")


def key_of(task: Task, rows_print: str) -> str:
    """What the windows of some rows follow from, as a sha256."""
    made_of = {
        "rows": rows_print,
        "task": f"{type(task).__module__}.{type(task).__qualname__}",
        "options": task.options.model_dump(mode="json"),
        "labels": task.labels,
        "head": task.head,
        "learned": task.learned,
        "processor": about_tokenizer(task.processor),
        "versions": {name: metadata.version(name) for name in PACKAGES},
        "code": code_print(),
    }
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()


def about_tokenizer(processor: Any) -> list[Any]:
    """All that a fast tokenizer's results follow from; how it cut and padded last is no part of it."""
    inner = json.loads(processor.backend_tokenizer.to_str())
    whole = json.dumps({**inner, "truncation": None, "padding": None}, sort_keys=True)
    about = {name: str(value) for name, value in vars(processor).items() if not name.startswith("_tokenizer")}
    return [type(processor).__name__, hashlib.sha256(whole.encode()).hexdigest(), about]


def code_print() -> str:
    """The sha256 of the code that makes windows: tasks are files that people write."""
    digest = hashlib.sha256()
    for folder in (Path(tasks.__file__).parent, Path(__file__).parent):
        for path in sorted(folder.glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def look_up(folder: Path, key: str, rows: Rows) -> Encoded | None:
    """The kept windows of rows; None where there are none, or none that can be trusted."""
    for path in folder.glob(f"{key}-*.npy"):
        with suppress(*UNREADABLE), opened(path) as file:
            if path.stem != f"{key}-{hashlib.file_digest(file, 'sha256').hexdigest()}":
                path.unlink()
                continue
            file.seek(0)
            found = read(file, rows)
            os.utime(path)  # used now, so dropped last
            out.say(f"training rows were encoded before: {path}")
            return found
    return None


def opened(path: Path) -> BufferedReader:
    """A file of this user's, that nobody else can write.

    Raises:
        OSError: it is a link, or somebody else's.
    """
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb")
    about = os.fstat(file.fileno())
    if about.st_uid != os.getuid() or about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        file.close()
        raise PermissionError(path)
    return file


def keep(folder: Path, key: str, encoded: Encoded) -> None:
    """Write windows down: beside, then under their name. A disk that is full keeps nothing."""
    about, arrays = apart(encoded)
    if about is None:
        return
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            return
        with tempfile.NamedTemporaryFile(dir=folder, prefix="new-") as file:
            for array in (np.frombuffer(json.dumps(about).encode(), np.uint8), *arrays):
                np.save(file, array, allow_pickle=False)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.link(file.name, folder / f"{key}-{digest}.npy")
        drop_oldest(folder, MOST_BYTES)


def drop_oldest(folder: Path, most: int) -> None:
    """Remove the files that were used longest ago, until the others have at most so many bytes."""
    about = sorted(((path.stat(), path) for path in folder.iterdir()), key=lambda each: -each[0].st_mtime)
    total = 0
    for facts, path in about:
        total += facts.st_size
        if total > most:
            path.unlink(missing_ok=True)


def apart(encoded: Encoded) -> tuple[dict[str, Any] | None, Sequence[Array]]:
    """Windows as what JSON can say of them and their arrays; None where an input is no number and no list."""
    windows = encoded.windows
    arrays: list[Array] = [encoded.first, encoded.counts, windows.cut, windows.lost]
    columns = []
    for name, column in windows.inputs.items():
        if not isinstance(column, Numbers | Lists):
            return None, []
        columns.append({"name": name, "values": number_in(arrays, column.values)})
        if isinstance(column, Lists):
            columns[-1] |= {"begins": number_in(arrays, column.begins), "dtype": column.dtype.str}
    about = {"columns": columns, "arrays": len(arrays), "cut": encoded.cut, "lost": encoded.lost}
    return about, arrays


def number_in(arrays: list[Array], array: Array) -> int:
    """The number of an array in a list, to which it is added where it is new."""
    known = next((number for number, each in enumerate(arrays) if each is array), None)
    if known is None:
        arrays.append(array)
    return len(arrays) - 1 if known is None else known


def read(file: BufferedReader, rows: Rows) -> Encoded:
    """Put windows together again.

    Raises:
        ValueError, KeyError, IndexError, TypeError, EOFError: the file was written otherwise.
    """
    about = json.loads(np.load(file, allow_pickle=False).tobytes())
    arrays = [np.load(file, allow_pickle=False) for _ in range(about["arrays"])]
    first, counts, cut, lost = arrays[:4]
    if len(first) != len(rows) + 1:
        raise ValueError("windows of other rows")
    columns: dict[str, Column] = {
        each["name"]: Lists(arrays[each["values"]], arrays[each["begins"]], np.dtype(each["dtype"]))
        if "begins" in each
        else Numbers(arrays[each["values"]])
        for each in about["columns"]
    }
    windows = Windows(columns, [], cut, lost)
    return Encoded.of(windows, first, counts, rows, about["cut"], about["lost"])
