"""Rows without targets, for answering: from a file or standard input, in order, a chunk at a time."""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

from tunekit.data import columns
from tunekit.data.files import SUFFIXES, Table, as_table, read
from tunekit.data.formats import Row, json_object, parse_json
from tunekit.data.load import Rows
from tunekit.data.values import Normalizer
from tunekit.errors import LONGEST_PATH, InputError, cut, listing
from tunekit.tasks.base import Task

STDIN = "standard input"
CHUNK = 1024  # rows that are sorted by length and answered together


def stream(source: str, task: Task, given: Mapping[str, str] | None = None) -> Iterator[Rows]:
    """Chunks of rows, each with the roles that the task is given, and an id.

    Raises:
        InputError: the source cannot be read, or a row cannot be used; names its line.
    """
    found: columns.Columns | None = None
    roles = columns.roles_of(type(task), task.options, targets=False, given=task.given)
    number = 0
    for table in tables(source):
        found = found or columns.resolve(table, roles, given)
        absent = [column for column in found.values() if column not in table.columns]
        if absent:
            raise InputError(f"{table.place(0)} has no {listing(absent)}, which earlier rows have; add it")
        normalizer = Normalizer(table, roles, found)
        chunk = usable(table, normalizer, number)
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
        problems += [f"{table.place(number)}: {text}; correct the row or leave it out" for text in wrong]
        rows.append({**row, "id": table.columns[id_column][number] if id_column else first + number})
    if problems:
        raise InputError(problems)
    return rows


def tables(source: str) -> Iterator[Table]:
    """The chunks of a source as tables: lines as they come, other files whole."""
    path = Path(os.path.expanduser(source))
    suffix = path.suffix.lower()
    if source == "-":
        lines = getattr(sys.stdin, "buffer", None)
        yield from chunks(parse_lines(decoded(lines, STDIN) if lines else sys.stdin, STDIN), STDIN)
    elif not os.path.isfile(path):
        raise InputError(
            f"--input {cut(source, LONGEST_PATH)} is no file; give a file, or - for standard input"
        )
    elif suffix in (".jsonl", ".ndjson", ".txt"):
        with path.open("rb") as file:
            yield from chunks(parse_lines(decoded(file, source), source, as_json=suffix != ".txt"), source)
    elif suffix in SUFFIXES:
        table = read(path, "utf-8", None)
        for start in range(0, len(table), CHUNK):
            part = slice(start, start + CHUNK)
            lines = table.lines[part] if table.lines is not None else None
            yield Table(source, {k: v[part] for k, v in table.columns.items()}, lines, table.class_names)
    else:
        raise InputError(
            f"--input {source} has an unknown format {suffix!r}; convert it to one of {listing(SUFFIXES)}"
        )


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


def parse_lines(lines: Iterable[str], source: str, *, as_json: bool | None = None) -> Iterator[Row]:
    """Lines as rows: JSON objects or a text a line; where nothing is said, the first line tells which."""
    for number, line in enumerate(lines, start=1):
        text = line.rstrip("\r\n")
        if not text.strip():
            continue
        as_json = text.lstrip().startswith("{") if as_json is None else as_json
        row = (
            json_object(parse_json(text, source, number), f"{source}:{number}") if as_json else {"text": text}
        )
        yield number, row


def chunks(rows: Iterator[Row], source: str) -> Iterator[Table]:
    """Rows as tables of at most `CHUNK` rows."""
    while part := list(islice(rows, CHUNK)):
        yield as_table(part, source)
