"""Metrics, each in two halves: what one example contributes, and what a sum of contributions means.

    score(prediction, reference)  ->  {"tp/PER": 1, "fn/LOC": 1}     one example's statistics
    summarize(totals)             ->  {"f1": 0.67, ...}              of any set, or resample, of examples

Statistics add up, so that the score of a thousand bootstrap resamples is one matrix product.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

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
    form: str  # what is compared: a "label" (string), "labels" (list of strings) or a "number"
    lower_is_better: tuple[str, ...] = ()

    def better(self, metric: str, value: float, than: float) -> bool:
        """Whether one value of a metric beats another."""
        return value < than if metric in self.lower_is_better else value > than


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


def score_entities(prediction: Sequence[str], reference: Sequence[str]) -> Statistics:
    """Count the right, invented and missed entities of one sentence by type, and its right words."""
    found, wanted = set(entities(prediction)), set(entities(reference))
    counts: Statistics = {
        "words": float(len(reference)),
        "right_words": float(sum(p == r for p, r in zip(prediction, reference, strict=True))),
    }
    groups = {"tp": found & wanted, "fp": found - wanted, "fn": wanted - found}
    for kind, spans in groups.items():
        for span in spans:
            counts[f"{kind}/{span[0]}"] = counts.get(f"{kind}/{span[0]}", 0.0) + 1.0
    return counts


def summarize_entities(totals: Totals) -> Metrics:
    """Precision, recall and F1 over all entities (micro), macro F1 over types, and accuracy over words."""
    tp, fp, fn = (stacked(totals, kind) for kind in ("tp", "fp", "fn"))  # (types, resamples) each
    right, found, wanted = tp.sum(0), (tp + fp).sum(0), (tp + fn).sum(0)
    occurs = (tp + fp + fn) > 0
    return {
        "f1": ratio(2 * right, found + wanted),
        "precision": ratio(right, found),
        "recall": ratio(right, wanted),
        "accuracy": ratio(totals["right_words"], totals["words"]),
        "macro_f1": ratio((ratio(2 * tp, 2 * tp + fp + fn) * occurs).sum(0), occurs.sum(0)),
    }


def score_words(prediction: Sequence[str], reference: Sequence[str]) -> Statistics:
    """Count the words of one sentence by label, for labels that are no entities (parts of speech, ...)."""
    counts: Statistics = {}
    for pair in zip(prediction, reference, strict=True):
        for name, value in score_label(*pair).items():
            counts[name] = counts.get(name, 0.0) + value
    return counts


def entities(tags: Sequence[str]) -> list[tuple[str, int, int]]:
    """The entities that a sentence's tags mark, as (type, first word, last word), by seqeval's reading."""
    return list(seqeval_reader()(list(tags)))


@cache
def seqeval_reader() -> Callable[[list[str]], list[tuple[str, int, int]]]:
    """seqeval's reader of BIO, IOB1 and BIOES tags, imported at the first use."""
    from seqeval.metrics.sequence_labeling import get_entities

    return get_entities  # type: ignore[no-any-return]


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


OF_LABELS = (
    "accuracy",
    "macro_f1",
    "mcc",
    "macro_precision",
    "macro_recall",
    "balanced_accuracy",
    "weighted_f1",
)
CLASSIFICATION = Measure(
    "classification", score_label, summarize_labels, OF_LABELS, ("accuracy", "macro_f1", "mcc"), "label"
)
ENTITIES = Measure(
    "entities",
    score_entities,
    summarize_entities,
    ("f1", "precision", "recall", "accuracy", "macro_f1"),
    ("f1", "precision", "recall", "accuracy"),
    "labels",
)
WORDS = Measure("words", score_words, summarize_labels, OF_LABELS, ("accuracy", "macro_f1"), "labels")
MEASURES = {measure.name: measure for measure in (CLASSIFICATION, ENTITIES, WORDS)}
