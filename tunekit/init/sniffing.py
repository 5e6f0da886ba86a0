"""How text files are written: their encoding, and what separates their columns."""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tunekit.data.files import decode
from tunekit.data.formats import EXCEL, MAX_FIELD, READERS, USUAL
from tunekit.data.sources import files_of
from tunekit.errors import InputError, listing
from tunekit.recipe import DataSection

SIGNS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}  # that separate columns
HEAD = 65_536  # characters of a file that its separator is judged by
EVEN = 0.8  # share of rows with as many columns as the header has
ENCODINGS = (  # that are told apart where a file is not in UTF-8
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "koi8_r"),
    *("gb18030", "shift_jis", "big5", "euc_kr"),
)
SWAPPED = {"cp1251": "koi8_r", "koi8_r": "cp1251"}
FOREIGN = re.compile(r"[\u0370-\u1fff\u2c00-\U0003ffff]+")  # letters that are not Latin
MIXED = re.compile(rf"(?<=[A-Za-z]){FOREIGN.pattern}|{FOREIGN.pattern}(?=[A-Za-z])")
JUDGED = (20_000, 2_000)  # bytes that an encoding is judged by, and again where that tells nothing
SHOWN = 40  # characters of an example

Notes = dict[str, str]  # what is to be said of a setting


def settle(section: DataSection) -> tuple[DataSection, Notes]:
    """The section with the encoding and separator of its files, where it says nothing of them.

    Raises:
        InputError: files are written differently.
    """
    files = [path for path in files_of(section) if path.suffix.lower() in READERS]
    found, notes = dict[str, str](), Notes()
    if "encoding" not in section.model_fields_set:
        encodings = {path: encoding_of(path.read_bytes()) for path in files}
        encoding, note = the_one("encoding", encodings, ("utf-8", ""))
        if encoding != "utf-8":
            found["encoding"], notes["data.encoding"] = encoding, note
    section = section.model_copy(update=found)
    if "separator" not in section.model_fields_set:
        tables = [path for path in files if path.suffix.lower() in USUAL]
        separators = {path: separator_of(path, section.encoding) for path in tables}
        separator, note = the_one("separator", separators, ("", ""))
        if any(separator != USUAL[path.suffix.lower()] for path in tables) and separator:
            section = section.model_copy(update={"separator": separator})
            notes["data.separator"] = note
    return section, notes


def the_one(what: str, found: dict[Path, tuple[str, str]], usual: tuple[str, str]) -> tuple[str, str]:
    """What all files have in common; plain ones, of which nothing can be said, agree with any.

    Raises:
        InputError: they differ.
    """
    told = {path: each for path, each in found.items() if each[0]}
    if len({value for value, _ in told.values()}) > 1:
        values = [f"{path.name} {value!r}" for path, (value, _) in told.items()]
        raise InputError(f"files differ in their {what} ({listing(values, 4)}); write them alike")
    return next(iter(told.values()), usual)


def encoding_of(content: bytes) -> tuple[str, str]:
    """The encoding of a text, and how that shows; no name for plain ASCII, which all of them can read."""
    if content.isascii() and b"\0" not in content:
        return "", ""
    wide = content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) or b"\0" in content[:4]
    if wide:
        return "utf-16", "every character takes two bytes or more"
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        name = encoding_of_bytes(content)
        shown = example(content.decode(name, "replace"))
        return name, f"line {line} is not in UTF-8; if {shown!r} looks wrong, name another encoding"
    return "utf-8", ""


def encoding_of_bytes(content: bytes) -> str:
    """The likeliest encoding of a text that is not in UTF-8: a Western one, unless its letters are others."""
    from charset_normalizer import from_bytes

    lines = [line for line in content.split(b"\n") if not line.isascii()]
    western = next(name for name in ("cp1252", "latin-1") if decodes(content, name))
    for most in JUDGED:
        found = from_bytes(cut_lines(lines, most), cp_isolation=list(ENCODINGS))
        best = found.best()
        if best is None or not decodes(content, best.encoding):
            continue
        if any(western in each.could_be_from_charset and as_likely(each, best) for each in found):
            return western
        swapped = SWAPPED.get(best.encoding, best.encoding)
        name = swapped if shouts(content.decode(best.encoding)) else best.encoding
        return western if mixes(content.decode(name)) else name
    return western


def as_likely(match: Any, best: Any) -> bool:
    """Whether one guess of an encoding has as little mess and as much of a language as the best."""
    return bool(match.chaos <= best.chaos and match.coherence >= best.coherence)


def shouts(text: str) -> bool:
    """Whether most letters beyond ASCII are capitals: two Russian encodings swap them."""
    letters = [character for character in text if not character.isascii() and character.isalpha()]
    return sum(letter.isupper() for letter in letters) > len(letters) / 2


def mixes(text: str) -> bool:
    """Whether letters of other scripts mostly stand inside of Latin words, where no text has them."""
    others = FOREIGN.findall(text)
    return len(others) > 0 and len(MIXED.findall(text)) >= len(others) / 2


def cut_lines(lines: Iterable[bytes], most: int) -> bytes:
    """The first lines, of about so many bytes together."""
    taken, size = list[bytes](), 0
    for line in lines:
        if taken and size + len(line) > most:
            break
        taken.append(line)
        size += len(line)
    return b"\n".join(taken)


def decodes(content: bytes, encoding: str) -> bool:
    """Whether a text can be in an encoding."""
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def example(text: str) -> str:
    """The first letters of a text that are not plain ones, with what is around them."""
    at = next(place for place, character in enumerate(text) if ord(character) > 127)
    start = max(text.rfind("\n", 0, at) + 1, at - SHOWN // 2)
    return text[start:].splitlines()[0][:SHOWN].strip()


def separator_of(path: Path, encoding: str) -> tuple[str, str]:
    """What separates the columns of a file, and how that shows; nothing where there is one column."""
    text = decode(path, encoding)
    if named := EXCEL.match(text):
        return named.group(1), "the first line says so"
    head = text if len(text) <= HEAD else text[: text.rfind("\n", 0, HEAD) + 1] or text
    found = [(share, width, sign) for sign in SIGNS for share, width in evenness(head, sign)]
    share, width, sign = max(found, key=lambda each: each[:2], default=(0.0, 0, ""))
    if share < EVEN:
        return "", ""
    return sign, f"{SIGNS[sign]} part {width} columns in the first lines"


def evenness(head: str, sign: str) -> Iterator[tuple[float, int]]:
    """The share of rows with as many columns as the header has, and how many these are; nothing for one."""
    csv.field_size_limit(MAX_FIELD)
    widths = [len(row) for row in csv.reader(io.StringIO(head, newline=""), delimiter=sign) if row]
    if widths and widths[0] > 1:
        yield widths.count(widths[0]) / len(widths), widths[0]
