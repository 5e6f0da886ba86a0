"""How sure a score is: each metric with its 95 % interval."""

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from tunekit.stats.bootstrap import CONFIDENCE, ROUNDING, SEED, Bootstrap, bootstrap
from tunekit.stats.sample import Recount, Sample, Statistics, Summarize


@dataclass(frozen=True)
class Estimate:
    """A metric's value with its 95 % interval over `n` examples."""

    value: float
    low: float | None  # None where a metric has no per-example statistics, or is not finite in a resample
    high: float | None
    n: int


def estimate(
    statistics: Sequence[Statistics],
    summarize: Summarize,
    seed: int = SEED,
    *,
    units: Sequence[Hashable] | None = None,
    recount: Recount | None = None,
    shares: Collection[str] | None = None,
) -> dict[str, Estimate]:
    """Each metric over all examples with its interval; examples with equal `units` are not independent.

    A share of units has Wilson's interval, and so has one of `shares` that is 1 in every resample. Everything
    else has that of the bootstrap, which tells nothing of one unit, or where all resamples have one value.
    """
    sample = Sample.of(statistics, summarize, units, recount, shares)
    found = bootstrap(sample.metrics, sample.units, seed)
    return {name: interval(sample, name, each) for name, each in found.items()}


def interval(sample: Sample, name: str, found: Bootstrap) -> Estimate:
    """A metric with its interval."""
    if not found.finite:
        return Estimate(found.value, None, None, sample.examples)
    perfect = may_be_share(sample, name) and found.steady and found.value == 1  # and still it may be less
    if is_share(sample, name, found.value) or perfect:
        return Estimate(found.value, *wilson(found.value, sample.units), sample.examples)
    low, high = found.bounds() or (None, None)
    return Estimate(found.value, low, high, sample.examples)


def is_share(sample: Sample, name: str, value: float) -> bool:
    """Whether a metric is the share of units that are right: 0 or 1 for each, and their mean for all."""
    alone = sample.alone.get(name)
    if not may_be_share(sample, name) or alone is None or not np.isin(alone, (0.0, 1.0)).all():
        return False
    return bool(abs(alone.mean() - value) <= ROUNDING)


def may_be_share(sample: Sample, name: str) -> bool:
    """Whether a metric counts what is right, unlike a correlation, which is 0 for every single unit."""
    return sample.shares is None or name in sample.shares


def wilson(share: float, count: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The interval of a share of `count` independent units; source: Wilson (1927), in scipy."""
    from scipy.stats import binomtest

    found = binomtest(round(share * count), count).proportion_ci(confidence, method="wilson")
    return float(found.low), float(found.high)
