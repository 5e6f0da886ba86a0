"""Rows without targets, for answering: of a file, standard input or the Hub, in order, in chunks."""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path

from tunekit.data import columns, image_folders, images
from tunekit.data.files import SUFFIXES, Table, as_table, read
from tunekit.data.formats import Row, json_object, parse_json
from tunekit.data.hub import stream_hub, streams
from tunekit.data.keeping import keep
from tunekit.data.load import Rows
from tunekit.data.nested import opened
from tunekit.data.values import Normalizer, Unread
from tunekit.errors import LONGEST_PATH, InputError, cut, listing
from tunekit.tasks.base import Task

STDIN = "standard input"
MEND = "correct the row or leave it out"
CHUNK = 1024  # rows that are sorted by length and answered together


def stream(source: str, task: Task, given: Mapping[str, str] | None = None) -> Iterator[Rows]:
    """Chunks of rows, each with the roles that the task is given, and an id.

    Raises:
        InputError: the source cannot be read, or a row cannot be used; names its line.
    """
    found: columns.Columns | None = None
    roles = columns.roles_of(type(task), task.options, targets=False, given=task.given)
    number = 0
    column = next((spec.column for spec in roles.values() if spec.kind == "image"), None)
    for table in map(opened, tables(source, column)):
        found = found or columns.resolve(table, roles, given, "--column ")
        absent = [column for column in found.values() if column not in table.columns]
        if absent:
            raise InputError(f"{table.place(0)} has no {listing(absent)}, which earlier rows have; add it")
        normalizer = Normalizer(table, roles, found)
        chunk = usable(table, normalizer, number)
        broken = keep(chunk, type(task), task.processor, roles)
        broken += type(task).refused(task.options, task.processor, chunk, targets=False)
        if broken:
            ends = ["" if "; " in text else f"; {MEND}" for _, text in broken]
            raise InputError(
                [f"{table.place(i)}: {t}{end}" for (i, t), end in zip(broken, ends, strict=True)]
            )
        number += len(chunk)
        yield chunk


def usable(table: Table, normalizer: Normalizer, first: int) -> Rows:
    """The rows of a table by role.

    Raises:
        InputError: some cannot be used; names each.
    """
    id_column = normalizer.columns.get("id")
    rows, problems = Rows(), list[str]()
    for number in range(len(table)):
        row, wrong = normalizer.row(number)
        problems += [f"{table.place(number)}: {text}; {MEND}" for text in wrong]
        path = next((v.path for v in row.values() if isinstance(v, Unread) and v.path), None)
        named = table.columns[id_column][number] if id_column else path
        rows.append({**row, "id": first + number if named is None else named})
    if problems:
        raise InputError(problems)
    return rows


def tables(source: str, image: str | None = None) -> Iterator[Table]:
    """The chunks of a source as tables: lines and rows of the Hub as they come, other files whole.

    Where a task looks at pictures, `image` is their column: a line is then a path, and a source may be a
    picture, or a folder of them.
    """
    path = Path(os.path.expanduser(source))
    suffix = path.suffix.lower()
    column = image or "text"
    if source == "-":
        lines = getattr(sys.stdin, "buffer", None)
        rows = parse_lines(decoded(lines, STDIN) if lines else sys.stdin, STDIN, column)
        yield from chunks(rows, STDIN, Path())
    elif image and (os.path.isdir(path) or suffix in images.SUFFIXES):
        rows = ((None, {image: name}) for name in pictures_in(path))
        yield from chunks(rows, source, Path())
    elif not os.path.exists(path) and suffix not in SUFFIXES and streams(source):
        yield from stream_hub(source, CHUNK)
    elif not os.path.isfile(path):
        raise InputError(
            f"--input {cut(source, LONGEST_PATH)} is no file; give a file, or - for standard input"
        )
    elif suffix in (".jsonl", ".ndjson", ".txt"):
        with path.open("rb") as file:
            rows = parse_lines(decoded(file, source), source, column, as_json=suffix != ".txt")
            yield from chunks(rows, source, path.parent)
    elif suffix in SUFFIXES:
        table = read(path, "utf-8", None)
        for start in range(0, len(table), CHUNK):
            part = slice(start, start + CHUNK)
            lines = table.lines[part] if table.lines is not None else None
            values = {name: column[part] for name, column in table.columns.items()}
            yield Table(source, values, lines, table.class_names, table.folder)
    else:
        raise InputError(
            f"--input {source} has an unknown format {suffix!r}; convert it to one of {listing(SUFFIXES)}"
        )


def pictures_in(path: Path) -> list[str]:
    """The paths of a folder's pictures, or the one picture's.

    Raises:
        InputError: there is none.
    """
    inside = image_folders.visible(path) if path.is_dir() else [path]
    found = [str(each) for each in inside if each.suffix.lower() in images.SUFFIXES]
    if not found:
        raise InputError(
            f"--input {path} holds no pictures ({listing(images.SUFFIXES)}); give a folder of pictures"
        )
    return found


def decoded(lines: Iterable[bytes], source: str) -> Iterator[str]:
    """Lines as text; a byte order mark is dropped.

    Raises:
        InputError: a line is not UTF-8.
    """
    for number, line in enumerate(lines, start=1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise InputError(
                f"{source}:{number}: byte {error.start} of the line is not utf-8; save the input as UTF-8"
            ) from None


def parse_lines(
    lines: Iterable[str], source: str, column: str = "text", *, as_json: bool | None = None
) -> Iterator[Row]:
    """Lines as rows: JSON objects or values of a column; if nothing is said, the first line tells which."""
    for number, line in enumerate(lines, start=1):
        text = line.rstrip("\r\n")
        if not text.strip():
            continue
        as_json = text.lstrip().startswith("{") if as_json is None else as_json
        row = (
            json_object(parse_json(text, source, number), f"{source}:{number}") if as_json else {column: text}
        )
        yield number, row


def chunks(rows: Iterator[Row], source: str, folder: Path) -> Iterator[Table]:
    """Rows as tables of at most `CHUNK` rows; relative paths in them start in a folder."""
    while part := list(islice(rows, CHUNK)):
        yield replace(as_table(part, source), folder=folder)
