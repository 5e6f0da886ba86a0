"""Rows for training and scoring: read, mapped to roles, checked, labelled, cut and limited."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tunekit.data import columns
from tunekit.data.files import Table
from tunekit.data.sources import Tables, read_splits
from tunekit.errors import InputError, listing, nearest
from tunekit.recipe import SPLITS, DataSection
from tunekit.tasks.base import Example, Role, Task

Rows = list[dict[str, Any]]  # keyed by role, and "id"


@dataclass(frozen=True)
class Data:
    """The rows of every split, and what is known about them."""

    splits: Mapping[str, Rows]
    labels: Sequence[str]  # in the order of the model's outputs; empty for tasks without a label set
    columns: Mapping[str, str]  # role -> column
    skipped: Sequence[str] = field(default=())  # rows that were left out, with the reason

    def facts(self) -> dict[str, Any]:
        """Sizes and fingerprints, for the run's record."""
        splits = {
            name: {"rows": len(rows), "sha256": fingerprint(rows)} for name, rows in self.splits.items()
        }
        return {"splits": splits, "columns": dict(self.columns), "skipped": list(self.skipped)}


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
    found = resolve_all(tables, columns.roles_of(kind, targets=True), section)
    splits, problems = check_rows(tables, kind, options, found)
    labels = label_set(tables["train"], splits["train"], kind, found) if kind.labels_from else []
    problems += unknown_labels(splits, labels, kind)
    if problems and section.bad_rows == "error":
        raise InputError([problem for _, problem in problems])
    good = without({place for place, _ in problems}, splits)
    for split, numbered in good.items():
        if not numbered:
            raise InputError(
                f"the {split} split has no rows that can be used; check data.columns and data.bad_rows"
            )
    if kind.labels_from and len(labels) < 2:
        raise InputError(
            f"training has the single label {listing(labels)}; there must be at least two to tell apart"
        )
    rows = cut_validation(good, section.validation_share, kind, seed)
    return Data(limited(rows, section.limit, seed), labels, found, [problem for _, problem in problems])


def load_split(
    section: DataSection, kind: type[Task], options: Any, labels: Sequence[str], split: str | None
) -> tuple[str, Data]:
    """The rows of one split for scoring by a model with a frozen label set, and that split's name.

    Without a name the first there is of test, validation and train is taken.
    """
    tables = read_splits(section)
    name = split or next(split for split in reversed(SPLITS) if split in tables)
    if name not in tables:
        raise InputError(f"{section.path} has no {name} split; there are {listing(tables)}")
    chosen = {name: tables[name]}
    found = resolve_all(chosen, columns.roles_of(kind, targets=True), section)
    splits, problems = check_rows(chosen, kind, options, found)
    problems += unknown_labels(splits, labels, kind, but="")
    if problems and section.bad_rows == "error":
        raise InputError([problem for _, problem in problems])
    rows = without({place for place, _ in problems}, splits)
    return name, Data(limited(rows, section.limit, 0), labels, found, [problem for _, problem in problems])


Place = tuple[str, int]  # split, and number of the row in it
Found = list[tuple[Place, str]]


def resolve_all(tables: Tables, roles: Mapping[str, Role], section: DataSection) -> columns.Columns:
    """The columns of the first table, which all others must have too."""
    first = next(iter(tables.values()))[0]
    found = columns.resolve(first, roles, section.columns)
    problems = [
        f"{table.source} has no column {column!r}, which {first.source} has; "
        f"its columns are {listing(table.columns)}; name them alike"
        for group in tables.values()
        for table in group
        for column in found.values()
        if column not in table.columns
    ]
    for group in tables.values():
        for table in group:
            for role, spec in roles.items():
                if spec.kind in ("label", "labels") and found[role] in table.columns:
                    problems += columns.mixed_types(table, found[role])
    if problems:
        raise InputError(problems)
    return found


def check_rows(
    tables: Tables, kind: type[Task], options: Any, found: columns.Columns
) -> tuple[dict[str, Rows], Found]:
    """Every row keyed by role, and what is wrong with which row. Bad rows stay, so that numbers stay."""
    roles = columns.roles_of(kind, targets=True)
    splits: dict[str, Rows] = {}
    problems: Found = []
    for split, group in tables.items():
        rows = splits.setdefault(split, [])
        for table in group:
            normalizer = columns.Normalizer(table, roles, found)
            ids = table.columns[found["id"]] if "id" in found else None
            for number in range(len(table)):
                row, wrong = normalizer.row(number)
                wrong += kind.check(options, row) if not wrong else []
                problems += [((split, len(rows)), f"{table.place(number)}: {text}") for text in wrong]
                rows.append(
                    {**row, "id": len(rows) if ids is None else ids[number], "place": table.place(number)}
                )
    return splits, problems


def label_set(tables: Sequence[Table], rows: Rows, kind: type[Task], found: columns.Columns) -> list[str]:
    """The labels in their final order: the data set's own where it has one, else sorted, numbers by size."""
    role = str(kind.labels_from)
    named = tables[0].class_names.get(found[role])
    if named:
        return named
    labels = {label for row in rows if role in row for label in as_list(row[role])}
    numeric = all(label.lstrip("-").isdecimal() for label in labels)
    return sorted(labels, key=lambda label: (int(label), label) if numeric else label)


def as_list(value: Any) -> list[str]:
    """A label, or a list of labels, as a list."""
    return value if isinstance(value, list) else [value]


def unknown_labels(
    splits: Mapping[str, Rows], labels: Sequence[str], kind: type[Task], but: str = "train"
) -> Found:
    """Rows outside training whose label never occurs in training."""
    known, role = set(labels), kind.labels_from
    if role is None:
        return []
    return [
        (
            (split, number),
            f"{row['place']}: label {label!r} does not occur in training{nearest(label, labels)}; "
            f"the labels are {listing(labels)}; correct the row or set data.bad_rows=skip",
        )
        for split, rows in splits.items()
        if split != but
        for number, row in enumerate(rows)
        for label in dict.fromkeys(as_list(row.get(role, [])))
        if label not in known
    ]


def without(bad: set[Place], splits: Mapping[str, Rows]) -> dict[str, Rows]:
    """The rows that can be used."""
    return {
        split: [row for number, row in enumerate(rows) if (split, number) not in bad]
        for split, rows in splits.items()
    }


def cut_validation(splits: Mapping[str, Rows], share: float, kind: type[Task], seed: int) -> dict[str, Rows]:
    """Cut a missing validation split from train: seeded, and stratified where a row has one label."""
    if "validation" in splits or share == 0:
        return dict(splits)
    rows = splits["train"]
    role = kind.labels_from
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
                "training has too few rows to cut a validation split from; give one, or more rows"
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
        yield {role: row[role] for role in kind.inputs}
