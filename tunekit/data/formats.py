"""Text formats as rows, with the line of each and with what is wrong in which line.

Values stay as they are written: nothing is guessed to be a number or missing, so that a label `NA` stays a
label and `01` keeps its zero.
"""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from tunekit.data.squad import is_nested, read_articles
from tunekit.errors import InputError, cut, first_line, listing

MAX_FIELD = 10_000_000  # characters of one csv field
SIGNS = (";", "\t", "|", ",")  # that separate columns
USUAL = {".csv": ",", ".tsv": "\t"}  # the one that does where nothing is said
EXCEL = re.compile(r"\ufeff?\"?sep=([^\w\s\"]|\t)\"?\r?\n")  # a first line that names it
TAG = re.compile(r"O|[BIESLU]-\S+")

Row = tuple[int | None, dict[str, Any]]  # line, values by column
Rows = Iterable[Row | str]  # a text is what is wrong with a line


def read_csv(text: str, source: str, separator: str | None) -> Iterator[Row | str]:
    """Comma or otherwise separated values with a header line; one before it may name the separator.

    Raises:
        InputError: quotes are broken, so that nothing after them can be read.
    """
    named = EXCEL.match(text)
    separator = separator or (named.group(1) if named else ",")
    first = 2 if named else 1
    content = io.StringIO(text[named.end() :] if named else text, newline="")
    reader = csv.reader(content, delimiter=separator, strict=True)
    csv.field_size_limit(MAX_FIELD)
    header: list[str] | None = None
    blank = list[int]()  # where several columns have no name
    start = first
    try:
        for values in reader:
            line, start = start, reader.line_num + first
            if not values:
                continue
            if header is None:
                header = checked_header(values, source)
                blank = [at for at, name in enumerate(header) if not name and header.count("") > 1]
            elif len(values) != len(header):
                yield (
                    f"{source}:{line}: {len(values)} values for {len(header)} columns ({listing(header)}); "
                    "quote values that contain the separator"
                )
            elif any(values[at] for at in blank):  # spreadsheets leave such columns, but without values
                raise InputError(repeating([""], source))
            else:
                row = dict(zip(header, values, strict=True))
                if blank:
                    del row[""]
                yield line, row
    except csv.Error as error:
        raise InputError(f"{source}:{start}: {error}; check the quotes from there on") from None


def read_tsv(text: str, source: str, separator: str | None) -> Iterator[Row | str]:
    """Tab-separated values with a header line."""
    return read_csv(text, source, separator or (None if EXCEL.match(text) else "\t"))


def other_separator(text: str, given: str | None, usual: str) -> tuple[str, str] | None:
    """The only column of a table, and the sign in its name that parts it instead of the given or usual one.

    One that is given is wrong only where further rows have several columns.
    """
    if EXCEL.match(text):
        return None
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=given or usual)
    csv.field_size_limit(MAX_FIELD)
    try:
        header = next((cells for cells in lines if cells), [])
        sure = given is None or any(len(cells) > 1 for cells in islice(lines, 200))
    except csv.Error:
        return None
    sign = next((s for s in SIGNS if len(header) == 1 and s != (given or usual) and s in header[0]), None)
    return (header[0], sign) if sure and sign else None


def checked_header(header: list[str], source: str) -> list[str]:
    """A header without repeated names, but for blank ones."""
    repeated = sorted({name for name in header if name and header.count(name) > 1})
    if repeated:
        raise InputError(repeating(repeated, source))
    return header


def repeating(names: Iterable[str], source: str) -> str:
    """Say that columns have the same name."""
    return f"{source}:1: columns {listing(names)} occur more than once; rename them"


def lines_of(text: str) -> Iterator[str]:
    """The lines of a text, one at a time: a list of them takes more memory than the text."""
    start = 0
    while (end := text.find("\n", start)) >= 0:
        yield text[start:end]
        start = end + 1
    yield text[start:]


def read_jsonl(text: str, source: str, _: str | None) -> Iterator[Row | str]:
    """One JSON object a line."""
    if text.lstrip().startswith("["):
        yield f"{source} begins a JSON array; write one object a line, or call the file .json"
        return
    for number, line in enumerate(lines_of(text), start=1):
        if line.strip():
            try:
                yield number, json_object(parse_json(line, source, number), f"{source}:{number}")
            except InputError as error:
                yield from error.problems


