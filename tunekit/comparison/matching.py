"""Two systems' answers to the same examples, side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tunekit.comparison.forms import comparable, has_scores, measure_of, several
from tunekit.comparison.sources import OWN, Source
from tunekit.errors import InputError, cut
from tunekit.metrics import Measure, Statistics
from tunekit.stats import Paired, Sample, paired, totals

MOST_NAMED = 3  # rows in a message
FEWEST_DRAWN, MOST_DRAWN = 2_000, 10_000  # resamples: more where there are few units ...
CELLS = 20_000_000  # ... as far as units times resamples go


@dataclass(frozen=True)
class Side:
    """One system's answers to the shared examples, in order."""

    source: Source
    measure: Measure
    predictions: Sequence[Any]
    statistics: Sequence[Statistics]

    def sample(self, units: Sequence[Any]) -> Sample:
        """The answers as a sample of examples."""
        measure = self.measure
        return Sample.of(self.statistics, measure.summarize, units, measure.recount, measure.shares)


def differences(a: Sample, b: Sample) -> dict[str, Paired]:
    """The difference of every metric of two samples of the same examples."""
    return paired(a, b, resamples=max(FEWEST_DRAWN, min(MOST_DRAWN, CELLS // a.units)))


@dataclass(frozen=True)
class Matched:
    """The examples that two systems answered."""

    ids: Sequence[Any]
    references: Sequence[Any]
    a: Side
    b: Side
    left_out: tuple[int, int]  # examples of A that B lacks, and of B that A lacks
    traits: Sequence[Mapping[str, Any]]  # what else is known of every example

    @cached_property
    def units(self) -> list[Any]:
        """What is drawn anew, by example."""
        given = [row.get("unit") for row in self.traits]
        return [
            f"row {number}" if isinstance(unit, list | dict | None) else unit
            for number, unit in enumerate(given)
        ]

    @cached_property
    def samples(self) -> tuple[Sample, Sample]:
        """Both sides as samples of the same examples."""
        return self.a.sample(self.units), self.b.sample(self.units)

    @property
    def identical(self) -> bool:
        """Whether both give the same answers and score the same with them."""
        return self.a.predictions == self.b.predictions and self.a.statistics == self.b.statistics

    @cached_property
    def differences(self) -> dict[str, Paired]:
        """The difference of every metric that is a finite number."""
        return differences(*self.samples)

    @property
    def names(self) -> list[str]:
        """The metrics that can be compared, those that are shown unasked first."""
        return [name for name in self.shared if self.identical or name in self.differences]

    @property
    def shared(self) -> list[str]:
        """The metrics that both have, in the same order."""
        own, others = self.samples[0].alone, self.samples[1].alone
        order = dict.fromkeys((*self.a.measure.reported, *self.a.measure.names, *own))
        return [name for name in order if name in own and name in others]


def match(a: Source, b: Source) -> Matched:
    """The examples of both by their ids.

    Raises:
        InputError: there are none, or what is right differs.
    """
    ids = [key for key in a.rows if key in b.rows]
    if not ids:
        shown = [cut(repr(next(iter(source.rows)))) for source in (a, b)]
        raise InputError(
            f"{a.name} and {b.name} share no example (their first ids are {shown[0]} and {shown[1]}); "
            "compare answers to the same rows"
        )
    references = [reference_of(a.rows[key], b.rows[key]) for key in ids]
    check_references(a, b, ids)
    left, right = (side_of(source, ids, references) for source in (a, b))
    rows = [{**b.rows[key], **a.rows[key]} for key in ids]
    traits = [{name: value for name, value in row.items() if name not in OWN} for row in rows]
    left_out = (len(a.rows) - len(ids), len(b.rows) - len(ids))
    return Matched(ids, references, left, right, left_out, traits)


def reference_of(*rows: Mapping[str, Any]) -> Any:
    """What is right, by the first that says it."""
    return next((row["reference"] for row in rows if row.get("reference") is not None), None)


def check_references(a: Source, b: Source, ids: Sequence[Any]) -> None:
    """Refuse examples of which the two are told different things to be right, or of which nobody is.

    Raises:
        InputError: there are such examples; the first ones are named.
    """
    both = [(key, a.rows[key].get("reference"), b.rows[key].get("reference")) for key in ids]
    differ = [each for each in both if None not in each[1:] and several(each[1]) != several(each[2])]
    if differ:
        named = "; ".join(
            f"id {key!r}: {cut(repr(x))} and {cut(repr(y))}" for key, x, y in differ[:MOST_NAMED]
        )
        raise InputError(
            f"{a.name} and {b.name} have other references for {len(differ):,} of {len(ids):,} examples with "
            f"the same id ({named}); compare answers to the same rows"
        )
    missing = [key for key, *sides in both if sides == [None, None]]
    if missing and not (has_scores(a) and has_scores(b)):
        raise InputError(
            f"neither {a.file} nor {b.file} has a reference for id {missing[0]!r} ({len(missing):,} such "
            "rows); add what is right as reference"
        )


def side_of(source: Source, ids: Sequence[Any], references: Sequence[Any]) -> Side:
    """One system's answers to some examples, and what they score."""
    rows = [source.rows[key] for key in ids]
    predictions = [comparable(source, row["prediction"]) for row in rows]
    measure = measure_of(source, predictions, references)
    right = [several(each) for each in references] if measure.form == "texts" else references
    known = has_scores(source) and (source.task is not None or None in references)
    try:
        found = [row["scores"] for row in rows] if known else measure.statistics(predictions, right)
        measure.summarize(totals(found))  # scores that are written down may be those of other metrics
        return Side(source, measure, predictions, found)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"{source.file}: the answers cannot be judged as {measure.name} ({error}); name their task "
            "with --task, or correct them"
        ) from None
