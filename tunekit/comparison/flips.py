"""The examples on which two systems do not score the same."""

import numpy as np
from numpy.typing import NDArray

from tunekit.comparison.matching import Matched, Side
from tunekit.comparison.result import Flip
from tunekit.metrics.base import ratio

COUNTED = ("tp/", "fp/", "fn/")


def find_flips(matched: Matched, metric: str) -> tuple[tuple[Flip, ...], tuple[Flip, ...]]:
    """What A does better, and what B does better, the largest change first.

    Where an example is right or wrong, these are the examples that one alone has right.
    """
    metric = telling(matched, metric)
    sign = -1.0 if metric in matched.a.measure.lower_is_better else 1.0
    a, b = (by_example(side, metric) for side in (matched.a, matched.b))
    with np.errstate(invalid="ignore"):  # where both are without end neither is better
        gain = sign * (b - a)
    order = np.argsort(-np.abs(gain), kind="stable")
    lost, gained = (
        tuple(flip(matched, int(n), a, b) for n in order if side * gain[n] > 0) for side in (-1, 1)
    )
    return lost, gained


def flip(matched: Matched, n: int, a: NDArray[np.float64], b: NDArray[np.float64]) -> Flip:
    """One example."""
    sides = (matched.a.predictions[n], matched.b.predictions[n], float(a[n]), float(b[n]))
    return Flip(matched.ids[n], matched.references[n], *sides)


def telling(matched: Matched, metric: str) -> str:
    """The metric, or where it says nothing of single examples, as a correlation does, the first that does."""
    alone = matched.samples[0].alone
    varying = (name for name in (metric, *matched.names) if (alone[name] != alone[name][:1]).any())
    return next(varying, metric)


def by_example(side: Side, metric: str) -> NDArray[np.float64]:
    """What each example scores by itself, (examples,); where labels are counted, the F1 of its own labels."""
    if any(key.startswith(COUNTED) for row in side.statistics for key in row):
        right, wrong = (
            np.array([sum(v for k, v in row.items() if k.startswith(kinds)) for row in side.statistics])
            for kinds in (COUNTED[:1], COUNTED[1:])
        )
        nothing = right + wrong == 0  # nothing to find, and nothing found
        return np.asarray(ratio(2 * right, 2 * right + wrong) + nothing)
    single = side.sample(range(len(side.statistics)))
    return single.alone[metric]
