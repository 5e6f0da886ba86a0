"""What the finders look at: a recipe with its rows, checkpoint and task, and what several of them ask for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tunekit.checks.likeness import Likeness, find_likeness
from tunekit.checks.sizes import Sizes, measure
from tunekit.data.load import Data
from tunekit.data.twins import Pool, Row
from tunekit.engine import Fitting
from tunekit.models.checkpoint import Checkpoint
from tunekit.models.load import token_limit
from tunekit.recipe import HubSection, Recipe
from tunekit.tasks.base import Role, Task


@dataclass
class Subject:
    """A recipe whose data and checkpoint have been looked at and fit together."""

    recipe: Recipe
    data: Data
    checkpoint: Checkpoint
    task: Task
    put_together: Callable[[], Fitting] | None = None  # the parts of a run; None where no step is wanted
    ask_hub: Callable[[HubSection], None] | None = None  # refuses a repository that cannot be pushed to

    @cached_property
    def rows(self) -> list[Row]:
        """The rows of all splits, train first."""
        return [
            Row(split, self.name(split, values), values)
            for split, rows in self.data.splits.items()
            for values in rows
        ]

    def name(self, split: str, values: Mapping[str, Any]) -> str:
        """What a row is called: by its own id where the data have ids, else by file and line."""
        own = values["id"] if "id" in self.data.columns else str(values["place"]).rsplit("/", 1)[-1]
        return str(own) if str(own).startswith(split) else f"{split} {own}"

    def names(self, split: str, numbers: Sequence[int]) -> list[str]:
        """The names of some rows of a split, by number."""
        rows = self.data.splits[split]
        return [self.name(split, rows[number]) for number in numbers]

    def having(self, chosen: Callable[[Mapping[str, Any]], bool]) -> list[str]:
        """The names of the rows that are chosen."""
        return [row.name for row in self.rows if chosen(row.values)]

    @cached_property
    def pool(self) -> Pool:
        """All rows, to be held against each other."""
        return Pool.of(self.task, self.data.columns, self.rows)

    @property
    def label_role(self) -> str | None:
        """The role whose values are the labels, if there are labels."""
        return self.pool.label_role

    @property
    def inputs(self) -> Mapping[str, Role]:
        """The roles of what is given."""
        return self.pool.inputs

    @property
    def targets(self) -> Mapping[str, Role]:
        """The roles of what is asked, as rows have them."""
        return self.pool.targets

    def texts(self) -> Iterator[tuple[Row, str, str]]:
        """Every text that is given, but for empty ones: its row, its role, itself."""
        kinds = {role: spec.kind for role, spec in self.inputs.items()}
        for row in self.rows:
            for role, kind in kinds.items():
                if kind == "text" and row.values[role]:
                    yield row, role, row.values[role]
                elif kind == "words":
                    yield row, role, " ".join(row.values[role])

    @cached_property
    def likeness(self) -> Likeness:
        """Which rows are given the same, or nearly."""
        return find_likeness([row.values for row in self.rows], self.inputs, self.pool.groups)

    @cached_property
    def sizes(self) -> dict[str, Sizes]:
        """The lengths of each split's rows; none where rows have no tokens."""
        found = {split: measure(self.task, rows) for split, rows in self.data.splits.items()}
        return {split: sizes for split, sizes in found.items() if sizes is not None}

    @cached_property
    def limit(self) -> int | None:
        """The tokens that the model reads at most."""
        return token_limit(self.checkpoint, self.task.processor)

    @cached_property
    def skeleton(self) -> Any:
        """The model without any numbers."""
        import torch
        import transformers

        auto = getattr(transformers, self.task.head)
        with torch.device("meta"):
            return auto.from_config(self.checkpoint.config, trust_remote_code=False)
