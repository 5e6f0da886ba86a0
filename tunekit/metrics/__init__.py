"""Metrics: one file per form of answer. `base` says what a measure is."""

from tunekit.metrics.base import Measure, Metrics, Statistics, Totals
from tunekit.metrics.labels import CLASSIFICATION, WORDS
from tunekit.metrics.ranking import BEST, RANKED
from tunekit.metrics.tagging import ENTITIES, entities

MEASURES = {measure.name: measure for measure in (CLASSIFICATION, ENTITIES, RANKED, WORDS)}

__all__ = [
    "BEST",
    "CLASSIFICATION",
    "ENTITIES",
    "MEASURES",
    "RANKED",
    "WORDS",
    "Measure",
    "Metrics",
    "Statistics",
    "Totals",
    "entities",
]
