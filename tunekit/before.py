"""The checkpoint before the first step: its scores are baselines of what training makes of it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict

from tunekit.console import out, score
from tunekit.data.load import Rows
from tunekit.engine import Fitting
from tunekit.evaluation import BEFORE
from tunekit.models.adapters import merges
from tunekit.run import now

SCORED = ("validation", "test")


def score_before(fitting: Fitting, splits: Mapping[str, Rows]) -> None:
    """Score what will be trained as it is, once in a run, where the recipe asks for it.

    Raises:
        Interrupted: a signal came; it will be done again.
    """
    run, shown = fitting.run, fitting.optimization.task.measure.reported
    if not fitting.section.evaluate_before or BEFORE in run.facts:
        return
    start, found = now(), {}
    for split in (split for split in SCORED if splits.get(split)):
        with without_virtual_tokens(fitting):
            metrics = fitting.score(split, splits[split]).metrics
        found[split] = {f"{BEFORE}_{name}": asdict(metrics[name]) for name in shown if name in metrics}
        said = ", ".join(f"{name} {score(metrics[name].value)}" for name in shown if name in metrics)
        out.say(f"{split} before training: {said}")
    run.add_seconds(evaluation=now() - start)
    run.record(**{BEFORE: found})


@contextmanager
def without_virtual_tokens(fitting: Fitting) -> Iterator[None]:
    """Let the checkpoint answer by itself: the virtual tokens of an adapter begin as random ones.

    Other adapters change nothing before the first step.
    """
    optimization, adapter = fitting.optimization, fitting.adapter
    trained = optimization.model
    if adapter is not None and not merges(adapter):
        optimization.model = adapter.get_base_model()
    try:
        yield
    finally:
        optimization.model = trained
