"""Answers for a split, in order and every row once, and what they are worth.

The same path serves the evaluations of a run, `tunekit evaluate` and `tunekit predict`. It always computes
in fp32, so that scores and answers are those of the saved model wherever it is loaded.
"""

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tunekit import metrics, stats
from tunekit.data.batches import Index, collate, pack, pad_token_of
from tunekit.data.load import Rows, given_only
from tunekit.data.windows import Encoded, encode
from tunekit.errors import InputError, first_line
from tunekit.stats import Estimate
from tunekit.tasks.base import Answer, Task

CPU_TOKENS, GPU_TOKENS = 1024, 65536  # padded tokens per batch
CPU_WRITTEN, GPU_WRITTEN = 8192, 262144  # the same, where an answer takes many small forwards


@dataclass(frozen=True)
class Scores:
    """The answers to a split and their metrics."""

    metrics: dict[str, Estimate]
    predictions: list[dict[str, Any]]  # id, prediction, reference, scores; in the order of the rows
    truncated: int = 0  # rows of which a part is in no window


def evaluate(
    task: Task,
    model: Any,
    rows: Rows,
    *,
    further: Sequence[str] = (),
    encoded: Encoded | None = None,
    tune: bool = False,
    accelerator: Any = None,
    tick: Callable[[], None] = lambda: None,
) -> Scores:
    """Answer every row and judge the answers against the raw rows; `encoded` are their windows, if known.

    With `tune` the task first chooses its decision on these rows.
    """
    encoded = encoded or encode(task, rows, targets=False)
    answers = decoded(task, model, rows, encoded, accelerator=accelerator, tick=tick)
    references = [task.reference(row) for row in rows]
    if tune:
        task.decision = task.tune(answers, references)
    answers = [task.decide(answer) for answer in answers]
    statistics = task.statistics(answers, references)
    predictions = [
        {"id": row["id"], "prediction": a, "reference": r, "scores": s}
        for row, a, r, s in zip(rows, answers, references, statistics, strict=True)
    ]
    return Scores(judge(task, answers, references, statistics, further), predictions, encoded.cut)


def predict(task: Task, model: Any, rows: Rows) -> list[Answer]:
    """One answer per row, in order. The rows need no targets."""
    return [task.decide(a) for a in decoded(task, model, rows, encode(task, rows, targets=False))]


def decoded(
    task: Task,
    model: Any,
    rows: Rows,
    encoded: Encoded,
    *,
    accelerator: Any = None,
    tick: Callable[[], None] = lambda: None,
) -> list[Answer]:
    """The answers to encoded rows, undecided; several processes share the work, and all get all answers.

    `tick` is called between batches, and may raise to stop.
    """
    import torch

    device = next(model.parameters()).device
    processes = accelerator.num_processes if accelerator else 1
    batches = pack(task.work(encoded.lengths), batch_tokens(device.type, writes=task.writes))
    outputs: dict[int, dict[str, Any]] = {}
    training = model.training
    model.eval()
    own = nullcontext() if task.writes else plain_attention(model, device)
    with torch.inference_mode(), own:
        for batch in batches[accelerator.process_index if accelerator else 0 :: processes]:
            tick()
            outputs |= run_batch(task, model, encoded, batch, device)
    model.train(training)
    if processes > 1:
        from accelerate.utils import gather_object

        outputs = {window: row for part in gather_object([outputs]) for window, row in part.items()}
    bounds = zip(encoded.first[:-1], encoded.first[1:], strict=True)
    return [
        task.decode(row, [replace(encoded.windows[w], outputs=outputs[w]) for w in range(begin, end)])
        for row, (begin, end) in zip(given_only(rows, type(task)), bounds, strict=True)
    ]


def batch_tokens(device: str, *, writes: bool) -> int:
    """Padded tokens of a batch."""
    if writes:
        return CPU_WRITTEN if device == "cpu" else GPU_WRITTEN
    return CPU_TOKENS if device == "cpu" else GPU_TOKENS


@contextmanager
def plain_attention(model: Any, device: Any) -> Iterator[None]:
    """On CPUs compute attention as plain products: in small batches that is faster than torch's fused one.

    What writes keeps the fused one: it repeats no keys for groups of heads, token after token.
    """
    before = getattr(model.config, "_attn_implementation", None)
    if device.type != "cpu" or before in (None, "eager"):
        yield
        return
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def run_batch(
    task: Task, model: Any, encoded: Encoded, batch: Index, device: Any
) -> dict[int, dict[str, Any]]:
    """The outputs of each window of a batch, as numpy arrays; a batch that does not fit is halved."""
    from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size

    inputs = collate(encoded.windows.take(batch), pad_token_of(task.processor), left=task.pads_left)
    try:
        tensors = task.predict(model, {key: value.to(device) for key, value in inputs.items()})
        arrays = {key: value.cpu().numpy() for key, value in tensors.items()}
    except RuntimeError as error:
        if len(batch) == 1 or not should_reduce_batch_size(error):
            raise
        arrays = None
    if arrays is None:  # here, where the failed forward is no longer held
        clear_device_cache(garbage_collection=True)
        halves = np.array_split(batch, 2)
        return {k: v for half in halves for k, v in run_batch(task, model, encoded, half, device).items()}
    return {int(window): {key: array[n] for key, array in arrays.items()} for n, window in enumerate(batch)}


