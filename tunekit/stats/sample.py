"""Examples' statistics as a sample: their totals, and those of any number of resamples of it."""

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

CELLS = 2_000_000  # of the counts that are held at once: 16 MB

Array = NDArray[np.float64]
Statistics = Mapping[str, float]
Summarize = Callable[[Mapping[str, Array]], Mapping[str, Array]]
Recount = Callable[[Mapping[str, Array], Array], Mapping[str, Array]]


@dataclass(frozen=True)
class Sample:
    """The statistics of examples, which are drawn anew in units: single examples, or groups of them.

    Examples of one unit, such as the questions on one text, are not independent, and stay together.
    """

    names: Sequence[str]
    rows: Any  # sparse, (examples, names)
    unit: NDArray[np.int64]  # of each example, (examples,)
    summarize: Summarize
    recount: Recount | None = None  # see `metrics.Measure`
    shares: Collection[str] | None = None  # likewise; None where any metric may be one

    @classmethod
    def of(
        cls,
        statistics: Sequence[Statistics],
        summarize: Summarize,
        units: Sequence[Hashable] | None = None,
        recount: Recount | None = None,
        shares: Collection[str] | None = None,
    ) -> "Sample":
        """The sample of examples with these statistics; without `units` each is one."""
        names, rows = tabulate(statistics)
        return cls(names, rows, numbered(units or range(len(statistics))), summarize, recount, shares)

    @property
    def examples(self) -> int:
        """How many examples there are."""
        return len(self.unit)

    @cached_property
    def units(self) -> int:
        """How many units there are."""
        return int(self.unit.max()) + 1 if len(self.unit) else 0

    @cached_property
    def by_unit(self) -> Any:
        """The sums of each unit's statistics, sparse, (names, units)."""
        from scipy.sparse import csr_array

        if self.units == self.examples:
            return self.rows.T.tocsr()
        cells = (np.ones(self.examples), (self.unit, np.arange(self.examples)))
        return (csr_array(cells, shape=(self.units, self.examples)) @ self.rows).T.tocsr()

    @cached_property
    def columns(self) -> dict[str, Array]:
        """Every statistic of all examples, (examples,) each."""
        return dict(zip(self.names, self.rows.toarray().T, strict=True))

    def metrics(self, counts: Array) -> dict[str, Array]:
        """The metrics of resamples, (resamples,) each, from how often units are drawn, (units, resamples)."""
        found = dict(self.summarize(dict(zip(self.names, self.by_unit @ counts, strict=True))))
        if self.recount is None:
            return found
        of_examples = counts if self.units == self.examples else counts[self.unit]
        return found | dict(self.recount(self.columns, of_examples))

    @property
    def values(self) -> dict[str, float]:
        """The metrics of all examples."""
        whole = self.metrics(np.ones((self.units, 1)))
        return {name: float(value[0]) for name, value in whole.items()}

    @cached_property
    def alone(self) -> dict[str, Array]:
        """The metrics of each unit by itself, (units,) each."""
        return dict(self.summarize(dict(zip(self.names, self.by_unit.toarray(), strict=True))))

    def pick(self, examples: NDArray[np.int64]) -> "Sample":
        """The sample of some of the examples."""
        unit = numbered(self.unit[examples].tolist())
        return Sample(self.names, self.rows[examples], unit, self.summarize, self.recount, self.shares)


def draws(units: int, resamples: int, seed: int) -> Iterator[Array]:
    """How often each of some units is drawn in each resample, (units, part of the resamples) at a time."""
    if units * resamples <= CELLS:
        yield draw_at_once(units, resamples, seed)
        return
    generator = np.random.default_rng(seed)
    most = max(1, CELLS // units)
    for begin in range(0, resamples, most):
        yield draw(generator, units, min(most, resamples - begin))


@lru_cache(maxsize=2)
def draw_at_once(units: int, resamples: int, seed: int) -> Array:
    """The draws of a small sample, kept for the next one of its size: a run is evaluated many times."""
    counts = draw(np.random.default_rng(seed), units, resamples)
    counts.flags.writeable = False
    return counts


def draw(generator: np.random.Generator, units: int, resamples: int) -> Array:
    """How often each unit is drawn in each resample, (units, resamples)."""
    cells = generator.integers(units, size=(units, resamples)) * resamples + np.arange(resamples)
    return np.bincount(cells.ravel(), minlength=cells.size).reshape(cells.shape).astype(np.float64)


def numbered(units: Sequence[Hashable]) -> NDArray[np.int64]:
    """The number of each example's unit, in the order of their first examples."""
    known: dict[Hashable, int] = {}
    return np.array([known.setdefault(unit, len(known)) for unit in units], np.int64)


def totals(statistics: Sequence[Statistics]) -> dict[str, Array]:
    """Add up the statistics of all examples; every total has shape ()."""
    names, matrix = tabulate(statistics)
    return dict(zip(names, np.asarray(matrix.sum(axis=0)), strict=True))


def tabulate(statistics: Sequence[Statistics]) -> tuple[list[str], Any]:
    """The statistics as names and a sparse matrix, shape (examples, names)."""
    from scipy.sparse import csr_array

    names = sorted({name for row in statistics for name in row})
    column = {name: i for i, name in enumerate(names)}
    cells = [(i, column[name], value) for i, row in enumerate(statistics) for name, value in row.items()]
    rows, columns, values = zip(*cells, strict=True) if cells else ((), (), ())
    return names, csr_array((values, (rows, columns)), shape=(len(statistics), len(names)), dtype=np.float64)
