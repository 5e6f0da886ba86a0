"""Entities in a sentence, as seqeval reads them from tags."""

from collections.abc import Callable, Sequence
from functools import cache

from tunekit.metrics.base import Measure, Metrics, Statistics, Totals, ratio, stacked


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


def entities(tags: Sequence[str]) -> list[tuple[str, int, int]]:
    """The entities that a sentence's tags mark, as (type, first word, last word), by seqeval's reading."""
    return list(seqeval_reader()(list(tags)))


@cache
def seqeval_reader() -> Callable[[list[str]], list[tuple[str, int, int]]]:
    """seqeval's reader of BIO, IOB1 and BIOES tags, imported at the first use."""
    from seqeval.metrics.sequence_labeling import get_entities

    return get_entities  # type: ignore[no-any-return]


NAMES = ("f1", "precision", "recall", "accuracy", "macro_f1")
ENTITIES = Measure("entities", score_entities, summarize_entities, NAMES, NAMES[:4], "labels", shares=NAMES)
