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
from tunekit.tasks.base import Answer, Task

ROWS = 16  # that the loaded model must answer the same
TOLERANCE = 1e-4  # of numbers in answers; both models compute the same in fp32


def finish(fitting: Fitting, name: str, splits: Mapping[str, Rows]) -> None:
    """Save the best model of a task called `name`, prove that it loads, and score the test split once."""
    optimization, run = fitting.optimization, fitting.run
    task, rows = optimization.task, fitting.validation or splits["train"]
    fitting.tick()  # a signal that came with the last step
    if run.writes:
        export(fitting, name, rows)
    if "test" in splits:
        rows = splits["test"]
        run.write_scores("test", fitting.score(rows), baselines(task, rows))
    best = fitting.state.best
    run.record(steps=fitting.state.step, best=asdict(best) if best else None)


def export(fitting: Fitting, name: str, rows: Rows) -> None:
    """Write the model's folder, and the adapter's where there is one.

    Raises:
        TunekitError: what was written answers differently.
    """
    run, optimization = fitting.run, fitting.optimization
    if fitting.adapter is not None:
        export_adapter(fitting, name, rows)
        return
    with proven(run.model, optimization.task, optimization.model, rows) as folder:
        save_finetuned(folder, optimization.task, name, optimization.model)


def export_adapter(fitting: Fitting, name: str, rows: Rows) -> None:
    """Write the adapter's folder, and a model with it merged into its weights, where it can be.

    Beside quantized weights an adapter answers otherwise than beside whole ones, with which it is saved: the
    model that is scored is then the saved one.

    Raises:
        TunekitError: what was written answers differently.
    """
    run, optimization, adapter = fitting.run, fitting.optimization, fitting.adapter
    task = optimization.task
    base = {key: run.facts["checkpoint"][key] for key in ("name", "commit", "sha256")}
    quantized = getattr(optimization.model, "is_quantized", False)
    known = None if quantized else optimization.model
    with proven(run.adapter, task, known, rows) as folder:
        save_adapter(folder, task, name, adapter, base)
    if quantized:
        optimization.model = load_weights(run.adapter, task)
    if merges(adapter):
        with proven(run.model, task, optimization.model, rows) as folder:
            save_finetuned(folder, task, name, merged(run.adapter, task))


@contextmanager
def proven(folder: Path, task: Task, model: Any, rows: Rows) -> Iterator[Path]:
    """A place to write what becomes `folder`, once it answers a few rows as a model in memory does, if given.

    Raises:
        TunekitError: it answers differently.
    """
    beside = folder.with_name(f".{folder.name}.tmp")
    make_private(beside)
    yield beside
    if model is not None:
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
