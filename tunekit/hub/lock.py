"""The lock file of a run: what its scores rest on, as far as anybody may know it.

Only what is declared here leaves the machine: no paths, no command lines, no names of machines or users.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator

from tunekit.card import last_part
from tunekit.errors import InputError, listing
from tunekit.run import Run

LOCK = "reproduce.json"  # beside the weights of a pushed model


def count(found: Any) -> Any:
    """How many a list has: what it says may be a row, or a path."""
    return len(found) if isinstance(found, list) else found


class Facts(BaseModel):
    """Facts of which only the declared are kept."""


Known = TypeVar("Known", bound=Facts)


class Rows(Facts):
    """The rows of a split."""

    rows: int
    sha256: str


class Data(Facts):
    """The rows of a run."""

    splits: dict[str, Rows]
    commit: str | None = None  # of a data set of the Hub
    skipped: Annotated[int, BeforeValidator(count)] = 0
    corrected: Annotated[int, BeforeValidator(count)] = 0


class Checkpoint(Facts):
    """The checkpoint that a run began from."""

    name: str
    commit: str | None = None
    sha256: dict[str, str] = {}

    @model_validator(mode="after")
    def names_no_place(self) -> Self:
        """Of a name that is no commit of the Hub, and so a path, only the last part is kept."""
        self.name = self.name if self.commit else last_part(self.name)
        return self


class Hardware(Facts):
    """What a run computed on, of which kind and how."""

    device: str
    cpu: str = ""
    threads: int = 1
    gpu: str | None = None
    processes: int = 1
    precision: str = "fp32"
    fast: list[str] = []


class Lock(Facts):
    """What the scores of a run rest on."""

    format: int = Field(1, ge=1, le=1)
    versions: dict[str, str]
    seed: int
    data: Data
    checkpoint: Checkpoint
    windows: dict[str, dict[str, int]] = {}
    steps: int | None = None
    hardware: Hardware


class Score(Facts):
    """One metric of one split, as a run recorded it."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0


class Scores(Facts):
    """The metrics of a run, by split and name."""

    splits: dict[str, dict[str, Score]]


def public_facts(run: Run) -> dict[str, Any]:
    """The facts of a finished run that may be known to anybody: the content of its lock file.

    Raises:
        InputError: the run has not got so far.
    """
    return checked(run.facts, Lock, run.path / "run.json").model_dump(mode="json", exclude_none=True)


def lock_of(path: Path, folder: Path) -> Lock | None:
    """What a model's scores rest on: by the record of its run at `path`, or the lock beside it in `folder`.

    Raises:
        InputError: it is damaged.
    """
    if (path / "run.json").is_file():
        return checked(read(path / "run.json"), Lock, path / "run.json")
    return checked(read(folder / LOCK), Lock, path / LOCK) if (folder / LOCK).is_file() else None


def scores_of(path: Path, folder: Path) -> dict[str, dict[str, Score]]:
    """The metrics that a run, or a pushed model, has recorded.

    Raises:
        InputError: there are none, or they are damaged.
    """
    file = next((p / "metrics.json" for p in (path, folder) if (p / "metrics.json").is_file()), None)
    if file is None:
        raise InputError(f"{path} has no metrics.json to compare with; give a finished run, or a pushed one")
    return checked({"splits": read(file)}, Scores, path / "metrics.json").splits


def read(file: Path) -> Any:
    """A JSON file, which may be a stranger's.

    Raises:
        InputError: it is none.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise InputError(f"{file} is damaged; take it from its run, or fetch it again") from None


def checked(document: Any, kind: type[Known], file: Path) -> Known:
    """Plain data as facts, of which those that are not declared are dropped.

    Raises:
        InputError: some are missing, or of another kind.
    """
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        wrong = listing({".".join(map(str, each["loc"])) for each in error.errors()}, 5)
        raise InputError(
            f"{file} lacks what a finished run records, or holds it wrongly ({wrong}); finish the run, or "
            "take the file from it again"
        ) from None


def drift(lock: Lock, now: Mapping[str, str]) -> Iterator[str]:
    """The packages whose versions differ from a run's."""
    for name in {**lock.versions, **now}:
        before, here = lock.versions.get(name, "none"), now.get(name, "none")
        if before != here:
            yield f"{name} {before} -> {here}"


def other_rows(lock: Lock, now: Mapping[str, Mapping[str, Any]], splits: Iterable[str]) -> Iterator[str]:
    """In which of some splits the rows are not those of a run, and how; `now` are the facts of those here."""
    for split in splits:
        before, here = lock.data.splits.get(split), now.get(split)
        if before is None:
            continue
        if here is None:
            yield f"{split}: the run had {before.rows:,} rows, and there are none here"
        elif here["sha256"] != before.sha256:
            yield (
                f"{split}: {before.rows:,} rows with fingerprint {before.sha256[:12]} in the run, "
                f"{here['rows']:,} with {here['sha256'][:12]} here"
            )
