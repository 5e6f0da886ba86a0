"""Data files as columns, with the line of every row, so that a message can point at it.

Text formats are read as they are written: nothing is guessed to be a number or missing, so that a label `NA`
stays a label and `01` keeps its zero.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tunekit.errors import InputError, first_line, listing

MAX_FIELD = 10_000_000  # characters of one csv field
TAG = re.compile(r"O|[BIESLU]-\S+")


@dataclass
class Table:
    """One file, or one split of a Hub data set."""

    source: str  # for messages
    columns: dict[str, list[Any]]
    lines: Sequence[int] | None = None  # of each row; rows are numbered from 0 where there are no lines
    class_names: dict[str, list[str]] = field(
        default_factory=dict
    )  # of integer label columns that have names

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), []))

    def place(self, row: int) -> str:
        """Where a row is, for messages."""
        return f"{self.source}:{self.lines[row]}" if self.lines is not None else f"{self.source} row {row}"


def read(path: Path, encoding: str, separator: str | None) -> Table:
    """Read one data file.

    Raises:
        InputError: the format is unknown, or the content is not of that format; names the line.
    """
    if path.suffix in (".parquet", ".arrow"):
        table = read_columnar(path)
    else:
        rows = list(READERS[path.suffix](decode(path, encoding), str(path), separator))
        names = list(dict.fromkeys(name for _, row in rows for name in row))
        columns = {name: [row.get(name) for _, row in rows] for name in names}
        table = Table(str(path), columns, [line for line, _ in rows])
    if not len(table):
        raise InputError(f"{path} has no rows; give a file with at least one")
    return table


def decode(path: Path, encoding: str) -> str:
    """A text file's content; a byte order mark is dropped."""
    content = path.read_bytes()
    try:
        return content.decode(
            "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
        )
    except LookupError:
        raise InputError(f"data.encoding {encoding!r} is unknown; use for example utf-8 or latin-1") from None
    except UnicodeError as error:
        at = getattr(error, "start", 0)
        line = content.count(b"\n", 0, at) + 1
        raise InputError(
            f"{path}:{line}: byte {at} is not {encoding}; "
            "name the file's encoding, for example data.encoding=latin-1"
        ) from None


Row = tuple[int, dict[str, Any]]  # line, values by column


def read_csv(text: str, source: str, separator: str | None) -> Iterator[Row]:
    """Comma or otherwise separated values with a header line."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator or ",", strict=True)
    csv.field_size_limit(MAX_FIELD)
    header: list[str] | None = None
    start = 1
    try:
        for values in reader:
            line, start = start, reader.line_num + 1
            if not values:
                continue
            if header is None:
                header = checked_header(values, source)
            elif len(values) != len(header):
                raise InputError(
                    f"{source}:{line}: {len(values)} values for {len(header)} columns ({listing(header)}); "
                    "quote values that contain the separator"
                )
            else:
                yield line, dict(zip(header, values, strict=True))
    except csv.Error as error:
        raise InputError(f"{source}:{start}: {error}; check the quotes from there on") from None


def read_tsv(text: str, source: str, separator: str | None) -> Iterator[Row]:
    """Tab-separated values with a header line."""
    return read_csv(text, source, separator or "\t")


def checked_header(header: list[str], source: str) -> list[str]:
    """A header without repeated names."""
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise InputError(f"{source}:1: columns {listing(repeated)} occur more than once; rename them")
    return header


def read_jsonl(text: str, source: str, _: str | None) -> Iterator[Row]:
    """One JSON object a line."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, json_object(parse_json(line, source, number), f"{source}:{number}")


def read_json(text: str, source: str, separator: str | None) -> Iterator[Row]:
    """A JSON array of objects, or an object whose `data` is one; JSON lines in a .json file are read too."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg.startswith("Extra data"):
            yield from read_jsonl(text, source, separator)
            return
        raise InputError(f"{source}:{error.lineno}: {error.msg}; correct the JSON there") from None
    rows = document.get("data") if isinstance(document, dict) else document
    if not isinstance(rows, list):
        raise InputError(
            f"{source} is no list of objects; write [{{...}}, ...] or one object a line in a .jsonl file"
        )
    for number, row in enumerate(rows):
        yield number, json_object(row, f"{source} row {number}")


def parse_json(line: str, source: str, number: int) -> Any:
    """One line of JSON."""
    try:
        return json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"{source}:{number}: {first_line(error)}; correct the JSON there") from None


def json_object(value: Any, place: str) -> dict[str, Any]:
    """A value that must be a JSON object."""
    if not isinstance(value, dict):
        raise InputError(
            f'{place}: {json.dumps(value)[:40]} is no JSON object; write {{"column": value, ...}}'
        )
    return value


def read_conll(text: str, source: str, separator: str | None) -> Iterator[Row]:
    """Column files: a word and its tag a line, other columns between, blank lines between sentences."""
    width, first, words, tags = 0, 0, list[str](), list[str]()
    for number, line in enumerate([*text.split("\n"), ""], start=1):
        cells = line.rstrip("\r").split(separator)
        if not line.strip() or cells[0] == "-DOCSTART-":
            if words:
                yield first, {"tokens": words, "ner_tags": tags}
            words, tags = [], []
            continue
        width = width or len(cells)
        if len(cells) != width or width < 2:
            raise InputError(
                f"{source}:{number}: {len(cells)} columns where {max(width, 2)} are expected (word ... tag); "
                "correct the line"
            )
        first = first if words else number
        words.append(cells[0])
        tags.append(cells[-1])


def read_txt(text: str, source: str, separator: str | None) -> Iterator[Row]:
    """One text a line; a file that looks like tagged words is read as columns."""
    lines = text.split("\n")
    filled = [line.split(separator) for line in lines[:200] if line.strip() and "-DOCSTART-" not in line]
    if filled and all(len(cells) > 1 and TAG.fullmatch(cells[-1]) for cells in filled):
        return read_conll(text, source, separator)
    return (
        (number, {"text": line.rstrip("\r")}) for number, line in enumerate(lines, start=1) if line.strip()
    )


def read_columnar(path: Path) -> Table:
    """A parquet or arrow file."""
    import datasets
    import pyarrow

    try:
        read_table = (
            datasets.Dataset.from_parquet if path.suffix == ".parquet" else datasets.Dataset.from_file
        )
        return from_dataset(read_table(str(path)), str(path))
    except (pyarrow.ArrowException, datasets.exceptions.DatasetGenerationError) as error:
        cause = first_line(error.__cause__ or error)
        raise InputError(f"{path} ({path.stat().st_size:,} bytes): {cause}; write the file again") from None


def from_dataset(dataset: Any, source: str) -> Table:
    """A `datasets.Dataset` as a table; columns of class labels bring their names."""
    columns = {name: list(dataset[name]) for name in dataset.column_names}
    names = {}
    for column, feature in dataset.features.items():
        inner = getattr(feature, "feature", feature)  # of a list of labels
        if hasattr(inner, "names"):
            names[column] = list(inner.names)
    return Table(source, columns, None, names)


READERS: dict[str, Callable[[str, str, str | None], Iterable[Row]]] = {
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".json": read_json,
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".txt": read_txt,
    ".conll": read_conll,
    ".bio": read_conll,
    ".iob": read_conll,
    ".iob2": read_conll,
}
SUFFIXES = (*READERS, ".parquet", ".arrow")
