"""Rows for training and scoring: read, mapped to roles, checked, labelled, cut and limited."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from tunekit.data import columns
from tunekit.data.drawing import Rows as Rows
from tunekit.data.drawing import cut_validation, fingerprint, limited
from tunekit.data.files import Table
from tunekit.data.keeping import keep_all
from tunekit.data.sources import Tables, read_splits
from tunekit.data.values import Normalizer
from tunekit.errors import InputError, cut, listing, nearest
from tunekit.recipe import SPLITS, DataSection
from tunekit.tasks.base import Corrected, Example, Role, Task

MEND = "correct the row, or set data.bad_rows=skip"
MOST_HINTS = 20  # unknown labels for which the nearest known one is looked for


@dataclass(frozen=True)
class Data:
    """The rows of every split, and what is known about them."""

    splits: Mapping[str, Rows]
    labels: Sequence[str]  # in the order of the model's outputs; empty for tasks without a label set
    columns: Mapping[str, str]  # role -> column
    skipped: Sequence[str] = field(default=())  # rows that were left out, with the reason
    corrected: Sequence[str] = field(default=())  # rows that were put in order, and how
    known_prints: Mapping[str, str] | None = None  # where another process has read the rows

    @cached_property
    def prints(self) -> dict[str, str]:
        """The fingerprint of each split."""
        if self.known_prints is not None:
            return dict(self.known_prints)
        return {name: fingerprint(rows) for name, rows in self.splits.items()}

    def facts(self) -> dict[str, Any]:
        """Sizes and fingerprints, for the run's record."""
        sizes = {name: len(rows) for name, rows in self.splits.items()}
        return {
            "splits": {name: {"rows": sizes[name], "sha256": self.prints[name]} for name in sizes},
            "columns": dict(self.columns),
            "skipped": list(self.skipped),
            "corrected": list(self.corrected),
        }


def load(section: DataSection, kind: type[Task], options: Any, seed: int, processor: Any = None) -> Data:
    """The rows of all splits; a missing validation split is cut from train.

    Values that are costly to read, such as pictures, are read last and for a processor; without one they are
    not.

    Raises:
        InputError: with every file, column and row that cannot be used.
    """
    return of_tables(read_splits(section), section, kind, options, seed, processor)


def of_tables(
    tables: Tables, section: DataSection, kind: type[Task], options: Any, seed: int, processor: Any = None
) -> Data:
    """The rows of tables that are read already, as `load` gives them."""
    if "train" not in tables:
        raise InputError(
            f"{section.path} has no training split, only {listing(tables)}; name it with data.splits.train"
        )
    roles = columns.roles_of(kind, options, targets=True)
    found = resolve_all(tables, roles, section)
    tables = narrowed(tables, found)
    splits, problems, corrected = check_rows(tables, kind, options, found)
    sound = without({place for place, _ in problems}, splits)
    role = kind.label_role(options)
    occurring = label_set(tables["train"], sound["train"], role, found) if role else []
    labels = kind.all_labels(options, occurring, found)
    problems += unknown_labels(splits, labels, role)
    good = usable(splits, problems, section)
    if role and len(labels) < 2:
        raise InputError(
            f"training has no label but {listing(labels)} (column {found.get(role, role)!r}), and there "
            "must be two to tell apart; add rows of another, or correct data.columns"
        )
    rows = limited(cut_validation(good, section.validation_share, role, seed), section.limit, seed)
    before = labels_of(rows["train"], role)
    rows, broken = kept(rows, kind, options, processor, roles, section)
    gone = before - labels_of(rows["train"], role)
    if gone:
        raise InputError(
            f"no training row of label {listing(sorted(gone))} can be read ({broken[0][1]}); mend some"
        )
    skipped = unread(tables) + [problem for _, problem in problems + broken]
    return Data(rows, labels, found, skipped, corrected)


