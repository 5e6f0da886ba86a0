"""Metrics, each in two halves: what one example contributes, and what a sum of contributions means.

    score(prediction, reference)  ->  {"tp/PER": 1, "fn/LOC": 1}     one example's statistics
    summarize(totals)             ->  {"f1": 0.67, ...}              of any set, or resample, of examples

Statistics add up, so that the score of a thousand bootstrap resamples is one matrix product.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Statistics = dict[str, float]  # one example's, additive
Totals = Mapping[str, NDArray[np.float64]]  # sums of statistics, shape (resamples,)
Metrics = dict[str, NDArray[np.float64]]  # by name, shape (resamples,)


@dataclass(frozen=True)
class Measure:
    """A family of metrics over one form of answer."""

    name: str
    score: Callable[[Any, Any], Statistics]
    summarize: Callable[[Totals], Metrics]
    names: tuple[str, ...]  # every metric that `summarize` gives
    reported: tuple[str, ...]  # those that are shown unasked; the first picks the best model
    form: str  # of what is compared, a key of `evaluation.forms()`: label, labels, number, texts
    lower_is_better: tuple[str, ...] = ()
    shares: tuple[
        str, ...
    ] = ()  # metrics from 0 to 1 that say how much is right, or is so: see `stats.estimate`
    score_all: Callable[[Sequence[Any], Sequence[Any]], list[Statistics]] | None = None  # where ranks matter
    # what sums do not tell, such as ranks in a resample: from every example's statistics, shape (examples,),
    # and how often it is drawn, shape (examples, resamples)
    recount: Callable[[Totals, NDArray[np.float64]], Metrics] | None = None
    signatures: Callable[[Sequence[Any]], dict[str, str]] | None = (
        None  # of references: by metric, how it counts
    )

    def statistics(self, predictions: Sequence[Any], references: Sequence[Any]) -> list[Statistics]:
        """The statistics of every example of a set."""
        if self.score_all is not None:
            return self.score_all(predictions, references)
        return [self.score(p, r) for p, r in zip(predictions, references, strict=True)]

    def better(self, metric: str, value: float, than: float) -> bool:
        """Whether one value of a metric beats another."""
        return value < than if metric in self.lower_is_better else value > than


def stacked(totals: Totals, kind: str) -> NDArray[np.float64]:
    """The totals `tp/a`, `tp/b`, ... as rows, for all names that occur under any kind."""
    names = sorted({key.split("/", 1)[1] for key in totals if "/" in key})
    shape = np.shape(next(iter(totals.values()))) if totals else ()
    zero = np.zeros(shape)
    rows = [totals.get(f"{kind}/{name}", zero) for name in names]
    return np.stack(rows) if rows else np.zeros((1, *shape))


def ratio(part: Any, whole: Any) -> NDArray[np.float64]:
    """`part / whole`, and 0 where there is nothing to divide by."""
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    zero = np.zeros(np.broadcast(part, whole).shape)
    return np.asarray(np.divide(part, whole, out=zero, where=whole != 0))


def share_cut(totals: Totals, count: Any) -> Metrics:
    """The share of texts that were cut off at the limit, where that was counted."""
    return {"hit_limit": ratio(totals["cut"], count)} if "cut" in totals else {}


class LabelScore(NamedTuple):
    """How well one label, or type of entity, is found; a ratio 0/0 counts as 0."""

    precision: float
    recall: float
    f1: float
    n: int  # times that it is right


def by_label(rows: Iterable[Mapping[str, float]]) -> dict[str, LabelScore]:
    """The score of each label that statistics count as `tp/label`, `fp/label` or `fn/label`, by its name."""
    totals: defaultdict[str, float] = defaultdict(float)
    for key, value in (item for row in rows for item in row.items()):
        if key.startswith(("tp/", "fp/", "fn/")):
            totals[key] += value
    names = sorted({key.split("/", 1)[1] for key in totals})
    return {name: label_score(*(totals[f"{kind}/{name}"] for kind in ("tp", "fp", "fn"))) for name in names}


def label_score(right: float, invented: float, missed: float) -> LabelScore:
    """The score of a label that was found rightly, where it was not, and not where it was."""
    found, wanted = right + invented, right + missed
    precision, recall, f1 = ratio(right, found), ratio(right, wanted), ratio(2 * right, found + wanted)
    return LabelScore(float(precision), float(recall), float(f1), round(wanted))
