"""Answers for a split, in order and every row once, and what they are worth.

The same path serves the evaluations of a run, `tunekit evaluate` and `tunekit predict`. It always computes
in fp32, so that scores and answers are those of the saved model wherever it is loaded.
"""

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from tunekit import metrics, stats
from tunekit.data.load import Rows, given_only
from tunekit.data.traits import traits, units
from tunekit.data.windows import Encoded, Reading, encode
from tunekit.errors import InputError, first_line
from tunekit.models.outputs import Outputs, computed
from tunekit.models.together import first_alone, from_first
from tunekit.stats import Estimate
from tunekit.tasks.base import Answer, Task

BEFORE = "before"  # begins the names of what the checkpoint scored before the first step


@dataclass(frozen=True)
class Scores:
    """The answers to a split and their metrics."""

    metrics: dict[str, Estimate]
    predictions: list[dict[str, Any]]  # id, prediction, reference, scores, `traits`; in the order of the rows
    truncated: int = 0  # rows of which a part is in no window
    signatures: dict[str, str] = field(default_factory=dict)  # how metrics count, in their packages' words


def evaluate(
    task: Task,
    model: Any,
    rows: Rows,
    *,
    further: Sequence[str] = (),
    reading: Reading | None = None,
    tune: bool = False,
    accelerator: Any = None,
    tick: Callable[[], None] = lambda: None,
) -> Scores:
    """Answer the rows and judge the answers against the raw rows; `reading` is what is read, if known.

    With `tune` the task first chooses its decision on these rows. Of several processes the first needs the
    rows, and the others only the windows; all get the metrics, and the first the predictions too.
    """
    reading, given = reading or Reading.of(task, rows), {"accelerator": accelerator, "tick": tick}
    outputs = computed(task, model, reading.encoded, **given)
    likely = computed(task.judge, model, reading.judged, **given) if task.judge and reading.judged else None
    with first_alone():
        scores = None if outputs is None else scored(task, rows, reading, outputs, likely, further, tune=tune)
    if accelerator is None or accelerator.num_processes == 1:
        assert scores is not None
        return scores
    found, cut, task.decision = from_first(scores and (scores.metrics, scores.truncated, task.decision))
    return scores or Scores(found, [], cut)


def scored(
    task: Task,
    rows: Rows,
    reading: Reading,
    outputs: Outputs,
    likely: Outputs | None,
    further: Sequence[str],
    *,
    tune: bool,
) -> Scores:
    """What answers are worth, given the outputs of all windows, and those of the judge where there is one."""
    answers = decoded(task, reading.asked, reading.encoded, outputs)
    references = [task.reference(row) for row in rows]
    right = references[: len(answers)]
    if tune:
        task.decision = task.tune(answers, right)
    answers = [task.decide(answer) for answer in answers]
    statistics = task.statistics(answers, right)
    if task.judge and reading.judged and likely is not None:
        judged = decoded(task.judge, rows, reading.judged, likely)
        statistics = [{**a, **(b or {})} for a, b in zip_longest(judged, statistics)]
    table = zip_longest(rows, answers, references, statistics)  # rows that were not asked have no answer
    predictions = [
        {"id": row["id"], "prediction": a, "reference": r, "scores": s, **traits(task, row, reading.whole, n)}
        for n, (row, a, r, s) in enumerate(table)
    ]
    signatures = task.measure.signatures(right) if task.measure.signatures else {}
    found = judge(task, rows, answers, right, statistics, further)
    return Scores(found, predictions, reading.encoded.cut, signatures)


def predict(task: Task, model: Any, rows: Rows) -> list[Answer]:
    """One answer per row, in order. The rows need no targets."""
    return [task.decide(answer) for answer in undecided(task, model, rows, encode(task, rows, targets=False))]


def undecided(task: Task, model: Any, rows: Rows, encoded: Encoded) -> list[Answer]:
    """The decoded answers to encoded rows, in order."""
    outputs = computed(task, model, encoded)
    assert outputs is not None  # of a process alone
    return decoded(task, rows, encoded, outputs)


def decoded(task: Task, rows: Rows, encoded: Encoded, outputs: Outputs) -> list[Answer]:
    """The answers to rows in order, undecided, given the outputs of all their windows."""
    bounds = zip(encoded.first[:-1], encoded.first[1:], strict=True)
    return [
        task.decode(row, [replace(encoded.windows[w], outputs=outputs[w]) for w in range(begin, end)])
        for row, (begin, end) in zip(given_only(rows, type(task)), bounds, strict=True)
    ]


def baselines(task: Task, rows: Rows) -> dict[str, Estimate]:
    """What answers without a model are worth, by `baseline_metric`; for the metrics that are shown."""
    references, measure = [task.reference(row) for row in rows], task.measure
    found: dict[str, Estimate] = {}
    for name, answers in task.baselines(rows).items():
        statistics = measure.statistics(answers, references)
        estimates = estimated(task, rows, statistics, measure.summarize)
        found |= {f"{name}_{metric}": estimates[metric] for metric in measure.reported if metric in estimates}
    return found


def estimated(
    task: Task,
    rows: Rows,
    statistics: Sequence[Any],
    summarize: Callable[[metrics.Totals], metrics.Metrics],
) -> dict[str, Estimate]:
    """Every metric of rows with its interval, as the task's rows depend on each other."""
    measure = task.measure
    return stats.estimate(
        statistics, summarize, units=units(task, rows), recount=measure.recount, shares=measure.shares
    )


def baseline_names(task: Task) -> list[str]:
    """What the names of baselines begin with: the task's own, and the checkpoint before the first step."""
    return [*task.baselines([]), BEFORE]


def judge(
    task: Task,
    rows: Rows,
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
    intervals = estimated(task, rows, statistics, task.summarize)
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
