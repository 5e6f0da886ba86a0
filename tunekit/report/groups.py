"""Where the model is strong and weak: scores by the length of what it reads, and by the task's groups."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tunekit.report.subject import RESAMPLED, Line, Scored
from tunekit.stats import estimate, totals

PARTS = 5  # of rows by their length
FEWEST = 20  # rows of such a part
SMALLEST = 5  # rows of a group that is shown
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

Group = tuple[str, list[Line]]


def group_tables(scored: Scored) -> list[dict[str, Any]]:
    """The score of each group of rows, for everything that parts them into several."""
    metric = scored.task.measure.reported[0]
    tables = []
    for title, groups in parted(scored):
        told = [(name, lines) for name, lines in groups if len(lines) >= SMALLEST]
        if len(told) > 1:
            rows = [{"name": name, **score_of(scored, lines, metric)} for name, lines in told]
            tables.append({"title": title, "metric": metric, "rows": rows})
    return tables


def parted(scored: Scored) -> Iterator[tuple[str, list[Group]]]:
    """The rows of a split in groups, by what parts them."""
    yield "tokens that are read", by_length(scored)
    titles: dict[str, dict[str, list[Line]]] = {}
    for line in scored.lines:
        for title, name in scored.task.groups(line.example, line.reference).items():
            titles.setdefault(title, {}).setdefault(name, []).append(line)
    for title, groups in titles.items():
        yield title, sorted(groups.items(), key=lambda group: in_order(group[0]))


def in_order(name: str) -> tuple[int, str]:
    """What groups are sorted by: the number that their name begins with, if it does."""
    first = name.partition(" ")[0]
    return (int(first) if first.isdecimal() else 0), name


def by_length(scored: Scored) -> list[Group]:
    """Rows in parts of about the same number, from those with the fewest tokens to those with the most."""
    sizes = np.array([line.tokens for line in scored.lines])
    parts = min(PARTS, len(sizes) // FEWEST)
    if parts < 2 or not sizes.any():
        return []
    bounds = np.unique(np.quantile(sizes, np.linspace(0, 1, parts + 1), method="higher"))
    groups = []
    for number, (low, high) in enumerate(zip(bounds[:-1], bounds[1:], strict=True)):
        first = low if number == 0 else low + 1
        inside = np.flatnonzero((sizes >= first) & (sizes <= high))
        name = f"{first:,}" if first == high else f"{first:,} to {high:,}"
        groups.append((name, [scored.lines[i] for i in inside]))
    return groups


def score_of(scored: Scored, lines: Sequence[Line], metric: str) -> dict[str, Any]:
    """The metric of some rows with its interval."""
    statistics, task = [line.scores for line in lines], scored.task
    if len(lines) > RESAMPLED:
        value = float(task.summarize(totals(statistics))[metric])
        return {"value": value, "low": None, "high": None, "n": len(lines)}
    units = [number if line.unit is None else line.unit for number, line in enumerate(lines)]
    recount, shares = task.measure.recount, task.measure.shares
    found = estimate(statistics, task.summarize, units=units, recount=recount, shares=shares)[metric]
    return {"value": found.value, "low": found.low, "high": found.high, "n": len(lines)}


def trait_table(scored: Scored) -> list[dict[str, Any]]:
    """The quantiles of every number that says what answers are like."""
    found: dict[str, list[float]] = {}
    for line in (each for each in scored.lines if each.said is not None):
        traits: Mapping[str, float] = scored.task.traits(line.example, line.said, line.reference)
        for name, value in traits.items():
            found.setdefault(name, []).append(value)
    return [
        {"name": name, "mean": float(np.mean(values)), "quantiles": np.quantile(values, QUANTILES).tolist()}
        for name, values in found.items()
    ]
