"""Data sets of the Hub: read whole through the `datasets` library, or streamed a chunk at a time."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tunekit import snapshots
from tunekit.data.files import Table, class_names
from tunekit.errors import InputError, cut, first_line, listing, nearest
from tunekit.network import absent, failure, reaching
from tunekit.recipe import SPLITS, DataSection
from tunekit.snapshots import Copy

STREAMED = re.compile(r"([\w.-]{1,96}/[\w.-]{1,96})(?:@([\w./-]+))?(?::([\w.-]+))?")
THING = "data set"
CHOOSE = {False: "set data.config", True: "only data sets with one configuration can be streamed"}
MOST_REASON = 240  # characters of what `datasets` says
NOTES = [".gitattributes", "README.md"]  # what is fetched to learn the commit; every repository has the first


def load_hub(section: DataSection) -> Any:
    """The splits of a data set by name, as `datasets` gives them.

    Raises:
        InputError: it does not exist, or cannot be read.
        EnvironmentFailure: it can neither be fetched nor found in the cache.
    """
    aside = " (no file or folder here)"
    copy = snapshots.fetch(THING, section.path, section.revision, NOTES, aside)
    splits = load(copy, section.config, streaming=False)
    held = {Path(f["filename"]).parent.name for rows in splits.values() for f in rows.cache_files}
    if copy.files is None and copy.commit not in held:  # offline, `datasets` takes the newest of any commit
        raise absent(f"{copy.thing} at commit {copy.commit[:8]}")
    return splits


def commit_of(section: DataSection) -> str | None:
    """The commit of a data set that has been read before."""
    copy = snapshots.cached(THING, section.path, section.revision)
    return copy.commit if copy else None


def load(copy: Copy, config: str | None, *, streaming: bool) -> Any:
    """A data set at the commit of a copy.

    Raises:
        InputError: it cannot be read.
        EnvironmentFailure: it can neither be fetched nor found in the cache.
    """
    import datasets

    datasets.logging.set_verbosity(logging.CRITICAL)  # what else it says is said here too
    with readable(copy, CHOOSE[streaming]), as_reachable(copy):
        return datasets.load_dataset(copy.name, config, revision=copy.commit, streaming=streaming)


@contextmanager
def as_reachable(copy: Copy) -> Iterator[None]:
    """Keep `datasets` from asking a Hub again that has just not answered."""
    import datasets

    before = datasets.config.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = before or copy.files is None
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE = before


@contextmanager
def readable(copy: Copy, advice: str = "") -> Iterator[None]:
    """Say in words why a data set cannot be read; `advice` is for one with several configurations."""
    import datasets

    with reaching(THING, copy.name, copy.commit):
        try:
            yield
        except (datasets.exceptions.DatasetsError, OSError, ValueError, RuntimeError) as error:
            raise unread(copy, error, advice) from error


def unread(copy: Copy, error: BaseException, advice: str) -> BaseException:
    """Why `datasets` could not fetch what there is, or could not read it."""
    said, reason = failure(error, copy.thing, copy.name, copy.commit), first_line(error.__cause__ or error)
    if said:
        return said
    if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
        return error  # of this machine
    if copy.files is None and "cache" in reason:  # of a configuration that was not fetched
        return absent(copy.thing, reason)
    if isinstance(error, ValueError) and "onfig" in reason:
        return InputError(f"{copy.thing}: {cut(str(error).strip(), MOST_REASON)}; {advice}")
    return InputError(
        f"{copy.thing} cannot be read ({reason}); choose another revision, such as refs/convert/parquet"
    )


def stream_hub(source: str, most: int) -> Iterator[Table]:
    """The rows of `user/name[@revision][:split]` as tables of at most `most`, fetched as they are needed.

    Without a split it is the first there is of test, validation and train, or the only one.
    """
    import datasets

    found = STREAMED.fullmatch(source)
    assert found is not None  # `streams` was asked before
    name, revision, split = found.groups()
    copy = snapshots.fetch(THING, name, revision, NOTES, " (no file or folder here)")
    splits = load(copy, None, streaming=True)
    rows = splits[which(splits, split, name)]
    for column, feature in (rows.features or {}).items():
        if isinstance(feature, datasets.Image):
            rows = rows.cast_column(column, datasets.Image(decode=False))
    names, first = class_names(rows.features or {}), 0
    with readable(copy):
        for part in rows.iter(most):
            table = Table(source, part, None, names)
            table.lines = range(first, first + len(table))
            first += len(table)
            yield table


def which(splits: Any, given: str | None, name: str) -> str:
    """The split that is meant.

    Raises:
        InputError: there is none of that name, or none with a usual one.
    """
    usual = [split for split in reversed(SPLITS) if split in splits]
    only = list(splits) if len(splits) == 1 else []
    if given is None and (usual or only):
        return (usual or only)[0]
    if given is not None and given in splits:
        return given
    asked = f"no split {given!r}{nearest(given, splits)}" if given else "no split with a usual name"
    raise InputError(f"{THING} {name!r} has {asked}; give --input {name}:SPLIT, with {listing(splits)}")


def streams(source: str) -> bool:
    """Whether something that is no file here is spelled as a data set of the Hub."""
    return STREAMED.fullmatch(source) is not None
