"""Where two systems differ most: labels and types, lengths, cut off or not, and what else rows say."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunekit.comparison.matching import Matched, differences
from tunekit.comparison.result import Slice
from tunekit.metrics.base import Metrics, Totals, ratio
from tunekit.stats import Paired, Sample, holm

FEWEST = 20  # examples, and units, of a slice; of a label the times that it is right
MOST_LABELS = 50  # the most frequent ones
MOST_VALUES = 20  # different values by which a column makes slices
COUNTED = ("tp/", "fp/", "fn/")


@dataclass(frozen=True)
class Part:
    """A part of the examples."""

    kind: str
    name: str
    examples: NDArray[np.int64]


def find_slices(matched: Matched, metric: str, *, percent: bool) -> tuple[Slice, ...]:
    """Every slice that is large enough, the surest difference first; p values count all slices."""
    found = [*of_labels(matched), *of_parts(matched, metric, percent=percent)]
    corrected = holm([1.0 if each.p is None else each.p for each in found])
    slices = [replace(each, adjusted=p) for each, p in zip(found, corrected, strict=True)]
    return tuple(sorted(slices, key=lambda each: (each.adjusted, each.p, -abs(each.value))))


def of_labels(matched: Matched) -> Iterator[Slice]:
    """The F1 of each label, or type of entity, that is right often enough."""
    counts: Counter[str] = Counter()
    for row in matched.a.statistics:
        for key, value in row.items():
            if key.startswith(("tp/", "fn/")):
                counts[key.split("/", 1)[1]] += round(value)
    labels = {label: count for label, count in counts.most_common(MOST_LABELS) if count >= FEWEST}
    if not labels:
        return

    def by_label(totals: Totals) -> Metrics:
        """F1 by label, shape (resamples,) each."""
        zero = 0 * next(iter(totals.values()))
        parts = {label: [totals.get(f"{kind}{label}", zero) for kind in COUNTED] for label in labels}
        return {label: ratio(2 * tp, 2 * tp + fp + fn) for label, (tp, fp, fn) in parts.items()}

    a, b = (Sample.of(counted(side.statistics), by_label, matched.units) for side in (matched.a, matched.b))
    for label, difference in differences(a, b).items():
        yield of_difference("label", label, "f1", labels[label], difference, lower=False, percent=True)


def counted(statistics: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
    """The statistics that count labels, and one that every row has."""
    return [{"": 1.0, **{k: v for k, v in row.items() if k.startswith(COUNTED)}} for row in statistics]


def of_parts(matched: Matched, metric: str, *, percent: bool) -> Iterator[Slice]:
    """The metric on each part of the examples that is large enough."""
    lower = metric in matched.a.measure.lower_is_better
    for part in parts_of(matched):
        a, b = (sample.pick(part.examples) for sample in matched.samples)
        if min(a.units, a.examples) >= FEWEST and a.examples < len(matched.ids):
            difference, count = differences(a, b).get(metric), a.examples
            if difference is None:  # no finite number
                continue
            yield of_difference(part.kind, part.name, metric, count, difference, lower=lower, percent=percent)


def of_difference(
    kind: str, name: str, metric: str, n: int, found: Paired, *, lower: bool, percent: bool
) -> Slice:
    """A slice, not yet corrected for others."""
    sides = (found.a, found.b, found.value, found.low, found.high, found.p)
    return Slice(kind, name, metric, n, *sides, None, lower_is_better=lower, percent=percent)


def parts_of(matched: Matched) -> Iterator[Part]:
    """Parts by length, by what was cut off, by what is right, and by columns with few values."""
    rows = matched.traits
    yield from ranges("length", [row.get("tokens") for row in rows], "tokens")
    flags = [bool(row.get("truncated")) for row in rows]
    if any(flags):
        yield from values("truncated", ["cut off" if flag else "whole" for flag in flags])
    yield from by_reference(matched.references)
    for column in dict.fromkeys(key for row in rows for key in row):
        if column not in ("tokens", "truncated", "unit"):
            yield from values(column, [row.get(column) for row in rows])


def by_reference(references: Sequence[Any]) -> Iterator[Part]:
    """Parts by whether there is an answer, by the size of a number, or by the length of texts."""
    if all(isinstance(each, int | float) for each in references):
        yield from ranges("reference", references, "")
    elif all(isinstance(each, list) for each in references):
        yield from values("reference", ["some" if each else "none" for each in references])
    elif len(set(map(str, references))) > MOST_LABELS:
        yield from ranges("reference", [len(str(each).split()) for each in references], "words")


def values(kind: str, column: Sequence[Any]) -> Iterator[Part]:
    """A part for each value of a column that has few."""
    if not all(isinstance(value, str | bool | int) for value in column):
        return
    kinds = sorted({str(value) for value in column})
    if 2 <= len(kinds) <= MOST_VALUES:
        names = np.array([str(value) for value in column])
        yield from (Part(kind, name, np.flatnonzero(names == name)) for name in kinds)


def ranges(kind: str, column: Sequence[Any], thing: str) -> Iterator[Part]:
    """Four parts of even size by a number, where there are different ones."""
    if not all(isinstance(value, int | float) and math.isfinite(value) for value in column):
        return
    numbers = np.asarray(column, np.float64)
    edges = np.unique(np.quantile(numbers, (0.25, 0.5, 0.75), method="inverted_cdf"))
    bounds = [-np.inf, *edges[edges < numbers.max()], np.inf]
    for low, high in zip(bounds[:-1], bounds[1:], strict=True):
        inside = np.flatnonzero((numbers > low) & (numbers <= high))
        yield Part(kind, f"{numbers[inside].min():g} to {numbers[inside].max():g} {thing}".strip(), inside)
