"""A comparison as a page: verdicts, differences with their intervals, slices, and examples that flipped."""

from collections.abc import Sequence
from typing import Any

from tunekit.comparison import Comparison, Difference, Flip, Pair, Slice
from tunekit.report.examples import told
from tunekit.report.page import render

SLICES = 14  # that are shown, the surest first
FLIPS = 12  # examples in each direction


def page(comparison: Comparison) -> str:
    """The page of a comparison."""
    values = {
        "names": comparison.names,
        "task": comparison.task,
        "split": comparison.split,
        "notes": comparison.notes,
        "pairs": [of_pair(pair) for pair in comparison.pairs],
        "several": len(comparison.pairs) > 1,
        "confidence": comparison.confidence,
    }
    return render("comparison.html.jinja", values)


def of_pair(pair: Pair) -> dict[str, Any]:
    """Two systems, as the page shows them."""
    slices = pair.slices[:SLICES]
    return {
        "a": pair.a,
        "b": pair.b,
        "n": pair.n,
        "left_out": pair.left_out,
        "identical": pair.identical,
        "verdict": pair.verdict,
        "mcnemar": next((each.mcnemar for each in pair.differences if each.mcnemar), None),
        "differences": drawn(pair.differences),
        "slices": drawn(slices),
        "more_slices": len(pair.slices) - len(slices),
        "found_slices": sum(each.found for each in pair.slices),
        "flips": [
            {"title": title, "count": len(found), "rows": [of_flip(each) for each in found[:FLIPS]]}
            for title, found in (("B is better", pair.gained), ("B is worse", pair.lost))
        ],
    }


def drawn(rows: Sequence[Difference | Slice]) -> list[dict[str, Any]]:
    """Rows of a forest plot, on one scale for those in points and another for others; zero is its middle."""
    ends: dict[bool, float] = {}
    for row in rows:
        reach = max(abs(each) for each in (row.value, row.low, row.high) if each is not None)
        ends[row.percent] = max(ends.get(row.percent, 0.0), reach)
    return [shown(row, 1.05 * ends[row.percent] or 1.0) for row in rows]


def shown(row: Difference | Slice, end: float) -> dict[str, Any]:
    """A difference with the scale on which it is drawn, in points where it is a share."""
    times = 100 if row.percent else 1
    worse = (row.value > 0) == row.lower_is_better
    sure = row.found if isinstance(row, Slice) else row.better is not None
    return {
        **row.facts(),
        "scale": (-end, end),
        "points": times * row.value,
        "bounds": None if row.low is None or row.high is None else (times * row.low, times * row.high),
        "colour": "even" if not sure else "worse" if worse else "better",
    }


def of_flip(flip: Flip) -> dict[str, Any]:
    """An example on which the two differ."""
    sides = {"wanted": flip.reference, "a": flip.a, "b": flip.b}
    scores = {"score_a": flip.score_a, "score_b": flip.score_b}
    return {"id": flip.id, **{name: told(value) for name, value in sides.items()}, **scores}
