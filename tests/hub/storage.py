"""What a Hub holds: accounts, and repositories with their commits, references and files."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

LARGE = re.compile(
    r"\.(safetensors|bin|pt|pth|onnx|parquet|arrow|gz|zip|tar|h5|msgpack|model)$"
)  # names of files that are kept as large ones
LIMIT = 10 * 2**20  # bytes that a file may have in git itself
ATTRIBUTES = b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n"
PREFIXES = {"model": "", "dataset": "datasets/", "space": "spaces/"}


@dataclass(frozen=True)
class Account:
    """Who a token belongs to, and what it may."""

    name: str
    role: str = "write"  # write, read, fineGrained
    orgs: tuple[str, ...] = ()

    def may_write(self, namespace: str) -> bool:
        """Whether the token may change repositories of a namespace."""
        return self.role != "read" and namespace in (self.name, *self.orgs)


@dataclass(frozen=True)
class Blob:
    """A file's content; a large one has a sha256, which is the content's unless the Hub was deceived."""

    content: bytes = field(repr=False)
    sha256: str | None = None

    @cached_property
    def oid(self) -> str:
        """The git sha1 of the content, or of the pointer that stands for a large one."""
        held = self.pointer if self.sha256 else self.content
        return hashlib.sha1(b"blob %d\0" % len(held) + held).hexdigest()

    @property
    def pointer(self) -> bytes:
        """What git holds of a large file."""
        lines = (
            "version https://git-lfs.github.com/spec/v1",
            f"oid sha256:{self.sha256}",
            f"size {len(self.content)}",
        )
        return "\n".join((*lines, "")).encode()

    @property
    def etag(self) -> str:
        """What a client's cache calls it."""
        return self.sha256 or self.oid


def blob(path: str, content: bytes) -> Blob:
    """A file as the Hub would keep it."""
    large = content and (LARGE.search(path) or len(content) > LIMIT)
    return Blob(content, hashlib.sha256(content).hexdigest() if large else None)


@dataclass(frozen=True, eq=False)
class Commit:
    """A state of a repository."""

    oid: str
    title: str
    message: str
    author: str
    date: datetime
    files: Mapping[str, Blob] = field(repr=False)
    parent: "Commit | None" = field(repr=False)

    @property
    def when(self) -> str:
        """Its date, as the Hub writes it."""
        return self.date.strftime("%Y-%m-%dT%H:%M:%S.000Z")

    def history(self) -> "Iterator[Commit]":
        """This commit and those before it, newest first."""
        commit: Commit | None = self
        while commit:
            yield commit
            commit = commit.parent

    def last_change(self, path: str) -> "Commit":
        """The commit that gave a file its content, or a folder its newest file."""
        inside = [name for name in self.files if name == path or name.startswith(f"{path}/")]
        commit = self
        while commit.parent and all(
            commit.parent.files.get(name) == commit.files.get(name) for name in inside
        ):
            commit = commit.parent
        return commit


@dataclass
class Repo:
    """A repository."""

    id: str
    kind: str = "model"
    private: bool = False
    gated: bool = False
    granted: set[str] = field(default_factory=set)  # names of accounts that may read a gated one
    branches: dict[str, Commit] = field(default_factory=dict)
    tags: dict[str, Commit] = field(default_factory=dict)
    pulls: dict[int, Commit] = field(default_factory=dict)
    converts: dict[str, Commit] = field(default_factory=dict)
    objects: dict[str, Blob] = field(default_factory=dict)  # uploaded large files by their promised sha256
    known: dict[str, Commit] = field(default_factory=dict)

    @property
    def namespace(self) -> str:
        """The account or organization that it belongs to."""
        return self.id.split("/")[0] if "/" in self.id else ""

    @property
    def place(self) -> str:
        """Its path on the Hub."""
        return PREFIXES[self.kind] + self.id

    def find(self, revision: str) -> Commit | None:
        """The commit that a branch, tag, full reference or sha names."""
        for prefix, commits in (("refs/heads/", self.branches), ("refs/tags/", self.tags)):
            if found := commits.get(revision.removeprefix(prefix)):
                return found
        if revision.startswith("refs/convert/"):
            return self.converts.get(revision.removeprefix("refs/convert/"))
        number = revision.removeprefix("refs/pr/")
        if revision.startswith("refs/pr/") and number.isdecimal():
            return self.pulls.get(int(number))
        return self.known.get(revision)

    def commit(
        self,
        files: Mapping[str, Blob],
        title: str,
        *,
        author: str,
        message: str = "",
        on: Commit | None = None,
    ) -> Commit:
        """Make a commit without letting any reference point to it."""
        listing = [f"{path} {files[path].oid}" for path in sorted(files)]
        facts = "\n".join([self.place, str(len(self.known)), title, on.oid if on else "", *listing])
        oid = hashlib.sha1(facts.encode()).hexdigest()
        made = Commit(oid, title, message, author, datetime.now(UTC), dict(files), on)
        self.known[oid] = made
        return made

    def point(self, revision: str, commit: Commit) -> None:
        """Let a branch or a pull request point to a commit."""
        if revision.startswith("refs/pr/"):
            self.pulls[int(revision.removeprefix("refs/pr/"))] = commit
        elif revision.startswith("refs/convert/"):
            self.converts[revision.removeprefix("refs/convert/")] = commit
        else:
            self.branches[revision.removeprefix("refs/heads/")] = commit


def new_repo(name: str, kind: str = "model", *, private: bool = False, author: str = "") -> Repo:
    """A repository with its first commit."""
    repo = Repo(name, kind, private)
    files = {".gitattributes": Blob(ATTRIBUTES)}
    repo.point("main", repo.commit(files, "initial commit", author=author or repo.namespace))
    return repo
