"""The data without leaks and duplicates, written as files that a recipe can name."""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tunekit.checks.likeness import near_twins
from tunekit.checks.subject import Subject
from tunekit.data.files import Table
from tunekit.data.images import source_of
from tunekit.data.load import load
from tunekit.data.sources import Tables, read_splits
from tunekit.data.twins import conflicts, in_split, repeats
from tunekit.errors import InputError, listing, nearest

ALSO = ("conflicts", "near-duplicates")  # what is removed on request only


@dataclass(frozen=True)
class Fixed:
    """What was written, and which training rows were not, with the reason."""

    folder: str
    rows: Mapping[str, int]  # written, by split; empty where pictures are inside of files
    removed: Mapping[str, str]  # name of a training row -> why
    columns: Mapping[str, str] | None  # that the recipe names

    def document(self) -> dict[str, Any]:
        """What was done as JSON."""
        return {
            "folder": self.folder,
            "rows": dict(self.rows),
            "removed": dict(Counter(self.removed.values())),
        }

    def sentence(self) -> str:
        """What was done, and how to go on."""
        reasons = Counter(self.removed.values())
        why = ", ".join(f"{count:,} for {reason}" for reason, count in reasons.items()) or "nothing"
        left = f"left out of train: {why}; listed in {self.folder}/removed.jsonl"
        if not self.rows:
            return f"{left}. The pictures are inside the data's files: nothing else was written"
        columns = json.dumps(dict(self.columns), ensure_ascii=False) if self.columns else ""
        named = f" 'data.columns={columns}'" if columns else ""
        sizes = ", ".join(f"{count:,} {split}" for split, count in self.rows.items())
        return f"{left}. Written: {sizes}; go on with data={self.folder}{named}"


def check_request(folder: Path | None, also: Sequence[str]) -> None:
    """Refuse a folder that holds something, and words that mean nothing.

    Raises:
        InputError: it does, or it is none, or something is to be removed that is not known.
    """
    unknown = [word for word in also if word not in ALSO]
    if unknown:
        raise InputError(
            f"--also {unknown[0]!r} is unknown{nearest(unknown[0], ALSO)}; give {' or '.join(ALSO)}"
        )
    if also and folder is None:
        raise InputError(f"--also {also[0]} says what --fix leaves out; give --fix FOLDER too")
    if folder is not None and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"--fix {folder} is not an empty folder; name a new one")


def fix(subject: Subject, folder: Path, also: Sequence[str] = ()) -> Fixed:
    """Write the data of a recipe without the training rows that leak or repeat others.

    Rows of other splits all stay. Every column is kept, and a validation split that would be cut from train
    is not.

    Raises:
        InputError: the folder is not empty, or a label would lose all its rows.
    """
    check_request(folder, also)
    tables = read_splits(subject.recipe.data)
    if subject.recipe.data.limit or "validation" not in tables:
        subject = whole(subject)
    why = removable(subject, also)
    refuse_loss(subject, why)
    folder.mkdir(parents=True, exist_ok=True)
    places = {row.values["place"]: row.split for n, row in enumerate(subject.rows) if n not in why}
    pictures = [subject.data.columns[role] for role, spec in subject.inputs.items() if spec.kind == "image"]
    rows = dict[str, int]()
    if not any(inside(table, name) for group in tables.values() for table in group for name in pictures):
        rows = write_splits(folder, kept_rows(tables, places, pictures), subject.recipe.data.encoding)
    removed = {subject.rows[n].name: reason for n, reason in why.items()}
    listed = ({"row": name, "reason": reason} for name, reason in removed.items())
    write_rows(folder / "removed.jsonl", listed, "utf-8")
    return Fixed(str(folder), rows, removed, subject.recipe.data.columns)


def whole(subject: Subject) -> Subject:
    """The same with all rows that there are, and no validation split cut from them."""
    section = subject.recipe.data.model_copy(update={"limit": None, "validation_share": 0.0})
    task, seed = subject.task, subject.recipe.data_seed
    data = load(section, type(task), subject.recipe.task.options, seed, task.processor)
    return replace(subject, data=data)


