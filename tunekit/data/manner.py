"""How a source of rows is written: what the user says of it, else as the model's own data were."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tunekit.data.formats import USUAL
from tunekit.errors import InputError
from tunekit.recipe.sections import known_encoding, one_character

HEAD = 65_536  # characters of a file that tell whether it is separated as the run's own


@dataclass(frozen=True)
class Manner:
    """How a source is written: as the user says, else as the model's own data were where it can be so."""

    separator: str | None = None
    encoding: str | None = None
    origin: Mapping[str, Any] = field(default_factory=dict)
    image: str | None = None  # the column of pictures, where the task looks at some
    needed: Sequence[set[str]] = ()  # names of each column that the model needs

    def encoding_of(self, path: Path) -> str:
        """The encoding of a file: mostly UTF-8, whatever the model's own data were in."""
        usual = self.origin.get("encoding") or "utf-8"
        return self.encoding or ("utf-8" if usual == "utf-8" or is_utf8(path) else usual)

    def separator_of(self, path: Path, encoding: str) -> str | None:
        """What separates the columns of a file; None where it is what usually does."""
        usual = self.origin.get("separator")
        if self.separator or usual is None:
            return self.separator
        with path.open(encoding=encoding, errors="replace") as file:
            head = file.readline() if path.suffix.lower() in USUAL else file.read(HEAD)
        return usual if usual in head else None


def checked(separator: str | None, encoding: str | None) -> dict[str, str | None]:
    """A separator and an encoding that the user gives, as keywords for `stream`.

    Raises:
        InputError: they cannot be meant.
    """
    try:
        given = "--separator", separator
        separator = separator and one_character(separator)
        given = "--encoding", encoding
        encoding = encoding and known_encoding(encoding)
    except ValueError as error:
        raise InputError(f"{given[0]} {given[1]!r}: {error}") from None
    return {"separator": separator, "encoding": encoding}


def is_utf8(path: Path) -> bool:
    """Whether a file can be text in UTF-8."""
    try:
        with path.open(encoding="utf-8", newline="\n") as file:
            return "\0" not in file.read(4) and all(True for _ in file)
    except UnicodeDecodeError:
        return False
