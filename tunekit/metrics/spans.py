"""Answers in words against several right ones, as SQuAD judges them: exact match and F1 over words."""

import re
import string
from collections import Counter
from collections.abc import Sequence

import numpy as np

from tunekit.metrics.base import Measure, Metrics, Statistics, Totals, ratio

ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)


def answer_words(text: str) -> list[str]:
    """The words by which an answer is judged: no case, punctuation or articles."""
    return ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split()


def overlap(found: Sequence[str], wanted: Sequence[str]) -> float:
    """F1 of the words that two answers share; where either has none, whether both have none."""
    if not found or not wanted:
        return float(not found and not wanted)
    same = sum((Counter(found) & Counter(wanted)).values())
    return 2 * same / (len(found) + len(wanted))


def score_span(prediction: str, references: Sequence[str]) -> Statistics:
    """The best match of an answer with any of the right ones. No right one means: there is no answer.

    Source: Rajpurkar et al. (2016), section 6.1, and Rajpurkar, Jia and Liang (2018), section 5.
    """
    found, wanted = answer_words(prediction), [answer_words(text) for text in references or [""]]
    exact, f1 = float(found in wanted), max(overlap(found, words) for words in wanted)
    counts = {"examples": 1.0, "exact": exact, "f1": f1}
    if references:
        return counts | {"with": 1.0, "with_exact": exact, "with_f1": f1}
    return counts | {"without": 1.0, "without_right": exact}


def summarize_spans(totals: Totals) -> Metrics:
    """F1 and exact match over all questions, over those with an answer, and accuracy over those without."""
    nothing = 0 * totals["examples"]
    answerable, unanswerable = totals.get("with", nothing), totals.get("without", nothing)
    return {
        "f1": ratio(totals["f1"], totals["examples"]),
        "exact": ratio(totals["exact"], totals["examples"]),
        "has_answer_f1": ratio(totals.get("with_f1", nothing), answerable),
        "has_answer_exact": ratio(totals.get("with_exact", nothing), answerable),
        "no_answer_accuracy": ratio(totals.get("without_right", nothing), unanswerable),
    }


def best_threshold(scores: Sequence[float], gains: Sequence[float]) -> float:
    """The threshold up to which to answer, for the largest sum of gains; the lowest of several.

    It lies halfway between two scores, so that rounding decides nothing. As `find_best_thresh` of SQuAD 2.0's
    evaluation script, which stops at a score.
    """
    order = np.argsort(scores, kind="stable")
    ranked = np.asarray(scores, np.float64)[order]
    bounds = np.concatenate([[ranked[0] - 2], ranked, [ranked[-1] + 2]])
    sums = np.concatenate([[0.0], np.cumsum(np.asarray(gains)[order])])
    sums[1:-1][ranked[:-1] == ranked[1:]] = -np.inf  # nothing can part equal scores
    best = int(sums.argmax())
    return float(bounds[best : best + 2].mean())


NAMES = ("f1", "exact", "has_answer_f1", "has_answer_exact", "no_answer_accuracy")
SQUAD = Measure("squad", score_span, summarize_spans, NAMES, ("f1", "exact"), "texts", shares=NAMES)
