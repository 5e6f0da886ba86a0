"""Two or more systems on the same examples: is one better, or is it noise."""

from tunekit.comparison.result import Comparison, Difference, Flip, McNemar, Pair, Slice

__all__ = ["Comparison", "Difference", "Flip", "McNemar", "Pair", "Slice"]
