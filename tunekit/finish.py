"""After the last step: the best model on disk, proven to answer as in training, and its scores."""

import math
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tunekit.checkpoint import make_private, share_as_around
from tunekit.data.load import Rows
from tunekit.engine import Fitting
from tunekit.errors import TunekitError
from tunekit.evaluation import baselines, predict
from tunekit.models.adapted import merged
from tunekit.models.adapters import merges, save_adapter
from tunekit.models.finetuned import load_task, load_weights
from tunekit.models.load import save_finetuned
from tunekit.run import Run
from tunekit.tasks.base import Answer, Task

ROWS = 16  # that the loaded model must answer the same
TOLERANCE = 1e-4  # of numbers in answers; both models compute the same in fp32


def finish(fitting: Fitting, name: str, splits: Mapping[str, Rows]) -> None:
    """Save the best model of a task called `name`, prove that it loads, and score the test split once."""
    optimization, run = fitting.optimization, fitting.run
    task, model = optimization.task, optimization.model
    fitting.tick()  # a signal that came with the last step
    if run.writes:
        export(run, task, name, model, fitting.adapter, fitting.validation or splits["train"])
    if "test" in splits:
        rows = splits["test"]
        run.write_scores("test", fitting.score(rows), baselines(task, rows))
    best = fitting.state.best
    run.record(steps=fitting.state.step, best=asdict(best) if best else None)


def export(run: Run, task: Task, name: str, model: Any, adapter: Any, rows: Rows) -> None:
    """Write the adapter's folder, where there is one, and the model's, unless virtual tokens stay outside it.

    Raises:
        TunekitError: what was written answers differently.
    """
    if adapter is None:
        with proven(run.model, task, model, rows) as folder:
            save_finetuned(folder, task, name, model)
        return
    base = {key: run.facts["checkpoint"][key] for key in ("name", "commit", "sha256")}
    with proven(run.adapter, task, model, rows) as folder:
        save_adapter(folder, task, name, adapter, base)
    if merges(adapter):
        with proven(run.model, task, model, rows) as folder:
            save_finetuned(folder, task, name, merged(run.adapter, task))


@contextmanager
def proven(folder: Path, task: Task, model: Any, rows: Rows) -> Iterator[Path]:
    """A place to write what becomes `folder`, once it answers a few rows as the model in memory does.

    Raises:
        TunekitError: it answers differently.
    """
    beside = folder.with_name(f".{folder.name}.tmp")
    make_private(beside)
    yield beside
    verify(beside, task, model, rows[:ROWS])
    share_as_around(beside)
    shutil.rmtree(folder, ignore_errors=True)
    beside.rename(folder)


def verify(folder: Path, task: Task, model: Any, rows: Rows) -> None:
    """Compare the answers of a model in memory with those of its folder on disk."""
    _, loaded_task = load_task(folder)
    loaded = load_weights(folder, loaded_task)
    wanted, got = predict(task, model, rows), predict(loaded_task, loaded, rows)
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
