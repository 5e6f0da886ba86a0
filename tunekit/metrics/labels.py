"""One label an example: accuracy, precision, recall, F1 and Matthews' correlation."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunekit.metrics.base import Measure, Metrics, Statistics, Totals, ratio, stacked

OF_LABELS = (
    "accuracy",
    "macro_f1",
    "mcc",
    "macro_precision",
    "macro_recall",
    "balanced_accuracy",
    "weighted_f1",
)


def score_label(prediction: str, reference: str) -> Statistics:
    """Count one labelled example as a true positive, or as a false positive and a false negative."""
    if prediction == reference:
        return {f"tp/{reference}": 1.0}
    return {f"fp/{prediction}": 1.0, f"fn/{reference}": 1.0}


def summarize_labels(totals: Totals) -> Metrics:
    """Accuracy, precision, recall and F1 in their averages, and Matthews' correlation, as in scikit-learn.

    Macro averages are over the labels that occur in predictions or references; a ratio 0/0 counts as 0.
    Matthews' correlation is the R_K of Gorodkin (2004).
    """
    tp, fp, fn = (stacked(totals, kind) for kind in ("tp", "fp", "fn"))  # (labels, resamples) each
    support, predicted, right = tp + fn, tp + fp, tp.sum(0)
    examples = support.sum(0)
    occurs = (support + predicted) > 0
    precision, recall = ratio(tp, predicted), ratio(tp, support)
    f1 = ratio(2 * tp, support + predicted)
    return {
        "accuracy": ratio(right, examples),
        "macro_f1": ratio((f1 * occurs).sum(0), occurs.sum(0)),
        "mcc": matthews(right, examples, support, predicted),
        "macro_precision": ratio((precision * occurs).sum(0), occurs.sum(0)),
        "macro_recall": ratio((recall * occurs).sum(0), occurs.sum(0)),
        "balanced_accuracy": ratio(recall.sum(0), (support > 0).sum(0)),
        "weighted_f1": ratio((f1 * support).sum(0), examples),
    }


def matthews(right: Any, examples: Any, support: Any, predicted: Any) -> NDArray[np.float64]:
    """Matthews' correlation for any number of labels; 0 where one side has a single label."""
    covariance = right * examples - (support * predicted).sum(0)
    spread = np.sqrt(examples**2 - (support**2).sum(0)) * np.sqrt(examples**2 - (predicted**2).sum(0))
    return ratio(covariance, spread)


def score_words(prediction: Sequence[str], reference: Sequence[str]) -> Statistics:
    """Count the words of one sentence by label, for labels that are no entities (parts of speech, ...)."""
    counts: Statistics = {}
    for pair in zip(prediction, reference, strict=True):
        for name, value in score_label(*pair).items():
            counts[name] = counts.get(name, 0.0) + value
    return counts


SHARES = tuple(name for name in OF_LABELS if name != "mcc")  # which is a correlation
CLASSIFICATION = Measure(
    "classification",
    score_label,
    summarize_labels,
    OF_LABELS,
    ("accuracy", "macro_f1", "mcc"),
    "label",
    shares=SHARES,
)
WORDS = Measure(
    "words", score_words, summarize_labels, OF_LABELS, ("accuracy", "macro_f1"), "labels", shares=SHARES
)