def read_json(text: str, source: str, separator: str | None) -> Iterator[Row | str]:
    """A JSON array of objects, or an object whose `data` is one; also SQuAD's nesting, and JSON lines."""
    try:
        document = DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        if getattr(error, "msg", "").startswith("Extra data"):
            yield from read_jsonl(text, source, separator)
        else:
            yield not_json(error, source, getattr(error, "lineno", 1))
        return
    rows = document.get("data") if isinstance(document, dict) else document
    if not isinstance(rows, list):
        yield f"{source} is no list of objects; write [{{...}}, ...] or one object a line in a .jsonl file"
        return
    if is_nested(rows):
        yield from read_articles(rows, source)
        return
    for number, row in enumerate(rows):
        try:
            yield None, json_object(row, f"{source} row {number}")
        except InputError as error:
            yield from error.problems


def parse_json(line: str, source: str, number: int) -> Any:
    """One line of JSON.

    Raises:
        InputError: it is none.
    """
    try:
        return DECODER.decode(line)
    except (ValueError, RecursionError) as error:
        raise InputError(not_json(error, source, number)) from None


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, in which no key may be given twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"key {next(n for n in names if names.count(n) > 1)!r} is given twice")
    return found


DECODER = json.JSONDecoder(object_pairs_hook=unique_keys)


def not_json(error: Exception, source: str, line: int) -> str:
    """Say why a text is no JSON."""
    if isinstance(error, json.JSONDecodeError):
        return f"{source}:{line}: {error.msg} at column {error.colno}; correct the JSON there"
    reason = "nested too deeply" if isinstance(error, RecursionError) else first_line(error).split(";")[0]
    return f"{source}:{line}: {reason}; correct the JSON there"


def json_object(value: Any, place: str) -> dict[str, Any]:
    """A value that must be a JSON object."""
    if not isinstance(value, dict):
        raise InputError(
            f'{place}: {cut(json.dumps(value))} is no JSON object; write {{"column": value, ...}}'
        )
    return value


def read_conll(text: str, source: str, separator: str | None) -> Iterator[Row | str]:
    """Column files: a word and its tag a line, other columns between, blank lines between sentences."""
    cells_of = [line.rstrip("\r").split(separator) if line.strip() else [] for line in text.split("\n")]
    usual = Counter(len(cells) for cells in cells_of if not ends_sentence(cells)).most_common(1)
    width = max(usual[0][0], 2) if usual else 2
    first, words, tags = 0, list[str](), list[str]()
    for number, cells in enumerate([*cells_of, []], start=1):
        if ends_sentence(cells):
            if words:
                yield first, {"tokens": words, "ner_tags": tags}
            words, tags = [], []
        elif len(cells) != width:
            yield (
                f"{source}:{number}: {len(cells)} columns where {width} are expected (word ... tag); "
                "correct the line"
            )
        else:
            first = first if words else number
            words.append(cells[0])
            tags.append(cells[-1])


def ends_sentence(cells: Sequence[str]) -> bool:
    """Whether a line of a column file is between sentences."""
    return not cells or cells[0] == "-DOCSTART-"


def read_txt(text: str, source: str, separator: str | None) -> Rows:
    """One text a line; a file that looks like tagged words is read as columns."""
    first = islice(lines_of(text), 200)
    filled = [line.split(separator) for line in first if line.strip() and "-DOCSTART-" not in line]
    tagged = sum(len(cells) > 1 and bool(TAG.fullmatch(cells[-1])) for cells in filled)
    if filled and tagged > len(filled) / 2:
        return read_conll(text, source, separator)
    return (
        (number, {"text": line.rstrip("\r")})
        for number, line in enumerate(lines_of(text), start=1)
        if line.strip()
    )


def read_texts(text: str, rows: str) -> Iterator[Row]:
    """The paragraphs of a text, which blank lines part, or the whole file as one."""
    start, part = 1, list[str]()
    for number, line in enumerate([*lines_of(text), ""], start=1):
        blank = rows == "paragraph" and not line.strip()
        if not blank:
            part.append(line.rstrip("\r"))
            continue
        if part:
            yield start, {"text": "\n".join(part)}
        start, part = number + 1, []
    if any(line.strip() for line in part):
        yield start, {"text": "\n".join(part).removesuffix("\n")}


READERS: dict[str, Callable[[str, str, str | None], Rows]] = {
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
