"""Which checkpoint a run continues from, and the weights of its best one."""

from pathlib import Path
from typing import Any

from tunekit import checkpoint
from tunekit.console import out
from tunekit.errors import EnvironmentFailure


def choose_step(folder: Path, asked: checkpoint.Saved | None) -> int | None:
    """The step to continue from: the one asked for, else the newest good one, if there is any."""
    checkpoint.recover(folder)
    if asked is not None:
        return asked.step
    saved, complaints = checkpoint.newest_good(folder)
    for complaint in complaints:
        out.warn(complaint)
    return None if saved is None else saved.step


def best_weights(folder: Path, step: int) -> dict[str, Any]:
    """The weights of the best checkpoint, verified.

    Raises:
        EnvironmentFailure: it has been damaged since it was written.
    """
    saved = checkpoint.at_step(folder, step)
    wrong = checkpoint.damage(saved)
    if wrong:
        raise EnvironmentFailure(
            f"{saved.path}, the best checkpoint, has been damaged since it was written ({wrong}); "
            "the same command continues from the newest one that is whole"
        )
    return saved.tensors("model")
