"""How sure a score is: totals of per-example statistics, and bootstrap intervals around their summary."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
CONFIDENCE = 0.95

Statistics = Mapping[str, float]
Summarize = Callable[[Mapping[str, NDArray[np.float64]]], Mapping[str, NDArray[np.float64]]]


@dataclass(frozen=True)
class Estimate:
    """A metric's value with its 95 % interval over `n` examples."""

    value: float
    low: float | None  # None where a metric has no per-example statistics
    high: float | None
    n: int


def totals(statistics: Sequence[Statistics]) -> dict[str, NDArray[np.float64]]:
    """Add up the statistics of all examples; every total has shape ()."""
    names, matrix = tabulate(statistics)
    return dict(zip(names, np.asarray(matrix.sum(axis=0)), strict=True))


def tabulate(statistics: Sequence[Statistics]) -> tuple[list[str], Any]:
    """The statistics as names and a sparse matrix, shape (examples, names)."""
    from scipy.sparse import csr_array

    names = sorted({name for row in statistics for name in row})
    column = {name: i for i, name in enumerate(names)}
    cells = [(i, column[name], value) for i, row in enumerate(statistics) for name, value in row.items()]
    rows, columns, values = zip(*cells, strict=True) if cells else ((), (), ())
    return names, csr_array((values, (rows, columns)), shape=(len(statistics), len(names)), dtype=np.float64)


def estimate(statistics: Sequence[Statistics], summarize: Summarize, seed: int = 0) -> dict[str, Estimate]:
    """Each metric over all examples, with a percentile bootstrap interval over examples.

    Source: Efron and Tibshirani (1993), chapter 13; scipy.stats.bootstrap does the resampling.
    """
    from scipy.stats import bootstrap

    names, matrix = tabulate(statistics)
    count = len(statistics)

    def summary(picks: NDArray[np.int64], axis: int = -1) -> NDArray[np.float64]:
        """The metrics of resamples; picks has shape (..., examples), the result (metrics, ...)."""
        flat = picks.reshape(-1, count)
        offsets = np.arange(len(flat))[:, None] * count
        weights = np.bincount((flat + offsets).ravel(), minlength=flat.size).reshape(-1, count)
        sums = (matrix.T @ weights.T).reshape(len(names), *picks.shape[:-1])
        return np.stack(list(summarize(dict(zip(names, sums, strict=True))).values()))

    everything = np.arange(count)
    metrics = list(summarize(totals(statistics)))
    values = summary(everything)
    low, high = values, values
    if count > 1:
        interval = bootstrap(
            (everything,),
            summary,
            vectorized=True,
            n_resamples=RESAMPLES,
            batch=max(1, 2_000_000 // count),
            confidence_level=CONFIDENCE,
            method="percentile",
            rng=np.random.default_rng(seed),
        ).confidence_interval
        low, high = interval.low, interval.high
    rows = zip(metrics, values, low, high, strict=True)
    return {name: Estimate(float(v), float(lo), float(hi), count) for name, v, lo, hi in rows}
