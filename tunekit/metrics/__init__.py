"""Metrics: one file per form of answer. `base` says what a measure is."""

from tunekit.metrics.base import LabelScore, Measure, Metrics, Statistics, Totals, by_label
from tunekit.metrics.labels import CLASSIFICATION, WORDS
from tunekit.metrics.numbers import REGRESSION
from tunekit.metrics.ranking import BEST, RANKED
from tunekit.metrics.rouge import ROUGE
from tunekit.metrics.sets import MULTILABEL
from tunekit.metrics.similarity import SIMILARITY
from tunekit.metrics.spans import SQUAD, best_threshold, score_span
from tunekit.metrics.tagging import ENTITIES, entities

MEASURES = {
    measure.name: measure
    for measure in (CLASSIFICATION, ENTITIES, MULTILABEL, RANKED, REGRESSION, ROUGE, SIMILARITY, SQUAD, WORDS)
}

__all__ = [
    "BEST",
    "CLASSIFICATION",
    "ENTITIES",
    "MEASURES",
    "MULTILABEL",
    "REGRESSION",
    "ROUGE",
    "SIMILARITY",
    "SQUAD",
    "RANKED",
    "WORDS",
    "LabelScore",
    "Measure",
    "Metrics",
    "Statistics",
    "Totals",
    "best_threshold",
    "by_label",
    "entities",
    "score_span",
]
