"""What a recipe for some data would say: read them, choose, and try that the rows can be used so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tunekit import recipe as recipes
from tunekit.data.load import Data, of_tables
from tunekit.data.sources import Tables, read_splits
from tunekit.environment import hush
from tunekit.errors import EnvironmentFailure, InputError, listing
from tunekit.init.choosing import Choice
from tunekit.init.closest import Start, start_from
from tunekit.init.looking import look
from tunekit.init.sniffing import Notes, settle
from tunekit.recipe import DataSection, ModelSection, Recipe
from tunekit.tasks._guess import Seen

NAMES_ROWS = "names the rows in predictions"
MOST_BAD = 0.2  # share of rows that may be left out; more of them speak against the guess


@dataclass(frozen=True)
class Look:
    """Data that have been read, and what they look like."""

    base: Recipe  # what the user has set
    section: DataSection  # with the encoding and separator that the files have
    tables: Tables
    notes: Notes  # on how the files are written

    def seen(self, given: Mapping[str, str]) -> Seen:
        """The training rows, where some columns are given by role."""
        return look(self.tables["train"], given)


def inspect_data(path: str, overrides: Sequence[str] = ()) -> Look:
    """Read data as a recipe would, finding out how its files are written; `KEY=VALUE` sets what is known.

    Raises:
        InputError: nothing can be read, or there are no training rows.
        EnvironmentFailure: the Hub cannot be reached.
    """
    base = recipes.of_data(path, overrides)
    section, notes = settle(base.data)
    tables = read_splits(section)
    if "train" not in tables:
        raise InputError(
            f"{path} has no training split, only {listing(tables)}; name it with data.splits.train=NAME"
        )
    return Look(base, section, tables, notes)


@dataclass(frozen=True)
class Proposal:
    """A recipe for data, and what speaks for each of its settings."""

    look: Look
    seen: Seen
    choice: Choice
    data: Data
    start: Start
    lengths: Mapping[str, int]
    remark: str = ""  # on the lengths

    @cached_property
    def values(self) -> dict[str, dict[str, Any]]:
        """The recipe's sections as plain data."""
        guess, base = self.choice.guess, self.look.base
        model = base.model.model_dump(exclude_unset=True) | {"name": self.start.model}
        return {
            "task": {"name": self.choice.task, **guess.options, **self.lengths, **self.others()},
            "model": {"name": model.pop("name"), **model},
            "data": self.data_values(),
            "train": self.train_values(),
        }

    def others(self) -> dict[str, Any]:
        """The options of the task that go with the model."""
        return {k: v for k, v in self.start.options.items() if k not in self.choice.guess.options}

    def data_values(self) -> dict[str, Any]:
        """The section on data."""
        section, settled = self.look.base.data, self.look.section
        values = {"path": section.path, **section.model_dump(exclude_unset=True)}
        for key in ("encoding", "separator"):
            if f"data.{key}" in self.look.notes:
                values[key] = getattr(settled, key)
        values["columns"] = dict(self.data.columns)
        if "validation" not in self.look.tables and "validation" in self.data.splits:
            values["validation_share"] = section.validation_share
        if self.data.skipped:
            values["bad_rows"] = "skip"
        return values

    def train_values(self) -> dict[str, Any]:
        """The section on training: what the user has set, and else what suits the rows."""
        given = self.look.base.train.model_dump(exclude_unset=True)
        usual = {
            key: value for key, value in self.start.train.items() if key != "epochs" or "steps" not in given
        }
        return {**usual, **given}

    @cached_property
    def notes(self) -> dict[str, str]:
        """What is to be said of settings, by their dotted names."""
        guess, columns = self.choice.guess, {column.name: column for column in self.seen.columns}
        found = {f"task.{key}": text for key, text in guess.notes.items() if key not in guess.columns}
        for role, name in self.data.columns.items():
            said = columns[name].describe() if name in columns else ""
            said = NAMES_ROWS if role == "id" else said
            found[f"data.columns.{role}"] = guess.notes.get(role, said)
        found |= dict.fromkeys((f"task.{key}" for key in self.lengths), self.remark) if self.remark else {}
        found["data.validation_share"] = "there is no validation split: this share of train is cut off"
        if self.data.skipped:
            found["data.bad_rows"] = f"{left_out(self.data)} cannot be used, such as {first(self.data)}"
        return found | dict(self.look.notes) | dict(self.start.notes)

    def facts(self) -> dict[str, Any]:
        """What was decided, as plain data."""
        return {
            "task": self.choice.task,
            "why": self.choice.guess.why,
            "likelihood": self.choice.guess.likelihood,
            **{section: self.values[section] for section in ("model", "data", "train")},
            "options": {key: value for key, value in self.values["task"].items() if key != "name"},
            "rows": {split: len(rows) for split, rows in self.data.splits.items()},
            "labels": list(self.data.labels),
            "unused": self.unused,
        }

    def summary(self) -> dict[str, str]:
        """What was decided, a line for each part."""
        options = {key: value for key, value in self.choice.guess.options.items()} | dict(self.lengths)
        settings = ", ".join(f"{key} {value}" for key, value in options.items())
        mapping = ", ".join(f"{role} = {column}" for role, column in self.data.columns.items())
        return {
            "task": f"{self.choice.task}: {self.choice.guess.why}",
            **({"options": settings} if settings else {}),
            "columns": mapping + (f"; not used: {listing(self.unused)}" if self.unused else ""),
            "rows": self.sizes + (f"; {left_out(self.data)} left out" if self.data.skipped else ""),
            "model": self.start.model,
        }

    @property
    def unused(self) -> list[str]:
        """The columns that play no role."""
        return [column.name for column in self.seen.columns if column.name not in self.data.columns.values()]

    @property
    def sizes(self) -> str:
        """How many rows and labels there are."""
        rows = ", ".join(f"{len(rows):,} {split}" for split, rows in self.data.splits.items())
        return rows + (f"; {len(self.data.labels)} labels" if self.data.labels else "")


