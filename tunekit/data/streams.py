"""Rows without targets, for answering: of a file, standard input or the Hub, in order, in chunks."""

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from tunekit.console import out
from tunekit.data import columns, image_folders, images
from tunekit.data.files import LINE, SUFFIXES, Table, as_table, decode_content, read
from tunekit.data.formats import Row, json_object, lines_of, parse_json
from tunekit.data.hub import stream_hub, streams
from tunekit.data.keeping import keep
from tunekit.data.load import Rows
from tunekit.data.manner import Manner, checked
from tunekit.data.nested import opened
from tunekit.data.values import Normalizer, Unread
from tunekit.errors import LONGEST_PATH, InputError, cut, listing
from tunekit.tasks.base import Task

STDIN = "standard input"
MEND = "correct the row or leave it out"
CHUNK = 1024  # rows that are sorted by length and answered together
ARRAY = re.compile(r'\[\s*([{"\[]|$)')  # how a line begins that is no text but JSON
CELL = re.compile(r"[;\t|,]")


def stream(
    source: str,
    task: Task,
    given: Mapping[str, str] | None = None,
    *,
    separator: str | None = None,
    encoding: str | None = None,
) -> Iterator[Rows]:
    """Chunks of rows, each with the roles that the task is given, and an id.

    What is not `given`, nor said of a file's separator and encoding, is as the model's own data had it.

    Raises:
        InputError: the source cannot be read, or a row cannot be used; names its line.
    """
    found: columns.Columns | None = None
    roles = columns.roles_of(type(task), task.options, targets=False, given=task.given)
    number = 0
    column = next((spec.column for spec in roles.values() if spec.kind == "image"), None)
    learned = task.origin.get("columns") or {}
    needed = [{learned.get(role, spec.column), spec.column} for role, spec in roles.items() if spec.needed]
    manner = Manner(**checked(separator, encoding), origin=task.origin, image=column, needed=needed)
    for table in map(opened, tables(source, manner)):
        if found is None:
            known = columns.remembered(table, roles, task.origin, given)
            found = columns.resolve(table, roles, known, LINE)
            tell(table, found)
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
    if number == 0:
        raise InputError(f"{STDIN if source == '-' else f'--input {source}'} has no rows; give some")


def tell(table: Table, found: columns.Columns) -> None:
    """Say which column plays which role, where there are several."""
    if len(table.columns) > 1:
        out.say(f"columns: {columns.mapping(found)}")


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


def tables(source: str, manner: Manner) -> Iterator[Table]:
    """The chunks of a source as tables: lines and rows of the Hub as they come, other files whole.

    Where a task looks at pictures, a line is a path, and a source may be a picture, or a folder of them.
    """
    path = Path(os.path.expanduser(source))
    suffix = path.suffix.lower()
    image = manner.image
    column = image or "text"
    if source == "-":
        content = getattr(sys.stdin, "buffer", None)
        lines = decoded(content, STDIN, manner.encoding or "utf-8") if content else sys.stdin
        rows = parse_lines(refused(lines, manner.needed), STDIN, column)
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
            lines = decoded(file, source, manner.encoding_of(path))
            rows = parse_lines(lines, source, column, as_json=suffix != ".txt")
            yield from chunks(rows, source, path.parent)
    elif suffix in SUFFIXES:
        encoding = manner.encoding_of(path)
        table = read(path, encoding, manner.separator_of(path, encoding), keys=LINE)
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


def decoded(lines: BinaryIO, source: str, encoding: str = "utf-8") -> Iterator[str]:
    """Lines as text; a byte order mark is dropped. What is not UTF-8 is read whole.

    Raises:
        InputError: a line is not in that encoding.
    """
    if encoding.lower().replace("_", "-") not in ("utf-8", "utf8"):
        yield from lines_of(decode_content(lines.read(), source, encoding, LINE))
        return
    for number, line in enumerate(lines, start=1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise InputError(
                f"{source}:{number}: byte {error.start} of the line is not utf-8; save the input as UTF-8, "
                "or say what it is in, for example with --encoding latin-1"
            ) from None


def refused(lines: Iterable[str], needed: Sequence[set[str]]) -> Iterator[str]:
    """Lines of standard input as they are, unless they are not those of texts or of JSON lines.

    Raises:
        InputError: the first is the beginning of a JSON array, or the header of a table.
    """
    begun = False
    for line in lines:
        text = line.strip()
        cells = [cell.strip('"') for cell in CELL.split(text)]
        if not begun and ARRAY.match(text):
            raise InputError(
                f"{STDIN} begins a JSON array; write one object a line, or give the file with --input FILE"
            )
        if not begun and len(cells) > 1 and needed and all(not names.isdisjoint(cells) for names in needed):
            raise InputError(
                f"{STDIN}:1: {text!r} is the header of a table, and lines are taken for texts; give the file "
                "with --input FILE, or write one JSON object a line"
            )
        begun = begun or bool(text)
        yield line


def parse_lines(
    lines: Iterable[str], source: str, column: str = "text", *, as_json: bool | None = None
) -> Iterator[Row]:
    """Lines as rows: JSON objects or values of a column; if nothing is said, the first line tells which."""
    blank = 0
    for number, line in enumerate(lines, start=1):
        text = line.rstrip("\r\n")
        if not text.strip():
            blank = blank or number
            continue
        as_json = text.lstrip().startswith("{") if as_json is None else as_json
        if blank > 0 and not as_json:
            out.warn(f"{source}:{blank} is blank; blank lines get no answer, and ids count the others")
            blank = -1
        row = (
            json_object(parse_json(text, source, number), f"{source}:{number}") if as_json else {column: text}
        )
        yield number, row


def chunks(rows: Iterator[Row], source: str, folder: Path) -> Iterator[Table]:
    """Rows as tables of at most `CHUNK` rows; relative paths in them start in a folder."""
    while part := list(islice(rows, CHUNK)):
        yield replace(as_table(part, source), folder=folder)
