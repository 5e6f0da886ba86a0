"""Whether probabilities mean what they say: how often claims of a probability are right."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunekit.report.figures import BLUE, DIM, LINE, figure
from tunekit.report.subject import Scored
from tunekit.stats import wilson

BINS = 15
FEWEST = 60  # claims from which on a curve says something
EACH = 20  # claims in a bin, at least
REPEATS = 200  # simulated sets of claims that are right as often as they say

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """A calibration curve and its error."""

    error: float
    chance: float  # the error that well calibrated claims of the same probabilities would show, on average
    said: float  # mean probability
    right: float  # share that is right
    claims: int
    bins: int
    figure: str


def calibration(scored: Scored) -> Calibration | None:
    """How well the probabilities of a split's answers are calibrated; None where too few have one."""
    claims = [claim for row in scored.claims for claim in row]
    if len(claims) < FEWEST:
        return None
    pairs = np.array(sorted(claims, key=lambda claim: claim[0]), np.float64)  # (claims, 2)
    said, right = pairs[:, 0], pairs[:, 1]
    bins = edges(len(said))
    title = "Share of right claims by their probability"
    return Calibration(
        float(expected_error(said, right, bins)),
        chance_error(said, bins),
        float(said.mean()),
        float(right.mean()),
        len(said),
        len(bins) - 1,
        figure("calibration", title, lambda axes: draw(axes, said, right, bins), height=3.5),
    )


def edges(count: int) -> NDArray[np.int64]:
    """Where bins with the same number of claims begin, and where the last one ends."""
    bins = min(BINS, max(1, count // EACH))
    return np.linspace(0, count, bins + 1).round().astype(np.int64)


def bin_means(values: Floats, bins: NDArray[np.int64]) -> Floats:
    """The mean of each bin of sorted values, shape (..., bins)."""
    return np.asarray(np.add.reduceat(values, bins[:-1], axis=-1) / np.diff(bins))


def expected_error(said: Floats, right: Floats, bins: NDArray[np.int64]) -> Floats:
    """The expected calibration error: over bins, the mean gap between probability and share of right ones.

    ECE = sum over bins b of n_b / n |right_b - said_b|, for the label that is claimed, in bins of equal mass.

    Source: Guo et al. (2017), section 2; Nixon et al. (2019), section 3.2, for the bins.
    """
    gaps = np.abs(bin_means(right, bins) - bin_means(said, bins))
    return np.asarray((gaps * np.diff(bins)).sum(-1) / bins[-1])


def chance_error(said: Floats, bins: NDArray[np.int64]) -> float:
    """The mean error of claims that are right exactly as often as they say: what few rows alone make."""
    random = np.random.default_rng(0)
    drawn = (random.random((REPEATS, len(said))) < said).astype(np.float64)
    return float(expected_error(said, drawn, bins).mean())


def draw(axes: Any, said: Floats, right: Floats, bins: NDArray[np.int64]) -> None:
    """The curve, where it should be, and how many claims there are of each probability."""
    x, y = bin_means(said, bins), bin_means(right, bins)
    low, high = zip(*map(wilson, y, np.diff(bins)), strict=True)
    heights, places = np.histogram(said, np.linspace(0, 1, 41))
    axes.bar(places[:-1], heights / heights.max() * 0.18, width=1 / 40, align="edge", color=LINE)
    axes.plot([0, 1], [0, 1], color=DIM, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.vlines(x, low, high, color=BLUE, linewidth=1.2)
    axes.plot(x, y, color=BLUE, linewidth=1.2, marker="o", markersize=3.5)
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="probability that was given", ylabel="share that is right")
    axes.set_aspect("equal")
