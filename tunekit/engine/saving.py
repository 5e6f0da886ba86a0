"""Checkpoints are written beside training, one at a time; and which one a run continues from."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import Thread, get_native_id
from typing import Any

from tunekit import checkpoint
from tunekit.console import out
from tunekit.engine.sharing import at_hand
from tunekit.errors import EnvironmentFailure, InputError, explain
from tunekit.run import Run

ROOM = 1.5  # times the size of a copy that must be free in memory to make one
LEAST = 19  # what Linux calls nice: to run where nobody else wants to

Tensors = Mapping[str, Mapping[str, Any]]  # by file and name


class Saver:
    """Writes a run's checkpoints in the background; what fails there is raised here, at the next call."""

    def __init__(self, run: Run, keep: int) -> None:
        self.run, self.keep = run, keep
        self.thread: Thread | None = None
        self.copies: Tensors = {}  # memory of the last copy, which the next one is written over
        self.failure: BaseException | None = None

    def save(self, step: int, tensors: Tensors, state: Mapping[str, Any], best: int | None) -> None:
        """Begin to write a checkpoint, when the one before is done; then those no longer wanted are dropped.

        Where memory has no room for a copy, training waits until it is written.
        """
        self.wait()
        beside = bool(self.copies) or size(tensors) * ROOM < free_memory()
        content = self.copies = copied(tensors, self.copies) if beside else tensors
        self.thread = Thread(target=self.write, args=(step, content, state, best), name="checkpoint")
        self.thread.start()
        if not beside:
            self.wait()

    def write(self, step: int, tensors: Tensors, state: Mapping[str, Any], best: int | None) -> None:
        """Write a checkpoint after the log that it counts the rows of, and keep what goes wrong."""
        give_way()
        try:
            if self.run.log_path.exists():
                checkpoint.flush(self.run.log_path)
            checkpoint.save(self.run.checkpoints, step, tensors, state, best)
            checkpoint.prune(self.run.checkpoints, self.keep, best)
        except BaseException as error:
            self.failure = error

    def check(self) -> None:
        """Raise what went wrong in the background, if anything did."""
        failure, self.failure = self.failure, None
        if failure:
            raise failure

    def wait(self) -> None:
        """Wait until the checkpoint that is being written is on the disk.

        Raises:
            EnvironmentFailure: it could not be written; earlier ones are intact.
        """
        if self.thread:
            self.thread.join()
            self.thread = None
        self.check()

    def close(self) -> None:
        """Wait; while another error is on its way, one of writing is only said."""
        self.copies = {}
        try:
            self.wait()
        except Exception as error:
            if sys.exc_info()[1] is None:
                raise
            out.warn(explain(error)[0])


def size(tensors: Tensors) -> int:
    """Bytes of all tensors."""
    return sum(each.nbytes for content in tensors.values() for each in content.values())


def copied(tensors: Tensors, before: Tensors) -> Tensors:
    """The tensors in memory of their own on the CPU: training may change the originals.

    Copies made before are written over: to ask for new memory takes longer than to copy.
    """
    return {
        file: {name: copy(each, before.get(file, {}).get(name)) for name, each in content.items()}
        for file, content in tensors.items()
    }


def copy(tensor: Any, before: Any) -> Any:
    """A tensor in memory of its own, that of an earlier copy where it fits."""
    if before is None or (before.shape, before.dtype) != (tensor.shape, tensor.dtype):
        return tensor.detach().to("cpu", copy=True)
    return before.copy_(tensor.detach())


def give_way() -> None:
    """Let this thread run where training leaves a core idle; only Linux can say so of a single thread."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, get_native_id(), LEAST)


def free_memory() -> int:
    """Bytes that this process may still take, by the machine's memory and by its control group's limit."""
    import psutil

    free = int(psutil.virtual_memory().available)
    group = Path("/sys/fs/cgroup")
    try:
        limit, used = ((group / name).read_text().strip() for name in ("memory.max", "memory.current"))
    except OSError:
        return free
    return free if limit == "max" else min(free, int(limit) - int(used))


def choose_step(folder: Path, asked: checkpoint.Saved | None, origin: Mapping[str, Any]) -> int | None:
    """The step to continue from: the one asked for, else the newest good one of this run, if there is any.

    Raises:
        InputError: the one asked for is another run's.
    """
    checkpoint.recover(folder)
    if asked is not None:
        wrong = checkpoint.damage(asked, origin)
        if wrong:
            raise InputError(f"--resume {asked.path}: {wrong}; name another checkpoint, or use --resume auto")
        return asked.step
    saved, complaints = checkpoint.newest_good(folder, origin)
    for complaint in complaints:
        out.warn(complaint)
    if saved is None and complaints:
        out.warn("no checkpoint can be used, so the run begins with its first step again")
    return None if saved is None else saved.step


def best_weights(folder: Path, step: int, accelerator: Any) -> dict[str, Any]:
    """The weights of the best checkpoint, verified, on every process.

    Raises:
        EnvironmentFailure: it has been damaged since it was written.
    """
    saved = checkpoint.at_step(folder, step)
    with at_hand(saved, accelerator):
        wrong = checkpoint.damage(saved)
        if wrong:
            raise EnvironmentFailure(
                f"{saved.path}, the best checkpoint, has been damaged since it was written ({wrong}); "
                "the same command continues from the newest one that is whole"
            )
        return saved.tensors("model")
