"""All systems against the first: every metric, the slices, the flips, and what to make of it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tunekit import stats
from tunekit.comparison.flips import find_flips
from tunekit.comparison.matching import Matched, match
from tunekit.comparison.result import Comparison, Difference, McNemar, Pair
from tunekit.comparison.slices import find_slices
from tunekit.comparison.sources import read_all
from tunekit.comparison.verdict import verdict
from tunekit.errors import InputError, listing, nearest
from tunekit.stats import Paired
from tunekit.stats.bootstrap import CONFIDENCE
from tunekit.stats.intervals import is_share


def compare_predictions(
    paths: Sequence[Path],
    names: Sequence[str],
    *,
    split: str | None = None,
    metric: str | None = None,
    task: str | None = None,
) -> Comparison:
    """Compare the predictions of runs, or bare files of them, with those of the first.

    Raises:
        InputError: something cannot be read, or there is nothing that can be compared.
    """
    found, sources = read_all(paths, split, task)
    sources = [replace(source, name=name) for source, name in zip(sources, names, strict=True)]
    matches = [match(sources[0], other) for other in sources[1:]]
    chosen = chosen_metric(matches, metric)
    pairs = adjusted([compared(matched, chosen) for matched in matches])
    told = tuple(replace(pair, verdict=verdict(pair, len(pairs))) for pair in pairs)
    name = next((source.task_name for source in sources if source.task_name), None)
    notes = tuple(note for matched in matches for note in notes_of(matched))
    return Comparison(tuple(names), name, found, chosen, CONFIDENCE, told, notes)


def chosen_metric(matches: Sequence[Matched], wanted: str | None) -> str:
    """The metric of the verdicts: the one that is asked for, else the first that all have.

    Raises:
        InputError: not all have it.
    """
    first, *others = (matched.names for matched in matches)
    shared = [name for name in first if all(name in each for each in others)]
    if not shared:
        raise InputError("the systems share no metric; compare systems of one task")
    if wanted and wanted not in shared:
        known = all(wanted in matched.shared for matched in matches)
        wrong = "is no finite number here" if known else f"is not shared{nearest(wanted, shared)}"
        raise InputError(f"metric {wanted!r} {wrong}; there are {listing(shared)}")
    return wanted or shared[0]


def compared(matched: Matched, metric: str) -> Pair:
    """Two systems, without a verdict, and not yet corrected for others."""
    identical = matched.identical
    differences = tuple(differences_of(matched, metric, identical=identical))
    slices = () if identical else find_slices(matched, metric, percent=differences[0].percent)
    lost, gained = find_flips(matched, metric)
    names = (matched.a.source.name, matched.b.source.name)
    counts = (len(matched.ids), matched.left_out)
    return Pair(*names, *counts, identical, differences, slices, lost, gained, verdict="")


def differences_of(matched: Matched, metric: str, *, identical: bool) -> Iterator[Difference]:
    """The difference of every shared metric, that of the verdict first; of identical systems untested."""
    names = [metric, *(name for name in matched.names if name != metric)]
    if identical:
        values = matched.samples[0].values
        yield from (untested(matched, name, values[name]) for name in names)
        return
    yield from (tested(matched, name, matched.differences[name]) for name in names)


def untested(matched: Matched, name: str, value: float) -> Difference:
    """No difference, because the answers are the same."""
    lower, percent = direction(matched, name)
    numbers = (value, value, 0.0, None, None, None, None)
    size = (len(matched.ids), matched.samples[0].units, 0, None)
    return Difference(name, *numbers, lower, percent, *size)


def tested(matched: Matched, name: str, found: Paired) -> Difference:
    """A difference with its tests."""
    lower, percent = direction(matched, name)
    numbers = (found.a, found.b, found.value, found.low, found.high, found.p, found.p)
    size = (len(matched.ids), matched.samples[0].units, found.differing)
    needed = stats.needed(found, len(matched.ids))
    pairs = found.disagreement
    test = McNemar(pairs.only_a, pairs.only_b, pairs.p, pairs.exact) if pairs else None
    return Difference(name, *numbers, lower, percent, *size, needed, test)


def direction(matched: Matched, name: str) -> tuple[bool, bool]:
    """Whether lower is better, and whether a metric is told in points of a hundred."""
    lower = name in matched.a.measure.lower_is_better
    inside = all(np.abs(sample.alone[name]).max(initial=0.0) <= 1 for sample in matched.samples)
    share = all(is_share(sample, name, sample.values[name]) for sample in matched.samples)
    return lower, share or (inside and not lower)


def adjusted(pairs: Sequence[Pair]) -> list[Pair]:
    """Pairs whose p values are corrected for how many there are, for each metric by itself."""
    if len(pairs) < 2:
        return list(pairs)
    values: dict[str, list[tuple[int, float]]] = {}
    for number, pair in enumerate(pairs):
        for each in pair.differences:
            if each.p is not None:
                values.setdefault(each.metric, []).append((number, each.p))
    corrected = {
        (number, metric): p
        for metric, numbered in values.items()
        for (number, _), p in zip(numbered, stats.holm([p for _, p in numbered]), strict=True)
    }
    return [
        replace(
            pair,
            differences=tuple(
                replace(each, adjusted=corrected.get((number, each.metric))) for each in pair.differences
            ),
        )
        for number, pair in enumerate(pairs)
    ]


def notes_of(matched: Matched) -> Iterator[str]:
    """What is good to know of two systems that are compared."""
    a, b, (only_a, only_b) = matched.a.source.name, matched.b.source.name, matched.left_out
    if only_a or only_b:
        yield (
            f"compared on the {len(matched.ids):,} examples that both have: {only_a:,} of {a} and "
            f"{only_b:,} of {b} are left out"
        )
    unsaid = [name for name in matched.shared if name not in matched.names]
    if unsaid:
        yield f"no finite numbers, so left out: {listing(unsaid)}"
