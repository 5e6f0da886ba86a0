"""A Hub on the loopback interface, which the unmodified clients talk to."""

import os
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.hub import managing, routes
from tests.hub.faults import Failure, Fault, Faults
from tests.hub.listening import HOME, Server
from tests.hub.messages import Request, Response
from tests.hub.state import State
from tests.hub.storage import Account, Commit, Repo, blob, new_repo

FOREIGN = re.compile(r"^(HF_|HUGGING)|^TRANSFORMERS_(OFFLINE|CACHE)$|(?i:_proxy$)")  # would lead elsewhere


class Hub:
    """A Hub that serves while its `with` block runs.

    `url` is its address. Large files come from and go to another host name. Every request is in `log`.
    """

    def __init__(self, multipart_over: int | None = None) -> None:
        self.state = State(multipart_over)
        self.faults = Faults()
        self.log: list[Request] = []
        self.failures: list[str] = []  # bugs of this module
        self.lock = threading.RLock()
        self.port = 0
        self.server: Server | None = None

    def __enter__(self) -> Self:
        self.start_again()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if error is None and self.failures:
            raise AssertionError("the Hub has failed:\n" + "\n".join(self.failures))

    def start_again(self) -> None:
        """Serve, on the same port as before."""
        assert self.server is None
        self.server = Server(self.port, self.answer, self.faults, self.log, self.failures)
        self.port = self.server.server_address[1]
        self.state.url = f"http://{HOME}:{self.port}"
        self.state.storage_url = f"http://localhost:{self.port}"
        self.server.thread.start()

    def stop(self) -> None:
        """Serve nobody any more; connections that are open are cut."""
        if self.server:
            self.server.stop()
            self.server = None

    @property
    def url(self) -> str:
        """The address."""
        return self.state.url

    @property
    def storage_host(self) -> str:
        """The host, with its port, that large files come from and go to."""
        return f"localhost:{self.port}"

    @property
    def tokens(self) -> dict[str, Account]:
        """The accounts by token."""
        return self.state.tokens

    def add_account(
        self, name: str, token: str, role: str = "write", orgs: tuple[str, ...] = ("org",)
    ) -> Account:
        """Let a token be somebody's; `role` is write, read or fineGrained."""
        self.tokens[token] = Account(name, role, orgs)
        return self.tokens[token]

    def add_repo(
        self,
        repo: str,
        files: Mapping[str, bytes],
        kind: str = "model",
        *,
        private: bool = False,
        gated: bool = False,
    ) -> Repo:
        """Make a repository that holds some files."""
        made = new_repo(repo, kind, private=private)
        made.gated = gated
        self.state.repos[kind, repo] = made
        self.add_commit(repo, files, kind=kind)
        return made

    def add_commit(
        self, repo: str, files: Mapping[str, bytes], *, kind: str = "model", revision: str = "main"
    ) -> Commit:
        """Add files to a repository, as somebody else might meanwhile."""
        with self.lock:
            return self.add_to(self.repo(repo, kind), files, revision)

    @staticmethod
    def add_to(held: Repo, files: Mapping[str, bytes], revision: str) -> Commit:
        """Make a commit of some files."""
        blobs = {path: blob(path, content) for path, content in files.items()}
        held.objects |= {each.sha256: each for each in blobs.values() if each.sha256}
        head = held.find(revision) or held.branches["main"]
        made = held.commit({**head.files, **blobs}, "Add files", author=held.namespace, on=head)
        held.point(revision, made)
        return made

    def repo(self, repo: str, kind: str = "model") -> Repo:
        """A repository, by the name that it has now."""
        return self.state.repos[kind, repo]

    def files(self, repo: str, revision: str = "main", kind: str = "model") -> dict[str, bytes]:
        """The files of a repository, with the `.gitattributes` that every one has."""
        return {path: file.content for path, file in self.commits(repo, revision, kind)[0].files.items()}

    def commits(self, repo: str, revision: str = "main", kind: str = "model") -> list[Commit]:
        """The commits of a repository, newest first."""
        head = self.repo(repo, kind).find(revision)
        return list(head.history()) if head else []

    def rename(self, old: str, new: str, kind: str = "model") -> None:
        """Rename a repository; requests for the old name are redirected."""
        with self.lock:
            managing.rename(self.state, self.repo(old, kind), new)

    def fault(
        self,
        method: str,
        path_regex: str,
        times: int,
        status: Failure,
        *,
        after_body: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> Fault:
        """Let something go wrong with the next requests whose path (and query) fits; `*` is any method.

        `status` is a status, "drop" (no answer, the connection is closed), "stall" (no answer ever) or "cut"
        (closed in the middle of the answer's body). With `after_body` the Hub first does what it is asked.
        """
        made = Fault(method, re.compile(path_regex), times, status, after_body, dict(headers or {}))
        self.faults.add(made)
        return made

    def corrupt_lfs(self, times: int = 1, *, known: bool = True) -> None:
        """Flip a bit of the next large files that are uploaded, and accept them.

        Where it is `known` the Hub names the sha256 of what it holds, else that of what it should hold.
        """
        self.state.spoiling += [known] * times

    def requests(self, method: str, path_regex: str) -> list[Request]:
        """The requests so far of a method whose path fits."""
        return [each for each in self.log if each.method == method and re.search(path_regex, each.path)]

    def environment(self, home: Path, token: str | None = None) -> dict[str, str]:
        """The environment of a process that knows this Hub alone, with its caches in `home`."""
        given = {name: value for name, value in os.environ.items() if not FOREIGN.search(name)}
        given |= {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "DISABLE_SAFETENSORS_CONVERSION": "1",
        }
        return given | ({"HF_TOKEN": token} if token else {})

    def answer(self, request: Request) -> Response:
        """Do what a request wants."""
        with self.lock:
            return routes.answer(self.state, request)
