"""What a machine prepares once, whatever the number of its processes: rows are read, checked and encoded.

The first process of a machine does it, before any process joins the others. The rest wait, and then map the
windows that it has left in a folder of the machine's own. They wait as long as the first one lives: it holds
a lock, which the system releases however it ends, so nobody waits for a process that is gone.
"""

import fcntl
import hashlib
import itertools
import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from tunekit.data.load import Data, Rows
from tunekit.data.mapped import read_windows, write_windows
from tunekit.data.remembered import encode_once
from tunekit.data.windows import Encoded, Reading
from tunekit.environment import local_count, local_index
from tunekit.errors import EnvironmentFailure, explain
from tunekit.tasks.base import Task

LAUNCH = (  # what one launch of several processes has for itself, as torchrun, Ray and SLURM tell it
    "MASTER_ADDR",
    "MASTER_PORT",
    "TORCHELASTIC_RUN_ID",
    "TORCHELASTIC_RESTART_COUNT",
    "SLURM_JOB_ID",
    "SLURM_STEP_ID",
    "SLURM_RESTART_COUNT",
)
JUDGED = ".judged"  # behind a split's name: the windows of its rows with their targets
GLANCE = 0.02  # seconds between two looks
KEPT: list[TextIO] = []  # locks of calls that found nothing to do
CALLS = itertools.count()  # each call of a process has a folder of its own


@dataclass
class Once:
    """What the first process of a machine has prepared, or is to prepare."""

    folder: Path | None = None  # where it is left; None where a process is alone on its machine
    first: bool = True
    encoded: Encoded | None = None  # windows of the training rows
    readings: dict[str, Reading] = field(default_factory=dict)  # by split that is scored
    told: Mapping[str, Any] | None = None  # by the first, about its rows
    lock: TextIO | None = None

    @property
    def idle(self) -> bool:
        """Whether the first process has found that there is nothing to do."""
        return not self.first and self.told is None

    @property
    def data(self) -> Data | None:
        """What the first process knows of the rows; None where this process reads them itself."""
        if self.told is None:
            return None
        about = self.told["data"]
        splits: dict[str, Rows] = {name: [{}] * each["rows"] for name, each in about["splits"].items()}
        prints = {name: each["sha256"] for name, each in about["splits"].items()}
        columns, skipped, corrected = (about[key] for key in ("columns", "skipped", "corrected"))
        return Data(splits, self.told["labels"], columns, skipped, corrected, prints)

    def share(self, task: Task, data: Data) -> None:
        """Encode all splits and leave their windows for the others, or map those that the first has left."""
        if self.folder is None:
            return
        if self.told is not None:
            task.learned = dict(self.told["learned"])
            self.find(data)
            return
        task.learned = task.learn(data.splits["train"])
        self.encoded = encode_once(task, data.splits["train"], data.prints["train"])
        self.leave("train", self.encoded)
        self.readings = {
            name: Reading.of(task, rows) for name, rows in data.splits.items() if name != "train"
        }
        for name, reading in self.readings.items():
            self.leave(name, reading.encoded)
            if reading.judged:
                self.leave(name + JUDGED, reading.judged)
        self.told = {"data": data.facts(), "labels": list(data.labels), "learned": task.learned}

    def find(self, data: Data) -> None:
        """Map the windows that the first process has left."""
        assert self.folder is not None
        self.encoded = read_windows(self.folder / "train")
        for name, rows in data.splits.items():
            if name != "train":
                judged = self.folder / (name + JUDGED)
                encoded = read_windows(self.folder / name)
                asked = rows[: len(encoded.first) - 1]  # as many as the first process lets the model answer
                found = read_windows(judged) if judged.exists() else None
                self.readings[name] = Reading(asked, encoded, found)

    def leave(self, split: str, encoded: Encoded) -> None:
        """Write the windows of a split for the others.

        Raises:
            EnvironmentFailure: there is no room for them.
        """
        assert self.folder is not None
        try:
            (self.folder / split).mkdir()
            write_windows(self.folder / split, encoded)
        except OSError as error:
            raise EnvironmentFailure(
                f"the windows of {split} could not be written to {self.folder} ({error}); make room there, "
                "or name another folder of this machine in TMPDIR"
            ) from None

    def clear(self) -> None:
        """Take the folder away, once all have mapped what is in it."""
        if self.first and self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.release()

    def release(self) -> None:
        """Say that nobody needs to wait for this process any more."""
        if self.lock:
            self.lock.close()


