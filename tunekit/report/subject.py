"""What a report is about: a run, its task, and the rows of scored splits beside what was answered."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunekit import stats
from tunekit.data.load import Rows
from tunekit.recipe import Recipe
from tunekit.run import Run
from tunekit.tasks.base import Answer, Example, Task

RESAMPLED = (
    20_000  # rows up to which parts of them have intervals: of more rows they take long, and are narrow
)
BLOCK = 1024  # rows whose metrics are computed at a time: a row has up to three statistics for each label


@dataclass(frozen=True)
class Line:
    """One scored row: what was given and asked, and what was answered."""

    name: str  # by which the user finds it
    example: Example
    answer: Answer
    said: Any  # the part of the answer that is judged
    reference: Any
    scores: Mapping[str, float]
    tokens: int  # that were read of it; 0 where that is not known
    unit: Any  # what other rows it depends on; None where on none


@dataclass(frozen=True)
class Scored:
    """A split whose rows were answered and judged."""

    split: str
    task: Task
    lines: list[Line]

    @cached_property
    def claims(self) -> list[list[tuple[float, bool]]]:
        """For each row the probability of all that was claimed, and whether it was right."""
        return [
            [] if each.answer is None else list(self.task.claims(each.answer, each.said, each.reference))
            for each in self.lines
        ]

    @cached_property
    def mistakes(self) -> NDArray[np.float64]:
        """How wrong each row's answer is, 0 where it is right; comparable inside this split."""
        rows = [each.scores for each in self.lines]
        if any(key.startswith(("fp/", "fn/")) for row in rows for key in row):
            return np.array([errors(row) for row in rows])
        if all(isinstance(side, float) for each in self.lines for side in (each.said, each.reference)):
            return np.abs([each.said - each.reference for each in self.lines])
        measure = self.task.measure
        values = self.metric(measure.reported[0])
        return np.nan_to_num(values if measure.reported[0] in measure.lower_is_better else 1 - values)

    def metric(self, name: str) -> NDArray[np.float64]:
        """A metric of every row by itself."""
        names, matrix = stats.tabulate([each.scores for each in self.lines])
        found = []
        for start in range(0, len(self.lines), BLOCK):
            block = matrix[start : start + BLOCK].toarray()  # (rows, statistics)
            found.append(self.task.summarize(dict(zip(names, block.T, strict=True)))[name])
        return np.concatenate(found)


@dataclass(frozen=True)
class Subject:
    """A run to be reported, or scores of other data; its rows are those that were read for it."""

    run: Run
    recipe: Recipe
    task: Task
    splits: Mapping[str, Rows]

    @cached_property
    def scored(self) -> dict[str, Scored]:
        """The scored splits whose rows are at hand, in the order in which they were scored."""
        found = {split: self.read(split) for split in self.run.metrics() if split in self.splits}
        return {split: Scored(split, self.task, lines) for split, lines in found.items() if lines}

    @property
    def told(self) -> Scored | None:
        """The split that scores are told of: test where there is one."""
        return self.scored.get("test") or self.shown

    @property
    def shown(self) -> Scored | None:
        """The split whose mistakes are shown: validation, so that nobody tunes to test rows."""
        return self.scored.get("validation") or next(iter(self.scored.values()), None)

    def read(self, split: str) -> list[Line]:
        """The rows of a split with their predictions; none where these are of other rows."""
        file = self.run.path / "predictions" / f"{split}.jsonl"
        if not file.is_file():
            return []
        with file.open(encoding="utf-8") as lines:
            predictions = [json.loads(line) for line in lines]
        rows = self.splits[split]
        if [row["id"] for row in rows] != [each["id"] for each in predictions]:
            return []
        return [self.line(*pair) for pair in zip(rows, predictions, strict=True)]

    def line(self, row: Example, found: Mapping[str, Any]) -> Line:
        """A row with what was answered."""
        answer = found["prediction"]
        said = None if answer is None else self.task.comparable(answer)  # of a row that was not asked
        return Line(
            name_of(row),
            row,
            answer,
            said,
            found["reference"],
            found["scores"],
            found.get("tokens", 0),
            found.get("unit"),
        )

    def inputs(self, example: Example) -> Iterator[tuple[str, str, Any]]:
        """The inputs of an example: role, kind and value."""
        for role, spec in self.task.inputs.items():
            if role in example:
                yield role, spec.kind, example[role]


def name_of(row: Example) -> str:
    """The id of a row, and where it stands in its file."""
    place = str(row.get("place", "")).rsplit("/", 1)[-1]
    return f"{row['id']} ({place})" if place else str(row["id"])


def errors(row: Mapping[str, float]) -> float:
    """What a row's answer invents and misses."""
    return sum(value for key, value in row.items() if key.startswith(("fp/", "fn/")))
