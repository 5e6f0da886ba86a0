"""How alike texts are: against scores by correlation, and of pairs by finding the other text among all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunekit.metrics.base import Measure, Metrics, Statistics, Totals, ratio
from tunekit.metrics.numbers import correlation, recount_ranks, score_numbers

CUTS = (1, 5, 10)  # texts in which the right one is looked for
BLOCK = 1024  # queries that are compared with all texts at a time

Array = NDArray[Any]


@dataclass(frozen=True)
class Found:
    """Two texts that belong together, and perhaps a third that does not, as vectors of length 1."""

    texts: Sequence[str]  # anchor, positive, and perhaps negative
    vectors: Array  # (texts, size)

    @property
    def similarities(self) -> list[float]:
        """The cosine between the first text and each other."""
        return [float(each) for each in self.vectors[1:] @ self.vectors[0]]


def score_similarities(predictions: Sequence[float], references: Sequence[float]) -> list[Statistics]:
    """Each pair's part in the correlations of similarities with scores."""
    left_out = ("squared_error", "absolute_error")  # a cosine is on no scale of scores
    rows = score_numbers(predictions, references)
    return [{key: value for key, value in row.items() if key not in left_out} for row in rows]


def score_similarity(prediction: float, reference: float) -> Statistics:
    """The statistics of a set of one pair."""
    return score_similarities([prediction], [reference])[0]


def score_retrieval(found: Sequence[Found]) -> list[Statistics]:
    """How well each first text finds its second one among the different second texts of all rows.

    All rows with the same first text have the same right ones; recall is the share of these that is found.
    """
    corpus = {text: number for number, text in enumerate(dict.fromkeys(each.texts[1] for each in found))}
    vectors = np.zeros((len(corpus), found[0].vectors.shape[1]), found[0].vectors.dtype)
    right: dict[str, set[int]] = {}
    for each in found:
        vectors[corpus[each.texts[1]]] = each.vectors[1]
        right.setdefault(each.texts[0], set()).add(corpus[each.texts[1]])
    rows = list[Statistics]()
    for start in range(0, len(found), BLOCK):
        block = found[start : start + BLOCK]
        similarities = np.stack([each.vectors[0] for each in block]) @ vectors.T  # (block, texts)
        rows += [
            retrieved(row, sorted(right[each.texts[0]]))
            for row, each in zip(similarities, block, strict=True)
        ]
    return [row | triplet(each) for row, each in zip(rows, found, strict=True)]


def retrieved(similarities: Array, right: Sequence[int]) -> Statistics:
    """What a query finds, given its similarity to every text, shape (texts,), and which are right.

    Of equally similar texts the earlier comes first.
    """
    places = np.arange(len(similarities))
    ranks = [
        int((similarities > similarities[one]).sum() + (similarities[:one] == similarities[one]).sum())
        for one in places[list(right)]
    ]
    first = min(ranks)
    return {
        "queries": 1.0,
        "reciprocal_rank": 1 / (first + 1) if first < CUTS[-1] else 0.0,
        **{f"found/{cut}": sum(rank < cut for rank in ranks) / len(ranks) for cut in CUTS},
    }


def triplet(found: Found) -> Statistics:
    """Whether the second text is nearer than the third, where there is one."""
    if len(found.texts) < 3:
        return {}
    near, far = found.similarities
    return {"triplets": 1.0, "nearer": float(near > far)}


def summarize_similarity(totals: Totals) -> Metrics:
    """The metrics of scores, of retrieval and of triplets: those that the rows allow."""
    metrics: Metrics = {}
    if "xx" in totals:
        metrics |= {"spearman": correlation(totals, "rank_"), "pearson": correlation(totals, "")}
    if "queries" in totals:
        queries = totals["queries"]
        metrics["mrr_at_10"] = ratio(totals["reciprocal_rank"], queries)
        metrics |= {f"recall_at_{cut}": ratio(totals[f"found/{cut}"], queries) for cut in CUTS}
    if "triplets" in totals:
        metrics["triplet_accuracy"] = ratio(totals["nearer"], totals["triplets"])
    return metrics


def recount_similarity(columns: Totals, counts: NDArray[np.float64]) -> Metrics:
    """Of scored pairs the correlation of ranks in resamples; nothing of others."""
    return recount_ranks(columns, counts) if "rank_x" in columns else {}


RETRIEVAL = ("mrr_at_10", *(f"recall_at_{cut}" for cut in CUTS))
NAMES = (*RETRIEVAL, "triplet_accuracy", "spearman", "pearson")
FIRST: Mapping[str, str] = {"pairs": "mrr_at_10", "triplets": "mrr_at_10", "scored": "spearman"}


def similarity_of(form: str) -> Measure:
    """The measure for models that learned from a form of rows; its first metric picks the best."""
    ordered = (FIRST[form], *(name for name in NAMES if name != FIRST[form]))
    return Measure(
        "similarity",
        score_similarity,
        summarize_similarity,
        NAMES,
        ordered,
        "number",
        shares=(*RETRIEVAL, "triplet_accuracy"),
        score_all=score_similarities,
        recount=recount_similarity,
    )


SIMILARITY = similarity_of("pairs")
