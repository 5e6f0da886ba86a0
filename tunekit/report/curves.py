"""How training went: loss, learning rate and the validation metric by step."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tunekit.report.figures import BLUE, DIM, INK, ORANGE, figure
from tunekit.report.subject import Subject

FEWEST = 2  # points that make a curve
MOST = 400  # points that are drawn: more of them are not told apart

Points = tuple[list[float], list[float]]


def curves(subject: Subject) -> list[str]:
    """The figures of a run's log."""
    rows = read_log(subject)
    return list(figures(rows, subject.run.facts.get("best")))


def read_log(subject: Subject) -> list[Mapping[str, Any]]:
    """The rows of a run's log; none where it has none."""
    file = subject.run.log_path
    return [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []


def figures(rows: Sequence[Mapping[str, Any]], best: Mapping[str, Any] | None) -> Iterator[str]:
    """A figure for each thing that was logged often enough."""
    loss, rate = points(rows, "loss"), points(rows, "learning_rate")
    if len(loss[0]) >= FEWEST:
        yield figure("loss", "Training loss by step", lambda axes: draw_loss(axes, loss))
    if best:
        evaluated = [{"step": row["step"], **row["validation"]} for row in rows if "validation" in row]
        scores = points(evaluated, best["metric"])
        if len(scores[0]) >= FEWEST:
            title = f"Validation {best['metric']} by step, the best at step {best['step']}"
            yield figure("validation", title, lambda axes: draw_scores(axes, scores, best))
    if len(rate[0]) >= FEWEST:
        yield figure("rate", "Learning rate by step", lambda axes: draw_rate(axes, rate))


def points(rows: Sequence[Mapping[str, Any]], key: str) -> Points:
    """The steps at which a number was logged, and the numbers."""
    found = [(row["step"], row[key]) for row in rows if row.get(key) is not None]
    every = -(-len(found) // MOST) or 1
    found = found[:-1:every] + found[-1:]
    return [step for step, _ in found], [value for _, value in found]


def draw_loss(axes: Any, loss: Points) -> None:
    """The mean loss since the row before."""
    axes.plot(*loss, color=BLUE, linewidth=1.4)
    axes.set(title="training loss", xlabel="step")
    if min(loss[1]) >= 0:
        axes.set_ylim(0, 1.08 * max(loss[1]) or 1)


def draw_rate(axes: Any, rate: Points) -> None:
    """The learning rate of each logged step."""
    axes.plot(*rate, color=DIM, linewidth=1.4)
    axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))
    axes.set(title="learning rate", xlabel="step", ylim=(0, 1.08 * max(rate[1]) or 1))


def draw_scores(axes: Any, scores: Points, best: Mapping[str, Any]) -> None:
    """The validation metric, with the evaluation that was kept."""
    axes.plot(*scores, color=BLUE, linewidth=1.4, marker="o", markersize=3)
    axes.plot([best["step"]], [best["value"]], color=ORANGE, marker="o", markersize=7, fillstyle="none")
    side = "left" if best["step"] < sum(scores[0]) / len(scores[0]) else "right"
    axes.annotate(
        f"best {best['value']:.4f}",
        (best["step"], best["value"]),
        xytext=(0, -12),
        textcoords="offset points",
        ha=side,
        color=INK,
    )
    axes.set(title=f"validation {best['metric']}", xlabel="step")
    axes.margins(y=0.2)
