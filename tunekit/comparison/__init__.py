"""Two or more systems on the same examples: is one better, or is it noise."""

from tunekit.comparison.comparing import compare_predictions
from tunekit.comparison.result import Comparison, Difference, Flip, McNemar, Pair, Slice
from tunekit.comparison.sources import check_systems, has_predictions, keep_judge

__all__ = [
    "Comparison",
    "Difference",
    "Flip",
    "McNemar",
    "Pair",
    "Slice",
    "check_systems",
    "compare_predictions",
    "has_predictions",
    "keep_judge",
]
