"""Metrics: one file per form of answer. `base` says what a measure is."""

from tunekit.metrics.base import Measure, Metrics, Statistics, Totals
from tunekit.metrics.labels import CLASSIFICATION, WORDS
from tunekit.metrics.numbers import REGRESSION
from tunekit.metrics.sets import MULTILABEL
from tunekit.metrics.tagging import ENTITIES, entities

MEASURES = {measure.name: measure for measure in (CLASSIFICATION, ENTITIES, MULTILABEL, REGRESSION, WORDS)}

__all__ = [
    "CLASSIFICATION",
    "ENTITIES",
    "MEASURES",
    "MULTILABEL",
    "REGRESSION",
    "WORDS",
    "Measure",
    "Metrics",
    "Statistics",
    "Totals",
    "entities",
]
