"""Two systems on the same examples: the difference of every metric, and how sure it is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tunekit.stats.bootstrap import CONFIDENCE, RESAMPLES, ROUNDING, SEED, Bootstrap, bootstrap
from tunekit.stats.intervals import is_share
from tunekit.stats.sample import Array, Sample

FEW = 25  # units that differ, below which their exact distribution decides
LISTED = 12  # units up to which all ways to swap are tried
SWAPS = 4096  # ways that are tried, of all or by chance
POWER = 0.8


@dataclass(frozen=True)
class Disagreement:
    """Units on which one of two systems alone is right."""

    only_a: int
    only_b: int
    p: float  # of McNemar's test: that both are right as often
    exact: bool


@dataclass(frozen=True)
class Paired:
    """The difference of a metric, B minus A."""

    a: float
    b: float
    value: float
    low: float | None  # None where resamples tell nothing
    high: float | None
    p: float  # two-sided, of no difference
    error: float  # standard error of the difference
    differing: int  # units that do not score the same
    disagreement: Disagreement | None = None  # where the metric is a share of units


def paired(a: Sample, b: Sample, seed: int = SEED, resamples: int = RESAMPLES) -> dict[str, Paired]:
    """The difference of every metric that both samples have; they are of the same examples, in order.

    Metrics that are not finite numbers, in every resample too, are left out.
    """
    names = [name for name in a.alone if name in b.alone] if a.units else []

    def difference(counts: Array) -> dict[str, Array]:
        """B minus A in resamples that both share."""
        left, right = a.metrics(counts), b.metrics(counts)
        with np.errstate(invalid="ignore"):
            return {name: right[name] - left[name] for name in names}

    if not names:
        return {}
    found, left, right = bootstrap(difference, a.units, seed, resamples), a.values, b.values
    changed = differing(a, b)
    finite = [name for name in names if found[name].finite]
    return {name: judged(a, b, name, found[name], (left[name], right[name]), changed) for name in finite}


def judged(
    a: Sample, b: Sample, name: str, found: Bootstrap, values: tuple[float, float], changed: NDArray[np.int64]
) -> Paired:
    """A difference with its interval and p value; where few units differ, from their exact distribution."""
    bounds, p = found.bounds(), found.p_of_zero()
    pairs = disagreement(a, b, name, values) if a.units == a.examples else None
    if pairs and (pairs.exact or bounds is None):
        bounds, p = exact_bounds(pairs, a.units), pairs.p
    elif len(changed) < FEW:
        p = max(p, swapped(a, b, name, changed, found.value))
        if bounds and p >= 1 - CONFIDENCE:
            bounds = min(bounds[0], 0.0), max(bounds[1], 0.0)
    low, high = bounds or (None, None)
    return Paired(*values, found.value, low, high, p, found.error, len(changed), pairs)


def differing(a: Sample, b: Sample) -> NDArray[np.int64]:
    """The units of which some statistic is not the same."""
    names = sorted({*a.names, *b.names})
    apart = np.zeros(a.units, bool)
    left, right = (dict(zip(each.names, each.by_unit.toarray(), strict=True)) for each in (a, b))
    for name in names:
        apart |= np.abs(left.get(name, 0.0) - right.get(name, 0.0)) > ROUNDING
    return np.flatnonzero(apart)


def disagreement(a: Sample, b: Sample, name: str, values: tuple[float, float]) -> Disagreement | None:
    """How often one system alone is right, where a metric is a share of units."""
    if not (is_share(a, name, values[0]) and is_share(b, name, values[1])):
        return None
    right_a, right_b = a.alone[name] == 1, b.alone[name] == 1
    return mcnemar(int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum()))


def mcnemar(only_a: int, only_b: int) -> Disagreement:
    """McNemar's test: by the binomial distribution for few pairs that disagree, else by the normal one."""
    from scipy.special import ndtr
    from scipy.stats import binomtest

    count = only_a + only_b
    if count < FEW:
        p = float(binomtest(only_b, count).pvalue) if count else 1.0
    else:
        p = float(2 * ndtr(-abs(only_a - only_b) / math.sqrt(count)))
    return Disagreement(only_a, only_b, p, count < FEW)


def exact_bounds(pairs: Disagreement, units: int) -> tuple[float, float] | None:
    """The interval of a difference of shares, given how many pairs disagree; it agrees with the exact test.

    Where none disagree there is none.

    Source: Clopper and Pearson (1934), for the share of the disagreeing pairs that are in favour of B.
    """
    from scipy.stats import binomtest

    count = pairs.only_a + pairs.only_b
    if not count:
        return None
    share = binomtest(pairs.only_b, count).proportion_ci(CONFIDENCE, method="exact")
    return (2 * share.low - 1) * count / units, (2 * share.high - 1) * count / units


def swapped(a: Sample, b: Sample, name: str, changed: NDArray[np.int64], value: float) -> float:
    """How often the systems differ as much when the scores of some units change sides; at most 4,096 ways.

    Source: Noreen (1989), approximate randomization.
    """
    if not len(changed):
        return 1.0
    signs = ways(len(changed))  # 1 where a unit changes sides, (units that differ, ways)
    names = sorted({*a.names, *b.names})
    left, right = (table(each, names) for each in (a, b))
    moved = (right - left)[:, changed] @ signs
    first, second = left.sum(axis=1)[:, None] + moved, right.sum(axis=1)[:, None] - moved
    apart = b.summarize(dict(zip(names, second, strict=True)))[name]
    with np.errstate(invalid="ignore"):
        apart = apart - a.summarize(dict(zip(names, first, strict=True)))[name]
    return float((~(np.abs(apart) < abs(value) - ROUNDING)).mean())  # what is not finite counts


def ways(units: int) -> Array:
    """Which units change sides, (units, ways): every way where these are few, else some; at first none."""
    if units <= LISTED:
        return ((np.arange(2**units) >> np.arange(units)[:, None]) & 1).astype(np.float64)
    drawn = np.random.default_rng(SEED).integers(2, size=(units, SWAPS)).astype(np.float64)
    drawn[:, 0] = 0
    return drawn


def table(sample: Sample, names: Sequence[str]) -> Array:
    """The statistics of units, with zeros for those that a sample lacks, (names, units)."""
    known = dict(zip(sample.names, sample.by_unit.toarray(), strict=True))
    return np.stack([known.get(name, np.zeros(sample.units)) for name in names])


def needed(found: Paired, examples: int, comparisons: int = 1) -> int | None:
    """The examples with which a difference of this size is found with 80 % power; None where there is none.

    (z of the level + z of the power)^2 (error / difference)^2 examples: the error falls with their root.
    """
    from scipy.special import ndtri

    if abs(found.value) <= ROUNDING or found.error <= 0:
        return None
    reach = ndtri(1 - (1 - CONFIDENCE) / 2 / comparisons) + ndtri(POWER)
    return math.ceil(examples * float(reach * found.error / found.value) ** 2)


def holm(values: Sequence[float]) -> list[float]:
    """P values corrected so that one false finding among all is as rare as it should be; Holm (1979)."""
    order = np.argsort(values, kind="stable")
    steps = np.asarray(values, np.float64)[order] * np.arange(len(values), 0, -1)
    corrected = np.empty(len(values))
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected.tolist()