def baselines(task: Task, rows: Rows) -> dict[str, Estimate]:
    """What answers without a model are worth, by `baseline_metric`; for the metrics that are shown."""
    references = [task.reference(row) for row in rows]
    found: dict[str, Estimate] = {}
    for name, answers in task.baselines(rows).items():
        statistics = task.measure.statistics(answers, references)
        estimates = stats.estimate(statistics, task.measure.summarize)
        found |= {
            f"{name}_{metric}": estimates[metric] for metric in task.measure.reported if metric in estimates
        }
    return found


def judge(
    task: Task,
    answers: Sequence[Answer],
    references: Sequence[Any],
    statistics: Sequence[Any],
    further: Sequence[str],
) -> dict[str, Estimate]:
    """Each metric with its interval: the task's own, and `further` ones by name or by path."""
    import evaluate as framework

    measure = task.measure
    names = (*measure.reported, *(n for n in further if n in measure.names and n not in measure.reported))
    theirs = [load_module(Path(name)) for name in further if name.endswith(".py")]
    ours = metric(measure, statistics)
    values = framework.combine([ours, *theirs]).compute(
        predictions=[task.comparable(a) for a in answers], references=list(references)
    )
    intervals = stats.estimate(statistics, task.summarize)
    names = tuple(name for name in names if name in intervals)  # some need more than every row has
    found = {
        name: replace(intervals[name], value=float(values.get(name, intervals[name].value))) for name in names
    }
    count = len(answers)
    return found | {
        name: Estimate(float(value), None, None, count)
        for name, value in values.items()
        if name.removeprefix(f"{ours.name}_") not in intervals and isinstance(value, int | float | np.number)
    }


def metric(measure: str | metrics.Measure, known: Sequence[Any] | None = None) -> Any:
    """A measure of tunekit, by its name (such as `classification` or `squad`), as an `evaluate.Metric`.

        metric("entities").compute(predictions=[["B-PER", "O"]], references=[["B-PER", "O"]])["f1"]

    Statistics that are `known` already are summarized instead of counted again.

    Raises:
        InputError: there is no measure of that name.
    """
    import datasets
    import evaluate as framework

    if isinstance(measure, str):
        if measure not in metrics.MEASURES:
            raise InputError(f"there is no measure {measure!r}; there are {', '.join(metrics.MEASURES)}")
        measure = metrics.MEASURES[measure]
    chosen = measure
    predicted, wanted = forms()[chosen.form]

    class Module(framework.Metric):  # type: ignore[misc]
        """The measure in the form that `evaluate` combines."""

        def _info(self) -> Any:
            return framework.MetricInfo(
                description=f"tunekit's {chosen.name} metrics: {', '.join(chosen.names)}",
                citation="",
                inputs_description=f"predictions and references, each a {chosen.form}",
                features=datasets.Features({"predictions": predicted, "references": wanted}),
            )

        def _compute(self, predictions: Sequence[Any], references: Sequence[Any]) -> dict[str, float]:
            rows = chosen.statistics(predictions, references) if known is None else known
            return {key: float(value) for key, value in chosen.summarize(stats.totals(rows)).items()}

    return Module(keep_in_memory=True)


@cache
def forms() -> dict[str, tuple[Any, Any]]:
    """What a prediction and a reference are in the words of `datasets`, by the form of a measure."""
    import datasets

    text = datasets.Value("string")
    texts, number = datasets.Sequence(text), datasets.Value("float64")
    return {
        "label": (text, text),
        "labels": (texts, texts),
        "number": (number, number),
        "texts": (text, texts),  # one that is held against several
    }


@cache
def load_module(path: Path) -> Any:
    """The `evaluate.Metric` that a file of the user's own defines.

    Raises:
        InputError: the file does not define exactly one.
    """
    import evaluate as framework

    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise InputError(f"metric {str(path)!r} is no Python file; give the path of an evaluate module")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        text = (
            f"metric {str(path)!r} cannot be loaded ({type(error).__name__}: {first_line(error)}); correct it"
        )
        raise InputError(text) from error
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, framework.Metric)
        and value.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise InputError(
            f"metric {str(path)!r} defines {len(found)} subclasses of evaluate.Metric; there must be one"
        )
    return found[0](keep_in_memory=True)
