"""Metrics: one file per form of answer. `base` says what a measure is."""

from tunekit.metrics.base import LabelScore, Measure, Metrics, Statistics, Totals, by_label
from tunekit.metrics.labels import CLASSIFICATION, WORDS
from tunekit.metrics.likelihood import LIKELIHOOD, WRITING
from tunekit.metrics.numbers import REGRESSION
from tunekit.metrics.ranking import BEST, RANKED
from tunekit.metrics.rouge import ROUGE
from tunekit.metrics.sets import MULTILABEL
from tunekit.metrics.similarity import SIMILARITY
from tunekit.metrics.spans import SQUAD, best_threshold, score_span
from tunekit.metrics.tagging import ENTITIES, entities
from tunekit.metrics.texts import TEXTS
from tunekit.metrics.translation import TRANSLATION, translation_measure

MEASURES = {
    measure.name: measure
    for measure in (
        CLASSIFICATION,
        ENTITIES,
        LIKELIHOOD,
        MULTILABEL,
        RANKED,
        REGRESSION,
        ROUGE,
        SIMILARITY,
        SQUAD,
        TEXTS,
        TRANSLATION,
        WORDS,
        WRITING,
    )
}

__all__ = [
    "BEST",
    "CLASSIFICATION",
    "ENTITIES",
    "LIKELIHOOD",
    "MEASURES",
    "MULTILABEL",
    "REGRESSION",
    "ROUGE",
    "SIMILARITY",
    "SQUAD",
    "RANKED",
    "TEXTS",
    "TRANSLATION",
    "WORDS",
    "WRITING",
    "LabelScore",
    "Measure",
    "Metrics",
    "Statistics",
    "Totals",
    "best_threshold",
    "by_label",
    "entities",
    "score_span",
    "translation_measure",
]
