"""One label an example, and how often the right one is among the five likeliest."""

from collections.abc import Sequence

from tunekit.metrics.base import Measure, Metrics, Statistics, Totals, ratio
from tunekit.metrics.labels import OF_LABELS, SHARES, score_label, summarize_labels

BEST = 5  # labels among which the right one is looked for


def score_ranking(prediction: str | Sequence[str], reference: str) -> Statistics:
    """Count one example by its likeliest label, and whether the right one is among the five likeliest.

    A single label says nothing of the others: the second count is then left out.
    """
    if isinstance(prediction, str):
        return score_label(prediction, reference)
    return score_label(prediction[0], reference) | {"among_best": float(reference in prediction[:BEST])}


def summarize_rankings(totals: Totals) -> Metrics:
    """The metrics of single labels, and the share of examples whose label is among the five likeliest."""
    metrics = summarize_labels(totals)
    if "among_best" not in totals:
        return metrics
    examples = sum(value for key, value in totals.items() if key.startswith(("tp/", "fn/")))
    return metrics | {"top5_accuracy": ratio(totals["among_best"], examples)}


RANKED = Measure(
    "ranked-classification",
    score_ranking,
    summarize_rankings,
    (*OF_LABELS, "top5_accuracy"),
    ("accuracy", "top5_accuracy", "macro_f1"),
    "label",
    shares=(*SHARES, "top5_accuracy"),
)
