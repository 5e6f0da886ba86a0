"""Repositories of the Hub in its cache: looked up, copied as far as wanted, and found again offline."""

import hashlib
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunekit.console import out
from tunekit.errors import EnvironmentFailure, InputError, listing
from tunekit.network import absent, called, client, offline, reaching

KINDS = {"model": "model", "data set": "dataset"}  # what the client calls a repository, by what we do
SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Copy:
    """What the cache holds of a repository at one commit."""

    what: str  # model or data set
    name: str
    commit: str
    folder: Path
    files: tuple[str, ...] | None  # that the repository has; None where it could not be asked

    @property
    def thing(self) -> str:
        """What it is called in messages."""
        return called(self.what, self.name)

    @property
    def held(self) -> list[str]:
        """The files that are here already, those in folders left out."""
        return sorted(path.name for path in self.folder.glob("*") if path.is_file())

    @property
    def known(self) -> Sequence[str]:
        """The files of the repository, as far as is known."""
        return self.held if self.files is None else self.files


def fetch(what: str, name: str, revision: str | None, patterns: Sequence[str], aside: str = "") -> Copy:
    """A copy of a repository with the files of its top level that match a pattern.

    Without a network, and where the Hub does not answer, it is what the cache has. `aside` stands behind the
    name in what is said.

    Raises:
        InputError: there is no such repository or revision.
        EnvironmentFailure: it can neither be fetched nor found in the cache.
    """
    if offline():
        copy = cached(what, name, revision, aside)
        if copy is None:
            raise absent(called(what, name) + aside + (f" at revision {revision!r}" if revision else ""))
        return copy
    try:
        info = look_up(what, name, revision, aside)
    except EnvironmentFailure as failure:
        copy = cached(what, name, revision)
        if copy is None:
            raise
        out.warn(f"{failure}. Going on with commit {copy.commit[:8]}, which is in the cache")
        return copy
    folder = download(what, name, revision, patterns)
    files = tuple(each.rfilename for each in info.siblings or ())
    return Copy(what, name, folder.name, folder, files)


def look_up(what: str, name: str, revision: str | None, aside: str = "") -> Any:
    """What the Hub says of a repository; one that has been renamed is warned of.

    Raises:
        InputError: there is no such repository or revision.
        EnvironmentFailure: the Hub does not answer, or does not let this account in.
    """
    from huggingface_hub.errors import RevisionNotFoundError

    with reaching(what, name, revision, aside):
        try:
            info = client().repo_info(name, repo_type=KINDS[what], revision=revision)
        except RevisionNotFoundError:
            raise InputError(
                f"{called(what, name)} has no revision {revision!r}; choose from "
                f"{listing(revisions(what, name))}, or give a commit"
            ) from None
    if info.id != name:
        out.warn(f"{called(what, name)} is now called {info.id!r}; write that name from now on")
    return info


def revisions(what: str, name: str) -> Iterator[str]:
    """The branches and tags of a repository."""
    refs = client().list_repo_refs(name, repo_type=KINDS[what])
    yield from (each.name for each in (*refs.branches, *refs.tags))


def cached(what: str, name: str, revision: str | None, aside: str = "") -> Copy | None:
    """What the cache has of a repository, whichever files these are; None without that revision."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    with reaching(what, name, revision, aside):
        try:
            folder = snapshot_download(
                name, repo_type=KINDS[what], revision=revision, allow_patterns=[], local_files_only=True
            )
        except LocalEntryNotFoundError:
            return None
    return Copy(what, name, Path(folder).name, Path(folder), None)


def download(
    what: str, name: str, revision: str | None, patterns: Sequence[str], *, nested: bool = False
) -> Path:
    """Copy the files of a repository that match a pattern; returns their folder in the cache.

    Those in its folders are left there, unless they are `nested` ones that patterns name.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils.tqdm import disable_progress_bars

    if out.quiet or not sys.stderr.isatty():
        disable_progress_bars()
    with reaching(what, name, revision):
        folder = snapshot_download(
            name,
            repo_type=KINDS[what],
            revision=revision,
            allow_patterns=list(patterns),
            ignore_patterns=None if nested else ["*/*"],
            library_name="tunekit",
        )
    return Path(folder)


def complete(copy: Copy, names: Sequence[str], *, nested: bool = False) -> None:
    """Fetch those of some files that are not in a copy, and hold what came against the sha256 of the Hub.

    Raises:
        EnvironmentFailure: they cannot be fetched, or were damaged on the way.
    """
    missing = [name for name in names if not (copy.folder / name).is_file()]
    if not missing:
        return
    if offline():
        raise absent(copy.thing, listing(missing))
    download(copy.what, copy.name, copy.commit, missing, nested=nested)
    for name in missing:
        verify(copy, copy.folder / name)


def verify(copy: Copy, file: Path) -> None:
    """Refuse a file whose bytes are not those that the Hub lists: the cache names large ones by sha256."""
    kept = file.resolve()
    if not SHA256.fullmatch(kept.name) or not kept.is_file():
        return
    with kept.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != kept.name:
        kept.unlink()
        file.unlink()
        raise EnvironmentFailure(
            f"{file.name} of {copy.thing} is damaged: its sha256 is {found}, and the Hub lists {kept.name}; "
            "the copy was deleted, try again"
        )


def contents(what: str, name: str) -> set[str]:
    """The contents that the cache holds of a repository, over all commits, each by the name it is kept by."""
    from huggingface_hub.constants import HF_HUB_CACHE
    from huggingface_hub.file_download import repo_folder_name

    folder = Path(HF_HUB_CACHE) / repo_folder_name(repo_id=name, repo_type=KINDS[what])
    return {path.name for path in (folder / "blobs").glob("*")}