def unread(tables: Tables) -> list[str]:
    """What is wrong with lines that could not be read, and are left out."""
    return [problem for group in tables.values() for table in group for problem in table.unread]


def load_split(section: DataSection, task: Task, split: str | None) -> tuple[str, Data]:
    """The rows of one split for scoring by a model with a frozen label set, and that split's name.

    Without a name the first there is of test, validation and train is taken. The rows of a single file belong
    to no split: they are scored as the one that is asked for, or as test.
    """
    tables = read_splits(section)
    single_file = section.splits is None and Path(section.path).expanduser().is_file()
    if single_file:
        tables = {split or "test": tables["train"]}
    name = split or next(split for split in reversed(SPLITS) if split in tables)
    if name not in tables:
        raise InputError(f"{section.path} has no {name} split; choose from {listing(tables)}")
    chosen = {name: tables[name]}
    kind, options, labels = type(task), task.options, task.labels
    roles = columns.roles_of(kind, options, targets=True, given=task.given)
    known = columns.remembered(chosen[name][0], roles, task.origin, section.columns)
    found = resolve_all(chosen, roles, section.model_copy(update={"columns": known}))
    splits, problems, corrected = check_rows(narrowed(chosen, found), kind, options, found)
    problems += unknown_labels(splits, labels, kind.label_role(options), but="")
    rows = limited(usable(splits, problems, section), section.limit, 0)
    rows, broken = kept(rows, kind, options, task.processor, roles, section)
    skipped = unread(chosen) + [problem for _, problem in problems + broken]
    return name, Data(rows, labels, found, skipped, corrected)


Place = tuple[str, int]  # split, and number of the row in it
Found = list[tuple[Place, str]]


def usable(splits: Mapping[str, Rows], problems: Found, section: DataSection) -> dict[str, Rows]:
    """The rows without problems.

    Raises:
        InputError: problems are errors, or no row of a split is left.
    """
    if problems and section.bad_rows == "error":
        raise InputError([text for _, text in problems])
    good = without({place for place, _ in problems}, splits)
    for split, rows in good.items():
        if not rows:
            first = next(
                (f" ({text.removesuffix(f'; {MEND}')})" for (of, _), text in problems if of == split), ""
            )
            raise InputError(f"the {split} split has no rows that can be used{first}; correct them")
    return good


def kept(
    splits: dict[str, Rows],
    kind: type[Task],
    options: Any,
    processor: Any,
    roles: Mapping[str, Role],
    section: DataSection,
) -> tuple[dict[str, Rows], Found]:
    """The rows with their costly values read, and those that are left out, broken or not for a processor."""
    if processor is None:
        return splits, []
    broken = [(place, f"{text}; {MEND}") for place, text in keep_all(splits, kind, processor, roles)]
    for split, rows in splits.items():
        for number, text in kind.refused(options, processor, rows, targets=True):
            broken.append(((split, number), f"{rows[number]['place']}: {advised(text)}"))
    return usable(splits, broken, section), broken


def resolve_all(tables: Tables, roles: Mapping[str, Role], section: DataSection) -> columns.Columns:
    """The columns of the first table, which all others must have too; ids only where they tell rows apart."""
    first, *others = [table for group in tables.values() for table in group]
    found = columns.resolve(first, roles, section.columns)
    repeated = list(columns.repeated_ids(tables, found["id"])) if "id" in found else []
    if repeated and "id" not in (section.columns or {}):
        del found["id"]
        repeated = []
    problems = repeated + [
        f"{table.source} has no column {column!r}, which {first.source} has; "
        f"its columns are {listing(table.columns)}; name them alike"
        for table in others
        for column in found.values()
        if column not in table.columns
    ]
    for table in (first, *others):
        for role, spec in roles.items():
            if spec.kind in ("label", "labels", "set") and found.get(role) in table.columns:
                problems += columns.mixed_types(table, found[role])
    if problems:
        raise InputError(problems)
    return found


