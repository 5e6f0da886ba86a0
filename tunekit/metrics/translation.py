"""Translations against one or several references: BLEU and chrF, as sacrebleu computes them.

Statistics are sacrebleu's own counts of one segment, and scores are what its formulas make of their sums: so
the score of any set of examples is that of its `corpus_score`, to the last bit.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunekit.metrics.base import Measure, Metrics, Statistics, Totals, share_cut

PLUS = "chrf_pp"  # what chrF++ is called here: trackers take no + in a name


def score_translation(
    prediction: str, references: Sequence[str], *, tokenizer: str, words: int
) -> Statistics:
    """The counts behind BLEU and chrF, all references taken together.

    Source: Papineni et al. (2002), Popovic (2015, 2017); Post (2018), in the implementation of sacrebleu.
    """
    counts: Statistics = {"texts": 1.0}
    for name, scorer in scorers(tokenizer, words).items():
        (row,) = scorer._extract_corpus_statistics([prediction], [[text] for text in references])
        counts |= {f"{name}_{place}": float(count) for place, count in enumerate(row)}
    return counts


def summarize_translations(totals: Totals, *, tokenizer: str, words: int) -> Metrics:
    """BLEU and chrF, from 0 to 100, and the share of texts that were cut off, where that was counted."""
    found = {name: scores(name, scorer, totals) for name, scorer in scorers(tokenizer, words).items()}
    return found | share_cut(totals, totals["texts"])


def scores(name: str, scorer: Any, totals: Totals) -> NDArray[np.float64]:
    """A scorer's score of each resample."""
    size = sum(key.startswith(f"{name}_") and key[len(name) + 1 :].isdigit() for key in totals)
    counts = np.stack([np.asarray(totals[f"{name}_{place}"]) for place in range(size)], -1)
    rows = counts.reshape(-1, size).round().astype(int).tolist()
    found = [scorer._compute_score_from_stats(row).score for row in rows]
    return np.array(found, np.float64).reshape(counts.shape[:-1])


def signatures(references: Sequence[Sequence[str]], *, tokenizer: str, words: int) -> dict[str, str]:
    """What sacrebleu calls these scores, so that others can compute the same ones."""
    counts = {len(texts) for texts in references}
    number = counts.pop() if len(counts) == 1 else -1  # how sacrebleu says that it varies
    found = {}
    for name, scorer in scorers(tokenizer, words).items():
        scorer.num_refs = number
        found[name] = str(scorer.get_signature())
    return found


@cache
def scorers(tokenizer: str, words: int) -> dict[str, Any]:
    """sacrebleu's metrics by their names here, imported at the first use."""
    from sacrebleu.metrics import BLEU, CHRF

    bleu = BLEU(tokenize=tokenizer, force=True)  # which says nothing of texts that look tokenized
    return {chrf_name(words): CHRF(word_order=words), "bleu": bleu}


def chrf_name(words: int) -> str:
    """What chrF with n-grams of so many words is called."""
    return PLUS if words else "chrf"


@cache
def translation_measure(tokenizer: str = "13a", words: int = 0) -> Measure:
    """BLEU by one of sacrebleu's tokenizers, and chrF; with n-grams of 2 words chrF++.

    chrF picks the best model: BLEU is near 0 until four words in a row are right.
    """
    settings: dict[str, Any] = {"tokenizer": tokenizer, "words": words}
    names = (chrf_name(words), "bleu", "hit_limit")
    return Measure(
        "translation",
        partial(score_translation, **settings),
        partial(summarize_translations, **settings),
        names,
        names,
        "texts",
        lower_is_better=("hit_limit",),
        shares=("hit_limit",),
        signatures=partial(signatures, **settings),
    )


TRANSLATION = translation_measure()
