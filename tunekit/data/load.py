"""Rows for training and scoring: read, mapped to roles, checked, labelled, cut and limited."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tunekit.data import columns
from tunekit.data.files import Table
from tunekit.data.sources import Tables, read_splits
from tunekit.data.values import Normalizer
from tunekit.errors import InputError, cut, listing, nearest
from tunekit.recipe import SPLITS, DataSection
from tunekit.tasks.base import Corrected, Example, Role, Task

MEND = "correct the row, or set data.bad_rows=skip"
MOST_HINTS = 20  # unknown labels for which the nearest known one is looked for

Rows = list[dict[str, Any]]  # keyed by role, and "id"


@dataclass(frozen=True)
class Data:
    """The rows of every split, and what is known about them."""

    splits: Mapping[str, Rows]
    labels: Sequence[str]  # in the order of the model's outputs; empty for tasks without a label set
    columns: Mapping[str, str]  # role -> column
    skipped: Sequence[str] = field(default=())  # rows that were left out, with the reason
    corrected: Sequence[str] = field(default=())  # rows that were put in order, and how

    def facts(self) -> dict[str, Any]:
        """Sizes and fingerprints, for the run's record."""
        splits = {
            name: {"rows": len(rows), "sha256": fingerprint(rows)} for name, rows in self.splits.items()
        }
        return {
            "splits": splits,
            "columns": dict(self.columns),
            "skipped": list(self.skipped),
            "corrected": list(self.corrected),
        }


def load(section: DataSection, kind: type[Task], options: Any, seed: int) -> Data:
    """The rows of all splits; a missing validation split is cut from train.

    Raises:
        InputError: with every file, column and row that cannot be used.
    """
    tables = read_splits(section)
    if "train" not in tables:
        raise InputError(
            f"{section.path} has no training split, only {listing(tables)}; name it with data.splits.train"
        )
    found = resolve_all(tables, columns.roles_of(kind, options, targets=True), section)
    splits, problems, corrected = check_rows(tables, kind, options, found)
    sound = without({place for place, _ in problems}, splits)
    role = kind.label_role(options)
    occurring = label_set(tables["train"], sound["train"], role, found) if role else []
    labels = kind.all_labels(options, occurring, found)
    problems += unknown_labels(splits, labels, role)
    if problems and section.bad_rows == "error":
        raise InputError([problem for _, problem in problems])
    good = without({place for place, _ in problems}, splits)
    for split, numbered in good.items():
        if not numbered:
            first = next(
                (f" ({text.removesuffix(f'; {MEND}')})" for (of, _), text in problems if of == split), ""
            )
            raise InputError(f"the {split} split has no rows that can be used{first}; correct them")
    if role and len(labels) < 2:
        raise InputError(
            f"training has no label but {listing(labels)} (column {found.get(role, role)!r}), and there "
            "must be two to tell apart; add rows of another, or correct data.columns"
        )
    rows = cut_validation(good, section.validation_share, role, seed)
    skipped = [problem for _, problem in problems]
    return Data(limited(rows, section.limit, seed), labels, found, skipped, corrected)


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
    found = resolve_all(chosen, columns.roles_of(kind, options, targets=True, given=task.given), section)
    splits, problems, corrected = check_rows(chosen, kind, options, found)
    problems += unknown_labels(splits, labels, kind.label_role(options), but="")
    if problems and section.bad_rows == "error":
        raise InputError([problem for _, problem in problems])
    rows = without({place for place, _ in problems}, splits)
    skipped = [problem for _, problem in problems]
    return name, Data(limited(rows, section.limit, 0), labels, found, skipped, corrected)


Place = tuple[str, int]  # split, and number of the row in it
Found = list[tuple[Place, str]]


def resolve_all(tables: Tables, roles: Mapping[str, Role], section: DataSection) -> columns.Columns:
    """The columns of the first table, which all others must have too; ids only where all have them."""
    first, *others = [table for group in tables.values() for table in group]
    found = columns.resolve(first, roles, section.columns)
    inferred = None if "id" in (section.columns or {}) else found.get("id")
    if inferred and not all(columns.holds_ids(table, inferred) for table in others):
        del found["id"]
    problems = [
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


def cut_validation(splits: Mapping[str, Rows], share: float, role: str | None, seed: int) -> dict[str, Rows]:
    """Cut a missing validation split from train: seeded, and stratified where a row has one label."""
    if "validation" in splits or share == 0:
        return dict(splits)
    rows = splits["train"]
    strata = [str(row[role]) if role and not isinstance(row[role], list) else "" for row in rows]
    picked = stratified(strata, share, np.random.default_rng([seed, 1]))
    return {
        **splits,
        "train": [row for number, row in enumerate(rows) if number not in picked],
        "validation": [row for number, row in enumerate(rows) if number in picked],
    }


def stratified(strata: Sequence[str], share: float, random: np.random.Generator) -> set[int]:
    """Row numbers for a share of each stratum; at least one row in all, and never a stratum's last one.

    Raises:
        InputError: there are too few rows to cut anything.
    """
    groups: dict[str, list[int]] = {}
    for number, stratum in enumerate(strata):
        groups.setdefault(stratum, []).append(number)
    picked: set[int] = set()
    for stratum in sorted(groups):
        members = random.permutation(groups[stratum])
        picked.update(members[: min(round(len(members) * share), len(members) - 1)].tolist())
    if not picked:
        largest = max(sorted(groups), key=lambda stratum: len(groups[stratum]))
        if len(groups[largest]) < 2:
            raise InputError(
                f"training has {len(strata)} rows, too few to cut a validation split from; "
                "give more, name one with data.splits.validation, or set data.validation_share=0"
            )
        picked.add(int(random.choice(groups[largest])))
    return picked


def limited(splits: Mapping[str, Rows], limit: Mapping[Any, int] | None, seed: int) -> dict[str, Rows]:
    """At most so many rows of a split, drawn by the seed and kept in order."""
    result = dict(splits)
    for split, most in (limit or {}).items():
        rows = result.get(split, [])
        if len(rows) > most:
            picks = np.sort(np.random.default_rng([seed, 2]).permutation(len(rows))[:most])
            result[split] = [rows[i] for i in picks]
    return result


def fingerprint(rows: Iterable[Example]) -> str:
    """sha256 of the rows' contents, whatever file they came from."""
    digest = hashlib.sha256()
    for row in rows:
        content = {role: value for role, value in row.items() if role != "place"}
        digest.update(json.dumps(content, sort_keys=True, ensure_ascii=False, default=str).encode())
    return digest.hexdigest()


def given_only(rows: Iterable[Example], kind: type[Task]) -> Iterator[dict[str, Any]]:
    """Rows without their targets: what the model may know when it is asked."""
    for row in rows:
        yield {role: row[role] for role in kind.inputs if role in row}