@contextmanager
def prepared_once() -> Iterator[Once]:
    """Prepare inside the block. All processes of a machine but its first wait before it.

    Raises:
        SystemExit: the first has failed, and said why.
    """
    if local_count() == 1:
        yield Once()
        return
    folder = place()
    if local_index() > 0:
        yield Once(folder, first=False, told=wait(folder))
        return
    once = begin(folder)
    try:
        yield once
    except BaseException as error:
        leave_word(folder, failed=error.code if isinstance(error, SystemExit) else explain(error)[1])
        once.release()
        raise
    leave_word(folder, told=once.told)
    if once.told is None and once.lock:
        KEPT.append(once.lock)  # until this process ends: the others may look later


def place() -> Path:
    """The folder that the processes of this call on this machine have in common."""
    return Path(tempfile.gettempdir()) / f"{of_launch()}-{next(CALLS)}"


def of_launch() -> str:
    """How the folders of this launch begin."""
    launch = json.dumps([os.environ.get(name) for name in LAUNCH])
    return f"tunekit-{os.getuid()}-{hashlib.sha256(launch.encode()).hexdigest()[:16]}"


def begin(folder: Path) -> Once:
    """Make the folder, with a lock that is held while this process lives; what dead ones have left goes."""
    for left in folder.parent.glob(f"tunekit-{os.getuid()}-*"):
        earlier = left == folder or not left.name.startswith(
            of_launch()
        )  # others of this launch are read yet
        if earlier and not held(left):
            shutil.rmtree(left, ignore_errors=True)
    beside = Path(tempfile.mkdtemp(prefix="tunekit-new-"))
    lock = (beside / "lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    write(beside / "begun.json", {"at": time.time()})
    try:
        beside.rename(folder)
    except OSError as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise EnvironmentFailure(
            f"{folder} is in the way, and not ours to delete ({error}); delete it, or name another folder of "
            "this machine in TMPDIR"
        ) from None
    return Once(folder, lock=lock)


def ours(folder: Path) -> bool:
    """Whether a folder is a real one of this user's, in which nobody else writes."""
    with suppress(OSError):
        found = folder.lstat()
        return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022
    return False


def held(folder: Path) -> bool:
    """Whether the process that made a folder lives; a folder of somebody else's is none."""
    if not ours(folder):
        return False
    with suppress(OSError), (folder / "lock").open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def leave_word(folder: Path, **word: Any) -> None:
    """Tell those who wait how it ended."""
    with suppress(OSError):  # they notice too when this process ends
        write(folder / "word.json", {**word, "at": time.time()})


def write(path: Path, document: Any) -> None:
    """Write JSON so that readers see all of it or nothing."""
    beside = path.with_name(f".{path.name}")
    beside.write_text(json.dumps(document))
    beside.replace(path)


def wait(folder: Path) -> Mapping[str, Any] | None:
    """What the first process tells, once it is through.

    What an earlier launch of the same name has left does not count: its process no longer holds the lock, and
    its failure is older than this process.

    Raises:
        SystemExit: it has failed, or is gone.
    """
    import psutil

    born = psutil.Process().create_time()
    while True:
        alive = held(folder)
        word, begun = (read(folder / name) if ours(folder) else {} for name in ("word.json", "begun.json"))
        now = word.get("at", 0.0) >= born
        if "told" in word and (alive or (now and word["told"] is None)):
            told: Mapping[str, Any] | None = word["told"]
            if told is None:
                done_with(folder)
            return told
        if now and "failed" in word:
            done_with(folder)
            raise SystemExit(word["failed"])
        if begun.get("at", 0.0) >= born and not alive and not held(folder):
            done_with(folder)
            raise SystemExit(1)
        time.sleep(GLANCE)


def done_with(folder: Path) -> None:
    """Note that this process needs the folder no more; the last one takes it away."""
    with suppress(OSError):
        (folder / f"left-{local_index()}").touch()
        if len([*folder.glob("left-*")]) == local_count() - 1:
            shutil.rmtree(folder, ignore_errors=True)


def read(path: Path) -> dict[str, Any]:
    """A JSON document; an empty one where there is none."""
    with suppress(OSError, ValueError):
        document: dict[str, Any] = json.loads(path.read_text())
        return document
    return {}
