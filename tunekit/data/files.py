"""Data files as columns, with the line of every row, so that a message can point at it."""

import codecs
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tunekit.data.formats import READERS, USUAL, Row, other_separator, read_texts
from tunekit.errors import InputError, first_line

BY_LINES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson")  # where a row can be left out by itself


class Keys(NamedTuple):
    """What comes before a setting where it is made, for messages."""

    column: str  # before a role
    separator: str
    encoding: str


RECIPE = Keys("data.columns.", "data.separator=", "data.encoding=")
LINE = Keys("--column ", "--separator ", "--encoding ")


@dataclass
class Table:
    """One file, or one split of a Hub data set."""

    source: str  # for messages
    columns: dict[str, Sequence[Any]]
    lines: Sequence[int] | None = None  # of each row; rows are numbered from 0 where there are no lines
    class_names: dict[str, list[str]] = field(
        default_factory=dict
    )  # of integer label columns that have names
    folder: Path = field(default=Path(), compare=False)  # where relative paths in it start
    unread: Sequence[str] = ()  # what is wrong with lines that are left out

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), []))

    def place(self, row: int) -> str:
        """Where a row is, for messages."""
        return f"{self.source}:{self.lines[row]}" if self.lines is not None else f"{self.source} row {row}"


def read(
    path: Path,
    encoding: str,
    separator: str | None,
    text_rows: str = "line",
    *,
    keys: Keys = RECIPE,
    skip: bool = False,
) -> Table:
    """Read one data file; `text_rows` says what of a .txt file is a row.

    With `skip`, rows that cannot be read are left out and noted, where others do not depend on them.

    Raises:
        InputError: the format is unknown, or the content is not of that format; names every line that is not.
    """
    suffix = path.suffix.lower()
    if suffix in (".parquet", ".arrow"):
        table = read_columnar(path)
    else:
        problems = list[str]()
        text = decode(path, encoding, keys)
        if suffix in USUAL:
            refuse_another(path, text, separator, keys)
        parted = suffix == ".txt" and text_rows != "line"
        found = read_texts(text, text_rows) if parted else READERS[suffix](text, str(path), separator)
        table = as_table(sound(found, problems), str(path))
        if problems and not (skip and len(table) and suffix in BY_LINES):
            raise InputError(problems)
        table.unread = problems
    if not len(table):
        raise InputError(f"{path} has no rows; give a file with at least one")
    table.folder = path.parent
    return table


def sound(found: Iterable[Row | str], problems: list[str]) -> Iterator[Row]:
    """The rows of a reader; what is wrong with lines goes to `problems`.

    Raises:
        InputError: what follows cannot be read either; names it after all that came before.
    """
    try:
        for item in found:
            if isinstance(item, str):
                problems.append(item)
            else:
                yield item
    except InputError as error:
        raise InputError([*problems, *error.problems]) from None


def refuse_another(path: Path, text: str, separator: str | None, keys: Keys) -> None:
    """Refuse a file whose header another sign parts than is given, or usual.

    Raises:
        InputError: it does; names the sign.
    """
    found = other_separator(text, separator, USUAL[path.suffix.lower()])
    if found:
        column, sign = found
        raise InputError(
            f"{path}:1: its only column is {column!r}; set {keys.separator}{sign!r}, or, where that is one "
            f"name, {keys.separator}{USUAL[path.suffix.lower()]!r} and {keys.column}ROLE=COLUMN"
        )


def as_table(rows: Iterable[Row], source: str) -> Table:
    """Rows as columns; a row that lacks a column has None there.

    Each row is forgotten at once: all of them together take more memory than their values.
    """
    columns, lines, count = dict[str, list[Any]](), list[int](), 0
    for line, row in rows:
        for name in row:
            if name not in columns:
                columns[name] = [None] * count
        for name, column in columns.items():
            column.append(row.get(name))
        if line is not None:
            lines.append(line)
        count += 1
    return Table(source, dict(columns), lines if len(lines) == count else None)


def decode(path: Path, encoding: str, keys: Keys = RECIPE) -> str:
    """A text file's content; a byte order mark is dropped."""
    return decode_content(path.read_bytes(), str(path), encoding, keys)


def decode_content(content: bytes, source: str, encoding: str, keys: Keys) -> str:
    """Bytes as text; a byte order mark is dropped.

    Raises:
        InputError: they are in another encoding.
    """
    utf8 = encoding.lower().replace("_", "-") in ("utf-8", "utf8")
    if utf8 and b"\0" in content[:4]:  # the head of utf-16 without a mark is also valid utf-8
        raise InputError(
            f"{source}:1: byte {content.index(0)} is 0, not utf-8 text; {naming_encoding(content, keys)}"
        )
    try:
        return content.decode("utf-8-sig" if utf8 else encoding)
    except UnicodeError as error:
        at = getattr(error, "start", 0)
        line = content.count(b"\n", 0, at) + 1
        raise InputError(
            f"{source}:{line}: byte {at} is not {encoding}; {naming_encoding(content, keys)}"
        ) from None


def naming_encoding(content: bytes, keys: Keys) -> str:
    """What to do about a file of another encoding, guessed from its first bytes."""
    wide = b"\0" in content[:4] or content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    return f"name the file's encoding, for example {keys.encoding}{'utf-16' if wide else 'latin-1'}"


def read_columnar(path: Path) -> Table:
    """A parquet or arrow file."""
    import datasets
    import pyarrow

    try:
        content = read_parquet(path) if path.suffix.lower() == ".parquet" else read_arrow(path)
        return from_dataset(datasets.Dataset(datasets.table.InMemoryTable(content)), str(path))
    except (pyarrow.ArrowException, OSError) as error:
        size = f"{path.stat().st_size:,} bytes"
        raise InputError(
            f"{path} ({size}) cannot be read: {first_line(error)}; write the file again"
        ) from None


def read_parquet(path: Path) -> Any:
    """A parquet file as a pyarrow table."""
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        return file.read()


def read_arrow(path: Path) -> Any:
    """An arrow file as a pyarrow table: a stream, as `datasets` writes them, or a file with a footer."""
    import pyarrow

    with path.open("rb") as file:
        footed = file.read(6) == b"ARROW1"
        file.seek(0)
        with (pyarrow.ipc.open_file if footed else pyarrow.ipc.open_stream)(file) as reader:
            return reader.read_all()


def from_dataset(dataset: Any, source: str) -> Table:
    """A `datasets.Dataset` as a table; columns of class labels bring their names.

    Pictures stay encoded, and where they are: their bytes are read when they are needed.
    """
    import datasets

    images = {name for name, feature in dataset.features.items() if isinstance(feature, datasets.Image)}
    for name in images:
        dataset = dataset.cast_column(name, datasets.Image(decode=False))
    columns = {
        name: dataset[name] if name in images else list(dataset[name]) for name in dataset.column_names
    }
    return Table(source, columns, None, class_names(dataset.features))


def class_names(features: Mapping[str, Any]) -> dict[str, list[str]]:
    """The names of class labels, by column."""
    names = {}
    for column, feature in features.items():
        inner = getattr(feature, "feature", feature)  # of a list of labels
        if hasattr(inner, "names"):
            names[column] = list(inner.names)
    return names


SUFFIXES = (*READERS, ".parquet", ".arrow")