def narrowed(tables: Tables, found: columns.Columns) -> Tables:
    """The tables without the columns that play no role, so that these take no memory."""
    return {
        split: [
            replace(table, columns={name: table.columns[name] for name in found.values()}) for table in group
        ]
        for split, group in tables.items()
    }


def check_rows(
    tables: Tables, kind: type[Task], options: Any, found: columns.Columns
) -> tuple[dict[str, Rows], Found, list[str]]:
    """Every row keyed by role, what is wrong with which, and which were put in order.

    Bad rows stay, so that numbers stay.
    """
    roles = columns.roles_of(kind, options, targets=True)
    splits: dict[str, Rows] = {}
    problems, corrected = Found(), list[str]()
    for split, group in tables.items():
        rows = splits.setdefault(split, [])
        for table in group:
            normalizer = Normalizer(table, roles, found)
            ids = table.columns[found["id"]] if "id" in found else None
            for number in range(len(table)):
                row, wrong = normalizer.row(number)
                found_out = [] if wrong else list(kind.check(options, row))
                corrected += [f"{table.place(number)}: {t}" for t in found_out if isinstance(t, Corrected)]
                wrong = [f"{text}; {MEND}" for text in wrong]
                wrong += [advised(text) for text in found_out if not isinstance(text, Corrected)]
                problems += [((split, len(rows)), f"{table.place(number)}: {text}") for text in wrong]
                rows.append(
                    {**row, "id": len(rows) if ids is None else ids[number], "place": table.place(number)}
                )
    return splits, problems, corrected


def advised(text: str) -> str:
    """What a task finds wrong with a row; it may already say what to do."""
    return text if "; " in text else f"{text}; {MEND}"


def label_set(tables: Sequence[Table], rows: Rows, role: str, found: columns.Columns) -> list[str]:
    """The labels in their final order: the data set's own where it has one, else sorted, numbers by size."""
    named = tables[0].class_names.get(found.get(role, ""), [])
    labels = {label for row in rows for label in as_list(row[role])}.difference(named)
    numeric = all(re.fullmatch(r"-?\d+", label) for label in labels)
    return [*named, *sorted(labels, key=lambda label: (int(label), label) if numeric else label)]


def labels_of(rows: Rows, role: str | None) -> set[str]:
    """The labels that occur in rows."""
    return {label for row in rows for label in as_list(row[role])} if role else set()


def as_list(value: Any) -> list[str]:
    """A label, or a list of labels, as a list."""
    return value if isinstance(value, list) else [value]


def unknown_labels(
    splits: Mapping[str, Rows], labels: Sequence[str], role: str | None, but: str = "train"
) -> Found:
    """Rows outside training whose label never occurs in training."""
    known, there = set(labels), listing(labels)
    if role is None:
        return []
    hints: dict[str, str] = {}  # a look for the nearest label takes long where there are many
    found: Found = []
    scored = {split: rows for split, rows in splits.items() if split != but}
    for split, number, row in ((s, i, row) for s, rows in scored.items() for i, row in enumerate(rows)):
        for label in dict.fromkeys(label for label in as_list(row.get(role, [])) if label not in known):
            if label not in hints:
                hints[label] = nearest(label, labels) if len(hints) < MOST_HINTS else ""
            text = f"label {cut(label)!r} does not occur in training{hints[label]}; the labels are {there}"
            found.append(((split, number), f"{row['place']}: {text}; {MEND}"))
    return found


def without(bad: set[Place], splits: Mapping[str, Rows]) -> dict[str, Rows]:
    """The rows that can be used."""
    return {
        split: [row for number, row in enumerate(rows) if (split, number) not in bad]
        for split, rows in splits.items()
    }


def given_only(rows: Iterable[Example], kind: type[Task]) -> Iterator[dict[str, Any]]:
    """Rows without their targets: what the model may know when it is asked."""
    for row in rows:
        yield {role: row[role] for role in kind.inputs if role in row}
