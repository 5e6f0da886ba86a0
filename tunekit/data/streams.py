"""Rows without targets, for answering: from a file or standard input, in order, a chunk at a time."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from tunekit.data import columns
from tunekit.data.files import SUFFIXES, Row, Table, json_object, parse_json, read
from tunekit.data.load import Rows
from tunekit.errors import InputError, listing
from tunekit.tasks.base import Task

CHUNK = 1024  # rows that are sorted by length and answered together


def stream(source: str, kind: type[Task], given: Mapping[str, str] | None = None) -> Iterator[Rows]:
    """Chunks of rows, each with the roles that the task is given, and an id.

    Raises:
        InputError: the source cannot be read, or a row cannot be used; names its line.
    """
    found: columns.Columns | None = None
    number = 0
    for table in tables(source):
        found = found or columns.resolve(table, columns.roles_of(kind, targets=False), given)
        absent = [column for column in found.values() if column not in table.columns]
        if absent:
            raise InputError(f"{table.place(0)} has no {listing(absent)}, which earlier rows have; add it")
        chunk = list(
            usable(table, columns.Normalizer(table, columns.roles_of(kind, targets=False), found), number)
        )
        number += len(chunk)
        yield chunk


def usable(table: Table, normalizer: columns.Normalizer, first: int) -> Iterator[dict[str, Any]]:
    """The rows of a table by role, or an error for the first that cannot be used."""
    id_column = normalizer.columns.get("id")
    for number in range(len(table)):
        row, wrong = normalizer.row(number)
        if wrong:
            raise InputError(f"{table.place(number)}: {wrong[0]}; correct the row or leave it out")
        yield {**row, "id": table.columns[id_column][number] if id_column else first + number}


def tables(source: str) -> Iterator[Table]:
    """The chunks of a source as tables: lines as they come, other files whole."""
    path = Path(source).expanduser()
    if source == "-":
        yield from chunks(parse_lines(sys.stdin, "standard input"), "standard input")
    elif not path.is_file():
        raise InputError(f"--input {source} is no file; give a file, or - for standard input")
    elif path.suffix in (".jsonl", ".ndjson", ".txt"):
        with path.open(encoding="utf-8-sig") as file:
            yield from chunks(parse_lines(file, source), source)
    elif path.suffix in SUFFIXES:
        table = read(path, "utf-8", None)
        for start in range(0, len(table), CHUNK):
            part = slice(start, start + CHUNK)
            lines = table.lines[part] if table.lines is not None else None
            yield Table(source, {k: v[part] for k, v in table.columns.items()}, lines, table.class_names)
    else:
        raise InputError(f"--input {source} has an unknown format; tunekit reads {listing(SUFFIXES)}")


def parse_lines(lines: Iterable[str], source: str) -> Iterator[Row]:
    """Lines as rows: JSON objects where the first line is one, else a text a line."""
    as_json: bool | None = None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        as_json = line.lstrip().startswith("{") if as_json is None else as_json
        text = line.rstrip("\r\n")
        yield (
            number,
            (
                json_object(parse_json(text, source, number), f"{source}:{number}")
                if as_json
                else {"text": text}
            ),
        )


def chunks(rows: Iterator[Row], source: str) -> Iterator[Table]:
    """Rows as tables of at most `CHUNK` rows."""
    while part := list(islice(rows, CHUNK)):
        names = dict.fromkeys(name for _, row in part for name in row)
        yield Table(
            source, {name: [row.get(name) for _, row in part] for name in names}, [line for line, _ in part]
        )
