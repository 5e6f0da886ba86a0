"""Bootstrap intervals that correct for bias and skew (BCa), and the p value that agrees with them.

    level of a bound = Phi(bias + (bias + z) / (1 - skew (bias + z)))     z: about -1.96 and 1.96 for 95 %

z is that of Student's t, times sqrt(n / (n - 1)), for n units: resamples of few units vary too little.

Source: Efron (1987), "Better bootstrap confidence intervals"; Hesterberg (2015) for z. The p value turns the
formula round.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from tunekit.stats.sample import CELLS, Array, draws

RESAMPLES = 2000
CONFIDENCE = 0.95
BLOCKS = 1000  # of units that are left out one after the other; with more units several are left out at once
SEED = 0

Summary = Callable[[Array], Mapping[str, Array]]  # counts (units, resamples) -> metrics (resamples,)


@dataclass(frozen=True)
class Bootstrap:
    """The resamples of one value, with what corrects them."""

    value: float
    units: int
    drawn: Array  # the value in each resample, sorted
    bias: float  # how far the value is from the median of its resamples, in standard deviations
    skew: float  # the acceleration, from values with a part of the units left out

    @property
    def error(self) -> float:
        """The standard error."""
        with np.errstate(over="ignore", invalid="ignore"):
            return float(self.drawn.std())

    @property
    def finite(self) -> bool:
        """Whether resamples tell anything: not where one is not finite, or too large to square."""
        return all(map(math.isfinite, (self.value, self.error, self.skew)))

    @property
    def freedom(self) -> int:
        """The degrees of freedom."""
        return max(self.units - 1, 1)

    @property
    def narrow(self) -> float:
        """By how much resamples vary too little."""
        return math.sqrt(self.units / self.freedom)

    @property
    def steady(self) -> bool:
        """Whether every resample has the same value, so that resamples tell nothing."""
        return bool(np.ptp(self.drawn) <= ROUNDING * max(1.0, abs(self.value)))

    def bounds(self, confidence: float = CONFIDENCE) -> tuple[float, float] | None:
        """The interval, if resamples tell of one."""
        from scipy.special import ndtr, stdtrit

        if self.steady or self.units < 2:
            return None
        far = stdtrit(self.freedom, (1 + confidence) / 2) * self.narrow
        shifted = self.bias + np.array([-far, far])
        low, high = np.quantile(
            self.drawn, ndtr(self.bias + shifted / np.maximum(1 - self.skew * shifted, EDGE))
        )
        return float(low), float(high)

    def p_of_zero(self) -> float:
        """Two-sided: the confidence at which an end of the interval is 0, from 1.

        Beyond what resamples can tell it is that of the standard error, but no larger.
        """
        from scipy.special import ndtri, stdtr

        if self.steady:
            return 1.0 if abs(self.value) <= ROUNDING else 0.0
        count = len(self.drawn)
        below = (np.searchsorted(self.drawn, 0, "left") + np.searchsorted(self.drawn, 0, "right")) / 2
        at_zero = ndtri(np.clip(below / count, 0.5 / count, 1 - 0.5 / count)) - self.bias
        z = at_zero / max(1 + self.skew * at_zero, EDGE) - self.bias
        sure = abs(z) if 0 < below < count else max(abs(z), abs(self.value) / self.error)
        return float(2 * stdtr(self.freedom, -sure / self.narrow))


ROUNDING = 1e-12
EDGE = 1e-3  # the least divisor; a larger skew says that there is too little to tell


def bootstrap(
    summary: Summary, units: int, seed: int = SEED, resamples: int = RESAMPLES
) -> dict[str, Bootstrap]:
    """Every value that a summary of counts gives, with its resamples."""
    values = {name: float(value[0]) for name, value in summary(np.ones((units, 1))).items()}
    drawn = gathered(summary, draws(units, resamples, seed))
    without = gathered(summary, left_out(units))
    return {
        name: Bootstrap(v, units, np.sort(drawn[name]), bias(v, drawn[name]), skew(without[name]))
        for name, v in values.items()
    }


def gathered(summary: Summary, parts: Iterator[Array]) -> dict[str, Array]:
    """The values for all counts, which come in parts."""
    found = [summary(counts) for counts in parts]
    return {name: np.concatenate([part[name] for part in found]) for name in found[0]}


def left_out(units: int) -> Iterator[Array]:
    """Counts in which each unit once, or each block of units, is not there, (units, part of the blocks)."""
    blocks = min(units, BLOCKS)
    block = np.arange(units) % blocks  # of each unit
    most = max(1, CELLS // max(units, 1))
    for begin in range(0, blocks, most):
        numbers = np.arange(begin, min(begin + most, blocks))
        yield (block[:, None] != numbers).astype(np.float64)


def bias(value: float, drawn: Array) -> float:
    """How many standard deviations a value is above the median of its resamples; equals count half."""
    from scipy.special import ndtri

    near = ROUNDING * max(1.0, abs(value))
    share = ((drawn < value - near).mean() + (drawn <= value + near).mean()) / 2
    least = 0.5 / len(drawn)
    return float(ndtri(np.clip(share, least, 1 - least)))


def skew(without: Array) -> float:
    """The acceleration, a sixth of the skewness of what the units contribute."""
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite tells nothing: see `finite`
        apart = without.mean() - without
        spread, third = (apart**2).sum(), (apart**3).sum()
        below = 6 * spread**1.5
    if not np.isfinite(below):
        return math.nan
    return float(third / below) if spread > ROUNDING**2 else 0.0
