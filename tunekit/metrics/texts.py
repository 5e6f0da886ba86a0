"""Free texts against one or several right ones: exact match, F1 over words, and ROUGE."""

from collections.abc import Sequence

from tunekit.metrics.base import Measure, Metrics, Statistics, Totals, ratio, share_cut
from tunekit.metrics.rouge import KINDS, score_summary
from tunekit.metrics.spans import score_span


def score_text(prediction: str, references: Sequence[str]) -> Statistics:
    """The best match of a text with any of the right ones, by each metric for itself."""
    matched = score_span(prediction, references)
    rouge = score_summary(prediction, references)
    return {"texts": 1.0, "f1": matched["f1"], "exact": matched["exact"], **{k: rouge[k] for k in KINDS}}


def summarize_texts(totals: Totals) -> Metrics:
    """The means, and the share of texts that were cut off, where that was counted."""
    found = {name: ratio(totals[name], totals["texts"]) for name in ("f1", "exact", *KINDS)}
    return found | share_cut(totals, totals["texts"])


TEXTS = Measure(
    "texts",
    score_text,
    summarize_texts,
    ("f1", "exact", *KINDS, "hit_limit"),
    ("f1", "exact", "rougeL", "hit_limit"),
    "texts",
    lower_is_better=("hit_limit",),
    shares=("f1", "exact", *KINDS, "hit_limit"),
)
