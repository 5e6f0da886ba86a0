"""Rows whose label is likely wrong: where a model that never learned them is sure of another (cleanlab).

Source: Northcutt, Jiang and Chuang (2021), confident learning.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunekit.report.subject import Scored

MOST = 50  # that are listed
FEWEST = 50  # rows, or words, from which on cleanlab is asked
ASKED: dict[str, Any] = {
    "return_indices_ranked_by": "self_confidence",
    "min_examples_per_class": 0,
    "n_jobs": 1,
}

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Suspect:
    """A row, or a word of one, whose label is likely wrong; `quality` is cleanlab's, 0 to 1."""

    split: str
    number: int  # of the row
    word: int | None
    given: str
    instead: str
    probability: float  # that the model gives to what it would say instead
    quality: float


def suspects(scored: Scored) -> list[Suspect]:
    """The likely wrong labels of a split, the likeliest first; none where answers have no probabilities."""
    first = scored.lines[0]
    if scored.task.tagged(first.answer) is not None:
        return of_words(scored)
    if scored.task.distribution(first.answer) is None:
        return []
    if isinstance(first.reference, list):
        return of_sets(scored)
    known = all(line.reference in scored.task.index for line in scored.lines)  # learned from these
    return of_labels(scored) if known else []


def probabilities(scored: Scored) -> Floats:
    """The probability of every label for each row, (rows, labels); what is not told is spread evenly."""
    labels = scored.task.labels
    found = np.full((len(scored.lines), len(labels)), np.nan)
    for row, line in zip(found, scored.lines, strict=True):
        for label, value in (scored.task.distribution(line.answer) or {}).items():
            row[scored.task.index[label]] = value
    untold = np.isnan(found)
    rest = np.clip(1 - np.nansum(found, axis=1), 0, None) / np.maximum(untold.sum(1), 1)
    return np.where(untold, rest[:, None], found)


def of_labels(scored: Scored) -> list[Suspect]:
    """Rows with one label."""
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    chances = probabilities(scored)
    chances /= chances.sum(1, keepdims=True)
    given = np.array([scored.task.index[line.reference] for line in scored.lines])
    if len(given) < FEWEST or len(set(given)) < 2:
        return []
    labels, given, chances = only_given(scored.task.labels, given, chances)
    ranked = find_label_issues(given, chances, **ASKED)
    quality = get_label_quality_scores(given, chances, method="self_confidence")
    return [
        Suspect(
            scored.split,
            int(row),
            None,
            labels[given[row]],
            labels[chances[row].argmax()],
            float(chances[row].max()),
            float(quality[row]),
        )
        for row in ranked
    ]


def only_given(
    labels: list[str], given: NDArray[np.int64], chances: Floats
) -> tuple[list[str], NDArray[np.int64], Floats]:
    """Labels, those of rows, and probabilities, without labels that no row has; cleanlab wants it so."""
    present, numbers = np.unique(given, return_inverse=True)
    kept = chances[:, present]
    return [labels[i] for i in present], numbers, kept / np.maximum(kept.sum(1, keepdims=True), 1e-12)


def of_sets(scored: Scored) -> list[Suspect]:
    """Rows with any number of labels."""
    from cleanlab.multilabel_classification.filter import find_label_issues
    from cleanlab.multilabel_classification.rank import get_label_quality_scores

    task = scored.task
    given = [[task.index[label] for label in line.reference] for line in scored.lines]
    counts = np.bincount([label for row in given for label in row], minlength=len(task.labels))
    if len(given) < FEWEST or not ((counts > 0) & (counts < len(given))).all():
        return []
    chances = probabilities(scored)
    ranked = find_label_issues(given, chances, **ASKED)
    quality = get_label_quality_scores(given, chances)
    return [of_set(scored, int(row), float(quality[row])) for row in ranked]


def of_set(scored: Scored, row: int, quality: float) -> Suspect:
    """A row with any number of labels."""
    line = scored.lines[row]
    known: Mapping[str, float] = scored.task.distribution(line.answer) or {}
    differing = [label for label in known if (label in line.said) != (label in line.reference)]
    surest = max((max(known[label], 1 - known[label]) for label in differing), default=0.0)
    given, instead = (", ".join(side) or "none" for side in (line.reference, line.said))
    return Suspect(scored.split, row, None, given, instead, surest, quality)


def of_words(scored: Scored) -> list[Suspect]:
    """Words with a tag. Only the likeliest tag's probability is known; the rest is spread evenly."""
    from cleanlab.token_classification.filter import find_label_issues

    tagged = [scored.task.tagged(line.answer) for line in scored.lines]
    rows = [(n, each, scored.lines[n].reference) for n, each in enumerate(tagged) if each and each.words]
    index, ends = scored.task.index, np.cumsum([len(each.words) for _, each, _ in rows])
    given = np.array([index[tag] for _, _, right in rows for tag in right])
    if len(given) < FEWEST or len(set(given)) < 2:
        return []
    said = [index[tag] for _, each, _ in rows for tag in each.tags]
    chances = spread(said, [score for _, each, _ in rows for score in each.scores], len(index))
    _, given, chances = only_given(scored.task.labels, given, chances)
    sides = (np.split(given, ends[:-1]), np.split(chances, ends[:-1]))
    return [
        Suspect(
            scored.split,
            rows[row][0],
            int(word),
            rows[row][2][word],
            rows[row][1].tags[word],
            rows[row][1].scores[word],
            float(sides[1][row][word, sides[0][row][word]]),
        )
        for row, word in find_label_issues(*sides, **ASKED)
    ]


def spread(tags: list[int], scores: list[float], count: int) -> Floats:
    """The probability of every tag for each word, (words, tags), from that of the likeliest."""
    likeliest = np.array(scores)
    chances = np.repeat(((1 - likeliest) / (count - 1))[:, None], count, axis=1)
    chances[np.arange(len(tags)), tags] = likeliest
    return chances


def listed(found: list[Suspect]) -> list[dict[str, Any]]:
    """The likeliest wrong labels, for the page."""
    return [vars(each) for each in found[:MOST]]
