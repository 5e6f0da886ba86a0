"""Any number of labels an example: F1 in its averages, and how often the whole set is right."""

from collections.abc import Sequence

from tunekit.metrics.base import Measure, Metrics, Statistics, Totals, ratio, stacked


def score_set(prediction: Sequence[str], reference: Sequence[str]) -> Statistics:
    """Count the right, invented and missed labels of one example, and how much of both sets is shared."""
    found, wanted = set(prediction), set(reference)
    size = len(found) + len(wanted)
    counts: Statistics = {
        "examples": 1.0,
        "exact": float(found == wanted),
        "shared": 2 * len(found & wanted) / size if size else 1.0,
    }
    groups = {"tp": found & wanted, "fp": found - wanted, "fn": wanted - found}
    return counts | {f"{kind}/{label}": 1.0 for kind, group in groups.items() for label in sorted(group)}


def summarize_sets(totals: Totals) -> Metrics:
    """F1 over all labels of all examples (micro), over labels (macro) and over examples, as in scikit-learn.

    The macro average is over the labels that occur in predictions or references. A ratio 0/0 counts as 0; an
    example that has no label and is given none counts as right.
    """
    tp, fp, fn = (stacked(totals, kind) for kind in ("tp", "fp", "fn"))  # (labels, resamples) each
    right, found, wanted = tp.sum(0), (tp + fp).sum(0), (tp + fn).sum(0)
    occurs = (tp + fp + fn) > 0
    return {
        "micro_f1": ratio(2 * right, found + wanted),
        "macro_f1": ratio((ratio(2 * tp, 2 * tp + fp + fn) * occurs).sum(0), occurs.sum(0)),
        "subset_accuracy": ratio(totals["exact"], totals["examples"]),
        "sample_f1": ratio(totals["shared"], totals["examples"]),
        "micro_precision": ratio(right, found),
        "micro_recall": ratio(right, wanted),
    }


NAMES = ("micro_f1", "macro_f1", "subset_accuracy", "sample_f1", "micro_precision", "micro_recall")
MULTILABEL = Measure("multilabel", score_set, summarize_sets, NAMES, NAMES[:3], "labels", shares=NAMES)
