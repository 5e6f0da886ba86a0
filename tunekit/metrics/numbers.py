"""A number an example: correlations with the right ones, and errors."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tunekit.metrics.base import Measure, Metrics, Statistics, Totals, ratio

NOISE = 1e-12  # a variance below this share of the mean square is rounding


def score_numbers(predictions: Sequence[float], references: Sequence[float]) -> list[Statistics]:
    """Each example's part in the moments of both sides and of their ranks, and its errors.

    Values are taken relative to the median of their side, which moves no correlation and saves digits. Ranks
    are those in the whole set; `recount_ranks` gives those in a resample.
    """
    from scipy.stats import rankdata

    found, wanted = (np.asarray(side, np.float64) for side in (predictions, references))
    off = found - wanted
    columns = {
        "examples": np.ones(len(found)),
        **moments("", found - np.median(found), wanted - np.median(wanted)),
        **moments("rank_", rankdata(found), rankdata(wanted)),
        "squared_error": off**2,
        "absolute_error": np.abs(off),
    }
    names = list(columns)
    return [dict(zip(names, row, strict=True)) for row in np.stack(list(columns.values()), axis=1).tolist()]


def score_number(prediction: float, reference: float) -> Statistics:
    """The statistics of a set of one example."""
    return score_numbers([prediction], [reference])[0]


def moments(prefix: str, x: NDArray[np.float64], y: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """What the correlation of x and y is made of."""
    return {
        f"{prefix}x": x,
        f"{prefix}y": y,
        f"{prefix}xx": x * x,
        f"{prefix}yy": y * y,
        f"{prefix}xy": x * y,
    }


def summarize_numbers(totals: Totals) -> Metrics:
    """Pearson's and Spearman's correlations as in scipy, 0 where a side is constant, and mean errors."""
    squared = ratio(totals["squared_error"], totals["examples"])
    return {
        "pearson": correlation(totals, ""),
        "spearman": correlation(totals, "rank_"),
        "mse": squared,
        "rmse": np.sqrt(squared),
        "mae": ratio(totals["absolute_error"], totals["examples"]),
    }


def correlation(totals: Totals, prefix: str) -> NDArray[np.float64]:
    """Pearson's correlation from sums of moments."""
    n, x, y, xx, yy, xy = (
        totals[name] for name in ("examples", *(f"{prefix}{part}" for part in ("x", "y", "xx", "yy", "xy")))
    )
    spread = np.sqrt(variance(n, x, xx)) * np.sqrt(variance(n, y, yy))
    return np.clip(ratio(n * xy - x * y, spread), -1.0, 1.0)


def recount_ranks(columns: Totals, counts: NDArray[np.float64]) -> Metrics:
    """Spearman's correlation in resamples, by the ranks that examples have there."""
    x, y = (ranks(columns[name], counts) for name in ("rank_x", "rank_y"))  # (examples, resamples) each
    drawn = counts.sum(axis=0)
    x, y = x - (drawn + 1) / 2, y - (drawn + 1) / 2  # the mean rank
    spread = np.sqrt((counts * x * x).sum(axis=0)) * np.sqrt((counts * y * y).sum(axis=0))
    return {"spearman": np.clip(ratio((counts * x * y).sum(axis=0), spread), -1.0, 1.0)}


def ranks(values: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rank of each example in resamples, where equals share theirs, shape (examples, resamples)."""
    order = np.argsort(values, kind="stable")
    begins = np.flatnonzero(np.diff(values[order], prepend=np.nan))  # of each run of equals
    run = np.empty(len(values), np.int64)
    run[order] = np.cumsum(np.isin(np.arange(len(values)), begins)) - 1
    sizes = np.add.reduceat(counts[order], begins, axis=0)  # (runs, resamples)
    return (np.cumsum(sizes, axis=0) - (sizes - 1) / 2)[run]


def variance(n: NDArray[np.float64], x: NDArray[np.float64], xx: NDArray[np.float64]) -> NDArray[np.float64]:
    """The variance times the square of the count, and 0 where only rounding is left."""
    value = n * xx - x * x
    return np.where(value > NOISE * n * xx, value, 0.0)


NAMES = ("pearson", "spearman", "mse", "rmse", "mae")
REGRESSION = Measure(
    "regression",
    score_number,
    summarize_numbers,
    NAMES,
    NAMES,
    "number",
    lower_is_better=("mse", "rmse", "mae"),
    score_all=score_numbers,
    recount=recount_ranks,
)
