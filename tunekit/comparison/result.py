"""What a comparison says: for each pair of systems differences, slices, flips and a verdict in words.

Everything is in the metric's own units (0.82, not 82 %). A difference is B minus A, whichever direction is
the better one.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Winner = Literal["a", "b"]


@dataclass(frozen=True)
class McNemar:
    """The test of two systems that are right or wrong on the same examples; source: McNemar (1947)."""

    only_a: int  # examples on which A alone is right
    only_b: int
    p: float
    exact: bool  # by the binomial distribution, as for few pairs that disagree, else by the normal one


@dataclass(frozen=True)
class Difference:
    """One metric of two systems on the same examples."""

    metric: str
    a: float
    b: float
    value: float  # b - a
    low: float | None  # the 95 % interval of `value`; None where nothing can be said
    high: float | None
    p: float | None  # two-sided, of no difference; agrees with the interval
    adjusted: float | None  # p corrected for the number of pairs that are compared
    lower_is_better: bool
    percent: bool  # a share or the like: times 100 it is told in points
    n: int  # examples
    units: int  # what is drawn anew: examples, or groups of them such as the questions on one text
    differing: int  # units on which the two do not score the same
    needed: int | None  # examples for 80 % power at this difference; None where there is no difference
    mcnemar: McNemar | None = None  # for metrics that are right or wrong on each example

    @property
    def better(self) -> Winner | None:
        """Which system is better beyond noise, if any."""
        if self.adjusted is None or self.adjusted >= SIGNIFICANCE or self.value == 0:
            return None
        return "b" if (self.value < 0) == self.lower_is_better else "a"

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "better": self.better}


@dataclass(frozen=True)
class Slice:
    """A part of the examples, or one label of all of them, and how the two systems do there."""

    kind: str  # what it is cut by: label, length, truncated, reference, or a column of the predictions
    name: str  # such as PER, or "33 to 58 tokens"
    metric: str
    n: int  # examples; for a label the times that it is right
    a: float
    b: float
    value: float  # b - a
    low: float | None
    high: float | None
    p: float | None
    adjusted: float | None  # p corrected for all slices that were looked at
    lower_is_better: bool
    percent: bool

    @property
    def found(self) -> bool:
        """Whether the two differ here beyond noise, also for having looked at many slices."""
        return self.adjusted is not None and self.adjusted < SIGNIFICANCE

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "found": self.found}


@dataclass(frozen=True)
class Flip:
    """An example on which the two systems score differently."""

    id: Any
    reference: Any
    a: Any  # the prediction, in the form that is held against the reference
    b: Any
    score_a: float  # the metric on this example alone
    score_b: float

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Pair:
    """Two systems on the examples that both answered."""

    a: str  # names as given
    b: str
    n: int  # shared examples
    left_out: tuple[int, int]  # examples of A that B lacks, and of B that A lacks
    identical: bool  # the same answer to every example; then nothing is tested
    differences: tuple[Difference, ...]  # for every shared metric; the first is the one of the verdict
    slices: tuple[Slice, ...]  # the surest difference first; see `found`
    lost: tuple[Flip, ...]  # A right and B wrong, the largest change first
    gained: tuple[Flip, ...]  # B right and A wrong
    verdict: str

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        parts = ("differences", "slices", "lost", "gained")
        return {
            **{key: value for key, value in vars(self).items() if key not in parts},
            **{part: [each.facts() for each in getattr(self, part)] for part in parts},
        }


@dataclass(frozen=True)
class Comparison:
    """All systems against the first."""

    names: tuple[str, ...]
    task: str | None  # as in a recipe, where it is known
    split: str | None  # None for bare files of predictions
    metric: str  # of the verdicts
    confidence: float  # of the intervals
    pairs: tuple[Pair, ...]
    notes: tuple[str, ...]  # what is good to know, such as rows that are left out

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return {**vars(self), "pairs": [pair.facts() for pair in self.pairs]}


SIGNIFICANCE = 0.05  # below it a p value, corrected for what was looked at, is a finding
