"""How sure scores are: intervals around one system's metrics, and differences between two."""

from tunekit.stats.intervals import Estimate, estimate, wilson
from tunekit.stats.paired import Disagreement, Paired, holm, mcnemar, needed, paired
from tunekit.stats.sample import Sample, tabulate, totals

__all__ = [
    "Disagreement",
    "Estimate",
    "Paired",
    "Sample",
    "estimate",
    "holm",
    "mcnemar",
    "needed",
    "paired",
    "tabulate",
    "totals",
    "wilson",
]
