"""After the last step: the best model on disk, proven to answer as in training, and its scores."""

import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tunekit.checkpoint import make_private, share_as_around
from tunekit.data.load import Rows
from tunekit.engine import Fitting
from tunekit.errors import TunekitError
from tunekit.evaluation import baselines, predict
from tunekit.models.finetuned import load_task, load_weights
from tunekit.models.load import save_finetuned
from tunekit.models.sharding import is_sharded, whole_weights
from tunekit.models.together import from_first
from tunekit.tasks.base import Answer, Task

ROWS = 16  # that the loaded model must answer the same
TOLERANCE = 1e-4  # of numbers in answers; both models compute the same in fp32


def finish(fitting: Fitting, name: str, splits: Mapping[str, Rows]) -> None:
    """Save the best model of a task called `name`, prove that it loads, and score the test split once."""
    optimization, run = fitting.optimization, fitting.run
    task, model = optimization.task, optimization.model
    fitting.tick()  # a signal that came with the last step
    rows = (fitting.validation or splits["train"])[:ROWS]
    if is_sharded(model):  # then all must answer, and give their parts of the weights
        rows = from_first(rows)
    if run.writes or is_sharded(model):
        export(run.model, task, name, model, rows, writes=run.writes)
    if "test" in splits:
        rows = splits["test"]
        scores = fitting.score("test", rows)
        if run.writes:
            run.write_scores("test", scores, baselines(task, rows))
    best = fitting.state.best
    run.record(steps=fitting.state.step, best=asdict(best) if best else None)


def export(folder: Path, task: Task, name: str, model: Any, rows: Rows, *, writes: bool = True) -> None:
    """Write the model folder, load it again, and compare answers to a few rows.

    All processes of a model that is shared out must take part, of which one `writes`.

    Raises:
        TunekitError: the loaded model answers differently.
    """
    wanted, weights = predict(task, model, rows), whole_weights(model, wanted=writes)
    if not writes:
        return
    beside = folder.with_name(f".{folder.name}.tmp")
    make_private(beside)
    save_finetuned(beside, task, name, model, weights)
    verify(beside, rows, wanted)
    share_as_around(beside)
    shutil.rmtree(folder, ignore_errors=True)
    beside.rename(folder)


def verify(folder: Path, rows: Rows, wanted: Sequence[Answer]) -> None:
    """Compare the answers of the model in a folder with those of the model in memory."""
    _, task = load_task(folder)
    got = predict(task, load_weights(folder, task), rows)
    for row, before, after in zip(rows, wanted, got, strict=True):
        if not same(before, after):
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