def propose(look: Look, seen: Seen, choice: Choice, model: str | None) -> Proposal:
    """The recipe for a choice, whose rows have been tried.

    Raises:
        InputError: too many rows cannot be used so, or the model cannot do the task.
    """
    data = tried(look, choice)
    start = start_from(choice, seen, len(data.splits["train"]), model)
    lengths, remark = fitted(choice, start, inspected=model is not None)
    return Proposal(look, seen, choice, data, start, lengths, remark)


def tried(look: Look, choice: Choice) -> Data:
    """The rows as training would read them; those that cannot be used are left out.

    Raises:
        InputError: they are too many, or a column is not what it seems.
    """
    change = {"columns": dict(choice.guess.columns), "bad_rows": "skip"}
    section = look.section.model_copy(update=change)
    options = choice.kind.Options(**choice.guess.options)
    data = of_tables(look.tables, section, choice.kind, options, look.base.data_seed)
    rows = sum(map(len, data.splits.values()))
    bad = len(places(data))
    if bad > MOST_BAD * (rows + bad):
        head = (
            f"{look.section.path} looks like {choice.task}, but {left_out(data)} cannot be used; "
            "correct them, or say what is meant with --task NAME and --column ROLE=COLUMN"
        )
        raise InputError([head, *data.skipped])
    return data


def fitted(choice: Choice, start: Start, *, inspected: bool) -> tuple[Mapping[str, int], str]:
    """The lengths that a model can read, and what is to be said where they are not those of the data.

    Raises:
        InputError: the model cannot do the task.
    """
    lengths = choice.guess.lengths
    if not inspected:
        return lengths, ""
    from tunekit.models.checkpoint import inspect
    from tunekit.models.load import load_processor, token_limit

    hush()
    kind, options = choice.kind, {**start.options, **choice.guess.options}
    try:
        checkpoint = inspect(ModelSection(name=start.model), kind)
        limit = token_limit(checkpoint, load_processor(checkpoint, kind, lambda _: None))
    except EnvironmentFailure as failure:
        return lengths, f"not held against the model, which could not be looked at: {failure}"
    try:
        kind.Options(**options, **lengths).fitted(limit, checkpoint.head)
    except InputError:
        able = kind.Options(**options).fitted(limit, checkpoint.head)
        return {key: getattr(able, key) for key in lengths}, f"the model reads at most {limit} tokens"
    return lengths, ""


def places(data: Data) -> set[str]:
    """Where the rows are that are left out, of which several things may be wrong."""
    return {problem.split(": ")[0] for problem in data.skipped}


def left_out(data: Data) -> str:
    """How many rows are left out."""
    count = len(places(data))
    return f"{count:,} rows" if count != 1 else "1 row"


def first(data: Data) -> str:
    """The first row that is left out, with what is wrong with it."""
    return data.skipped[0].split(";")[0]
