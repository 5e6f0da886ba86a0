"""How likely texts are to a model, by tokens, words and bytes; and answers that it writes beside them."""

from collections.abc import Sequence
from math import log

import numpy as np

from tunekit.metrics.base import Measure, Metrics, Statistics, Totals, ratio
from tunekit.metrics.rouge import score_summary

LIKELY = ("perplexity", "word_perplexity", "bits_per_byte")
WRITTEN = ("exact_match", "rougeL")


def summarize_likelihood(totals: Totals) -> Metrics:
    """Perplexities from the sums of surprise, in nats, and of what it is spread over.

    Only words and bytes are the same for all tokenizers.
    """
    surprise = totals["surprise"]
    with np.errstate(over="ignore"):  # of a model that knows nothing, a word's may be without end
        return {
            "perplexity": np.exp(ratio(surprise, totals["tokens"])),
            "word_perplexity": np.exp(ratio(surprise, totals["words"])),
            "bits_per_byte": ratio(surprise, totals["bytes"]) / log(2),
        }


def score_nothing(prediction: str, references: Sequence[str]) -> Statistics:
    """No statistics: what is written is only looked at."""
    return {}


def score_written(prediction: str, references: Sequence[str]) -> Statistics:
    """Whether a text is one of the right ones but for blanks around it, and ROUGE-L with the nearest."""
    if not references:
        return {}
    exact = any(prediction.strip() == text.strip() for text in references)
    rouge = score_summary(prediction, references)["rougeL"]
    return {"answered": 1.0, "exact": float(exact), "rougeL": rouge}


def summarize_written(totals: Totals) -> Metrics:
    """The same for answers, with the share that is exactly right and the mean of ROUGE-L."""
    none = np.zeros_like(totals["surprise"])
    sums = [totals.get(key, none) for key in ("exact", "rougeL", "answered")]
    shares = {name: ratio(part, sums[-1]) for name, part in zip(WRITTEN, sums, strict=False)}
    return summarize_likelihood(totals) | shares


LIKELIHOOD = Measure(
    "likelihood", score_nothing, summarize_likelihood, LIKELY, LIKELY, "texts", lower_is_better=LIKELY
)
WRITING = Measure(
    "writing",
    score_written,
    summarize_written,
    (*LIKELY, *WRITTEN),
    (*LIKELY, *WRITTEN),
    "texts",
    lower_is_better=LIKELY,
    shares=WRITTEN,
)
