"""The proof that a folder holds the model that was trained: it must answer a few rows as that one did."""

import math
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from tunekit.checkpoint import make_private, share_as_around
from tunekit.data.batches import collate, pad_token_of
from tunekit.data.load import Rows, given_only
from tunekit.errors import TunekitError
from tunekit.evaluation import predict
from tunekit.models.finetuned import load_task, load_weights
from tunekit.models.sharding import put_back
from tunekit.tasks.base import Answer, Task

TOLERANCE = 1e-4  # of numbers in answers; both models compute the same in fp32
NEAR = 1e-3  # relative difference of losses that merging may make by rounding


@dataclass(frozen=True)
class Wanted:
    """What a model answers to a few rows, and where it is merged from parts how likely it finds the targets.

    Merged weights round otherwise than an adapter beside them. Where two tokens are nearly as likely, that
    decides what is written next, and all that follows; losses know no such forks.
    """

    answers: Sequence[Answer]
    losses: Sequence[float] = ()

    @classmethod
    def of(cls, task: Task, model: Any, rows: Rows, *, merges: bool) -> "Wanted":
        """The answers of a model, and the losses of one that writes and will be merged."""
        answers = predict(task, model, rows)
        return cls(answers, losses(task, model, rows) if merges and task.writes else ())

    def agrees(self, others: Sequence[float]) -> bool:
        """Whether another model finds the targets of every row as likely."""
        return all(math.isclose(a, b, rel_tol=NEAR) for a, b in zip(self.losses, others, strict=True))


def losses(task: Task, model: Any, rows: Rows) -> list[float]:
    """The loss of each row's first window that teaches anything."""
    import torch

    device, training, found = next(model.parameters()).device, model.training, list[float]()
    model.eval()
    with torch.inference_mode(), put_back(model):
        for row, given in zip(rows, given_only(rows, type(task)), strict=True):
            able = (window for window in task.taught(row, given) if task.count(window.inputs))
            for window in islice(able, 1):
                inputs = collate([window], pad_token_of(task.processor))
                loss = task.loss(model, {key: value.to(device) for key, value in inputs.items()})
                found.append(float(loss))
    model.train(training)
    return found


@contextmanager
def proven(folder: Path, rows: Rows, wanted: Wanted | None) -> Iterator[Path]:
    """A place to write what becomes `folder`, once it answers a few rows as wanted, if anything is.

    Raises:
        TunekitError: it answers differently.
    """
    beside = folder.with_name(f".{folder.name}.tmp")
    make_private(beside)
    yield beside
    if wanted is not None:
        verify(beside, rows, wanted)
    share_as_around(beside)
    shutil.rmtree(folder, ignore_errors=True)
    beside.rename(folder)


def verify(folder: Path, rows: Rows, wanted: Wanted) -> None:
    """Compare the answers of the model in a folder with those of the model in memory.

    Raises:
        TunekitError: they differ, and not by rounding.
    """
    _, task = load_task(folder)
    model = load_weights(folder, task)
    found = zip(rows, wanted.answers, predict(task, model, rows), strict=True)
    other = [(row, before, after) for row, before, after in found if not same(before, after)]
    if not other or (wanted.losses and wanted.agrees(losses(task, model, rows))):
        return
    row, before, after = other[0]
    raise TunekitError(
        f"the saved model in {folder} answers row {row['id']} with {after}, "
        f"but in training it was {before}; the checkpoints are intact: please report this"
    )


def same(a: Answer, b: Answer) -> bool:
    """Whether two answers are equal, up to rounding in their numbers."""
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, abs_tol=TOLERANCE)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)
