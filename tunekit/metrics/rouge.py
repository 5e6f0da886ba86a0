"""Summaries against one or several references, by ROUGE."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from tunekit.metrics.base import Measure, Metrics, Statistics, Totals, ratio, share_cut

KINDS = ("rougeL", "rouge1", "rouge2", "rougeLsum")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def score_summary(prediction: str, references: Sequence[str]) -> Statistics:
    """The F-measures of one summary, each against the reference that it is nearest to.

    Source: Lin (2004), in the implementation of the rouge-score package, with its stemmer.
    """
    lines = ["\n".join(sentences(text)) for text in references]
    best = scorer().score_multi(lines, "\n".join(sentences(prediction)))
    return {"summaries": 1.0, **{kind: float(best[kind].fmeasure) for kind in KINDS}}


def summarize_summaries(totals: Totals) -> Metrics:
    """The means of the F-measures, and the share of summaries that were cut off, where that was counted."""
    count = totals["summaries"]
    found = {kind: ratio(totals[kind], count) for kind in KINDS}
    return found | share_cut(totals, count)


def sentences(text: str) -> list[str]:
    """The sentences of a text: its lines where it has several, else what ends in a full stop, ? or !."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines if len(lines) > 1 else [part for part in SENTENCE_END.split(text.strip()) if part]


@cache
def scorer() -> Any:
    """The scorer of the rouge-score package, imported at the first use."""
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(list(KINDS), use_stemmer=True)


ROUGE = Measure(
    "rouge",
    score_summary,
    summarize_summaries,
    (*KINDS, "hit_limit"),
    (*KINDS, "hit_limit"),
    "texts",
    lower_is_better=("hit_limit",),
    shares=(*KINDS, "hit_limit"),
)
