"""What is taken for what: the confusion matrix, and how well each label is found."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunekit.metrics import by_label
from tunekit.metrics.base import Metrics, Totals, ratio
from tunekit.report.subject import RESAMPLED, Scored, Subject
from tunekit.stats import estimate

MOST = 25  # labels of a matrix; of more, those that are confused most
LISTED = 100  # labels of the table
PAIRS = 8  # confusions that are named
OTHERS = "others"

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Confusion:
    """Counts by right label (rows) and by the label that was said (columns)."""

    labels: list[str]
    cells: list[list[dict[str, Any]]]  # count, share of its row, whether it is right
    pairs: list[tuple[str, str, int]]  # right, said, times
    total: int
    order: str


def confusion(subject: Subject, scored: Scored) -> Confusion | None:
    """How often each label is taken for each other; None where answers are no labels."""
    task = subject.task
    pairs = Counter(pair for each in scored.lines for pair in task.label_pairs(each.said, each.reference))
    occurring = {label for pair in pairs for label in pair}
    if len(occurring) < 2:
        return None
    names = [*(label for label in task.labels if label in occurring), *sorted(occurring - set(task.labels))]
    labels, counts = gathered(names, pairs)
    order, how = ordered(labels, counts)
    labels, counts = [labels[i] for i in order], counts[np.ix_(order, order)]
    wrong = Counter({pair: count for pair, count in pairs.items() if pair[0] != pair[1]})
    common = [(*pair, count) for pair, count in wrong.most_common(PAIRS)]
    return Confusion(labels, cells(counts), common, int(counts.sum()), how)


def gathered(names: Sequence[str], pairs: Mapping[tuple[str, str], int]) -> tuple[list[str], Counts]:
    """The labels of the matrix and its counts; of many labels those that are confused least become one."""
    wrong, there = Counter[str](), Counter[str]()
    for (right, said), count in pairs.items():
        there[right] += count
        if right != said:
            wrong.update({right: count, said: count})
    ranked = sorted(names, key=lambda name: (-wrong[name], -there[name]))
    kept = set(names) if len(names) <= MOST else set(ranked[: MOST - 1])
    labels = [name for name in names if name in kept] + ([OTHERS] if len(kept) < len(names) else [])
    place = {label: i for i, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), np.int64)
    for (right, said), count in pairs.items():
        counts[place.get(right, len(labels) - 1), place.get(said, len(labels) - 1)] += count
    return labels, counts


def ordered(labels: Sequence[str], counts: Counts) -> tuple[list[int], str]:
    """The labels so that those that are taken for each other are neighbours; numbers by size.

    Source: Bar-Joseph et al. (2001), in scipy: leaves of a hierarchical clustering in their optimal order.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
    from scipy.spatial.distance import squareform

    if len(labels) < 3 or all(label.lstrip("-").isdigit() for label in labels):
        return list(range(len(labels))), "as the data have them"
    share = ratio(counts, counts.sum(1, keepdims=True))
    apart = 1 - np.minimum(share + share.T, 1.0)
    np.fill_diagonal(apart, 0.0)
    distances = squareform(apart, checks=False)
    leaves = leaves_list(optimal_leaf_ordering(linkage(distances, "average"), distances))
    return [int(leaf) for leaf in leaves], "labels that are taken for each other stand side by side"


def cells(counts: Counts) -> list[list[dict[str, Any]]]:
    """The cells of a matrix."""
    shares = ratio(counts, counts.sum(1, keepdims=True))
    return [
        [
            {"count": int(count), "share": float(share), "right": row == column}
            for column, (count, share) in enumerate(zip(*pair, strict=True))
        ]
        for row, pair in enumerate(zip(counts, shares, strict=True))
    ]


def label_table(scored: Scored) -> dict[str, Any] | None:
    """Precision, recall and F1 of each label that answers are counted by, the most frequent first."""
    rows = [each.scores for each in scored.lines]
    found = by_label(rows)
    if not found:
        return None
    names = sorted(found, key=lambda name: (-found[name].n, name))[:LISTED]
    unknown = dict.fromkeys(("low", "high"))
    spread = f1_intervals(rows, names) if len(rows) <= RESAMPLED else dict.fromkeys(names, unknown)
    table = [{"label": name, **found[name]._asdict(), **spread[name]} for name in names]
    return {"rows": table, "more": len(found) - len(table)}


def f1_intervals(rows: Iterable[Mapping[str, float]], names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The 95 % interval of each label's F1."""
    kinds = {f"{kind}/{name}" for name in names for kind in ("tp", "fp", "fn")}
    counted = [{key: value for key, value in row.items() if key in kinds} for row in rows]

    def summarize(totals: Totals) -> Metrics:
        """F1 by label."""
        zero = np.zeros(np.shape(next(iter(totals.values()))))
        parts = {name: [totals.get(f"{kind}/{name}", zero) for kind in ("tp", "fp", "fn")] for name in names}
        return {name: ratio(2 * tp, 2 * tp + fp + fn) for name, (tp, fp, fn) in parts.items()}

    return {name: {"low": e.low, "high": e.high} for name, e in estimate(counted, summarize).items()}
