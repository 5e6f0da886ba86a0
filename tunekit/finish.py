"""After the last step: the best model on disk, proven to answer as in training, and its scores."""

import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from tunekit.checkpoint import make_private, share_as_around
from tunekit.data.batches import collate, pad_token_of
from tunekit.data.load import Rows, given_only
from tunekit.engine import Fitting
from tunekit.errors import TunekitError
from tunekit.evaluation import baselines, predict
from tunekit.models.adapted import merged
from tunekit.models.adapters import merges, save_adapter
from tunekit.models.finetuned import load_task, load_weights
from tunekit.models.load import save_finetuned
from tunekit.models.sharding import is_sharded, put_back, whole_weights
from tunekit.models.together import from_first, wait_for_first
from tunekit.tasks.base import Answer, Task

ROWS = 16  # that the loaded model must answer the same
TOLERANCE = 1e-4  # of numbers in answers; both models compute the same in fp32
NEAR = 1e-3  # relative difference of losses that merging may make by rounding


def finish(fitting: Fitting, name: str, splits: Mapping[str, Rows]) -> None:
    """Save the best model of a task called `name`, prove that it loads, and score the test split once."""
    task, run = fitting.optimization.task, fitting.run
    fitting.tick()  # a signal that came with the last step
    rows = (fitting.validation or splits["train"])[:ROWS]
    shared = is_sharded(fitting.optimization.model)
    if shared:  # then all must answer, and give their parts of the weights
        rows = from_first(rows)
    if run.writes or shared:
        export(fitting, name, rows)
    wait_for_first()
    if "test" in splits:
        rows = splits["test"]
        scores = fitting.score("test", rows)
        if run.writes:
            run.write_scores("test", scores, baselines(task, rows))
    best = fitting.state.best
    run.record(steps=fitting.state.step, best=asdict(best) if best else None)


def export(fitting: Fitting, name: str, rows: Rows) -> None:
    """Write the model's folder, and the adapter's where there is one.

    All processes of a model that is shared out must take part, of which the first writes.

    Raises:
        TunekitError: what was written answers differently.
    """
    run, task, model = fitting.run, fitting.optimization.task, fitting.optimization.model
    wanted = Wanted.of(task, model, rows, merges=fitting.adapter is not None)
    weights = whole_weights(model, wanted=run.writes)
    if not run.writes:
        return
    if fitting.adapter is not None:
        export_adapter(fitting, name, rows, wanted, weights)
        return
    with proven(run.model, rows, wanted) as folder:
        save_finetuned(folder, task, name, model, weights)


def export_adapter(fitting: Fitting, name: str, rows: Rows, wanted: "Wanted", weights: Any) -> None:
    """Write the adapter's folder, and a model with it merged into its weights, where it can be.

    Beside quantized weights an adapter answers otherwise than beside whole ones, with which it is saved: the
    model that is scored is then the saved one.

    Raises:
        TunekitError: what was written answers differently.
    """
    run, optimization, adapter = fitting.run, fitting.optimization, fitting.adapter
    task = optimization.task
    recorded, place = run.facts["checkpoint"], adapter.active_peft_config.base_model_name_or_path
    base = {"name": place, "commit": recorded["commit"], "sha256": recorded["sha256"]}
    quantized = getattr(optimization.model, "is_quantized", False)
    with proven(run.adapter, rows, None if quantized else Wanted(wanted.answers)) as folder:
        save_adapter(folder, task, name, adapter, base, weights)
    if quantized:
        optimization.model = load_weights(run.adapter, task)
        wanted = Wanted.of(task, optimization.model, rows, merges=True)
    if merges(adapter):
        with proven(run.model, rows, wanted) as folder:
            save_finetuned(folder, task, name, merged(run.adapter, task))


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
def proven(folder: Path, rows: Rows, wanted: "Wanted | None") -> Iterator[Path]:
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