def removable(subject: Subject, also: Sequence[str]) -> dict[int, str]:
    """The training rows to leave out, by number, and why."""
    pool, why = subject.pool, dict[int, str]()
    for number, reason in (*leaking(subject), *((n, "duplicates") for n, _ in repeats(pool, "train"))):
        why.setdefault(number, reason)
    if "conflicts" in also:
        rows = (n for group in conflicts(pool) for n in in_split(pool, group, "train"))
        why |= {n: "conflicting labels" for n in rows if n not in why}
    if "near-duplicates" in also:
        near = near_twins(pool, subject.likeness, "train", "train")
        why |= {n: "near duplicates" for n, twin in near if n not in why}
    return why


def leaking(subject: Subject) -> Iterator[tuple[int, str]]:
    """The training rows that are given the same as rows of other splits, or nearly."""
    pool, groups, neighbours = subject.pool, subject.likeness.groups, subject.likeness.neighbours
    scored = [n for n, group in enumerate(groups) if len(in_split(pool, group, "train")) < len(group)]
    yield from ((row, "leaks") for n in scored for row in in_split(pool, groups[n], "train"))
    near = (each for n in scored for each in neighbours.get(n, ()))
    yield from ((row, "near leaks") for n in near for row in in_split(pool, groups[n], "train"))


def refuse_loss(subject: Subject, why: Mapping[int, str]) -> None:
    """Refuse to leave a label, or training, without any row.

    Raises:
        InputError: that would be.
    """
    role = subject.label_role
    train = [(n, row) for n, row in enumerate(subject.rows) if row.split == "train"]
    left = [row for n, row in train if n not in why]

    def labels(rows: Iterable[Any]) -> set[str]:
        """The labels of rows."""
        values = (row.values[role or ""] for row in rows)
        return {label for value in values for label in (value if isinstance(value, list) else [value])}

    gone = labels(row for _, row in train) - labels(left) if role else set()
    if gone or not left:
        of = f" of label {listing(sorted(gone))}" if gone else ""
        raise InputError(
            f"without leaks and duplicates no training row{of} would be left; add rows before --fix"
        )


def kept_rows(
    tables: Tables, places: Mapping[str, str], pictures: Sequence[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rows that stay, as the data have them, with their splits."""
    for table in (table for group in tables.values() for table in group):
        for number in range(len(table)):
            if table.place(number) in places:
                row = {name: plain(table, name, number, pictures) for name in table.columns}
                yield places[table.place(number)], row


def plain(table: Table, column: str, number: int, pictures: Sequence[str]) -> Any:
    """A value as JSON has it: labels by their names, pictures by their whole paths."""
    value, names = table.columns[column][number], table.class_names.get(column)
    if column in pictures:
        return os.path.abspath(str(source_of(value, table.folder)))
    if names and isinstance(value, list):
        return [names[item] if isinstance(item, int) else item for item in value]
    return names[value] if names and isinstance(value, int) else value


def inside(table: Table, column: str) -> bool:
    """Whether a column holds pictures themselves, not their paths."""
    return any(isinstance(source_of(value, table.folder), bytes) for value in table.columns[column])


def write_splits(folder: Path, rows: Iterable[tuple[str, dict[str, Any]]], encoding: str) -> dict[str, int]:
    """Write each split's file; return how many rows it has."""
    splits: dict[str, list[dict[str, Any]]] = {}
    for split, row in rows:
        splits.setdefault(split, []).append(row)
    for split, found in splits.items():
        write_rows(folder / f"{split}.jsonl", found, encoding)
    return {split: len(found) for split, found in splits.items()}


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]], encoding: str) -> None:
    """Write rows as JSON lines."""
    as_ascii = encoding.lower() not in ("utf-8", "utf8")
    with path.open("w", encoding=encoding) as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=as_ascii, default=str) + "\n")
