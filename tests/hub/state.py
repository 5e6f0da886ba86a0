"""The state of a Hub: who there is, which repositories there are, and who may see and change them."""

import hashlib
import secrets
from dataclasses import dataclass, field

from tests.hub.messages import Moved, Refusal, Request
from tests.hub.storage import Account, Blob, Commit, Repo

HELD = "Access to {kind} {id} is restricted. Visit {url}/{place} to ask for access."


@dataclass
class Upload:
    """A large file on its way to a repository."""

    repo: Repo
    oid: str  # the sha256 that it should have
    size: int  # bytes
    parts: dict[int, bytes] = field(default_factory=dict)  # by number, from 1; one for an upload in one piece


class State:
    """What a Hub knows. The server lets one request at a time read or change it."""

    def __init__(self, multipart_over: int | None = None) -> None:
        self.tokens: dict[str, Account] = {}
        self.repos: dict[tuple[str, str], Repo] = {}
        self.moved: dict[tuple[str, str], str] = {}  # new names by kind and old name
        self.multipart_over = multipart_over  # bytes; also the size of a part
        self.links: dict[str, Upload | Blob] = {}  # what may be sent or fetched without a token, by key
        self.spoiling: list[bool] = []  # whether the Hub knows it, for each large file to spoil
        self.url = ""
        self.storage_url = ""

    def link(self, content: Upload | Blob) -> str:
        """A key that nobody can guess."""
        key = secrets.token_hex(16)
        self.links[key] = content
        return key

    def store(self, upload: Upload, content: bytes) -> None:
        """Keep a large file that was uploaded whole."""
        sha256 = upload.oid
        if self.spoiling:
            content = content[:-1] + bytes([content[-1] ^ 1])
            if self.spoiling.pop(0):
                sha256 = hashlib.sha256(content).hexdigest()
        upload.repo.objects[upload.oid] = Blob(content, sha256)

    def account(self, request: Request) -> Account | None:
        """Who sends a request; nobody where it has no token.

        Raises:
            Refusal: the token is nobody's.
        """
        if not request.authorization:
            return None
        if account := self.tokens.get(request.token or ""):
            return account
        raise Refusal(401, "Invalid credentials in Authorization header")

    def signed_in(self, request: Request) -> Account:
        """Who sends a request.

        Raises:
            Refusal: nobody does.
        """
        if account := self.account(request):
            return account
        raise Refusal(401, "Invalid username or password.")

    def repo(self, request: Request, kind: str, name: str) -> Repo:
        """A repository that the sender may see.

        Raises:
            Moved: it has another name now.
            Refusal: there is none, or it is private.
        """
        account = self.account(request)
        now = self.moved.get((kind, name), name)
        repo = self.repos.get((kind, now))
        if repo is None or (repo.private and not belongs(repo, account)):
            raise missing(account)
        if now != name:
            raise Moved(request.path.replace(f"/{name}", f"/{now}", 1))
        return repo

    def pass_gate(self, request: Request, repo: Repo) -> None:
        """Refuse who may see a gated repository but not read it."""
        account = self.account(request)
        if not repo.gated or belongs(repo, account) or (account and account.name in repo.granted):
            return
        message = HELD.format(kind=repo.kind, id=repo.id, url=self.url, place=repo.place)
        raise Refusal(403 if account else 401, message, "GatedRepo")

    def writer(self, request: Request, repo: Repo, *, proposal: bool = False) -> Account:
        """Who sends a request that changes a repository, or only proposes a change.

        Raises:
            Refusal: they may not.
        """
        account = self.signed_in(request)
        if account.role == "read":
            raise Refusal(403, "You must use a write token to upload to a repository.")
        if not proposal and not account.may_write(repo.namespace):
            raise Refusal(403, "Forbidden: pass `create_pr=1` as a query parameter to create a Pull Request")
        return account


def belongs(repo: Repo, account: Account | None) -> bool:
    """Whether a repository is an account's or one of its organizations'."""
    return account is not None and repo.namespace in (account.name, *account.orgs)


def missing(account: Account | None) -> Refusal:
    """The answer for a repository that is not there, or that the account must not know of."""
    if account:
        return Refusal(404, "Repository not found", "RepoNotFound")
    return Refusal(401, "Invalid username or password.", "RepoNotFound")


def revision(repo: Repo, name: str) -> Commit:
    """The commit that a revision names.

    Raises:
        Refusal: there is none.
    """
    if commit := repo.find(name):
        return commit
    raise Refusal(404, f"Invalid rev id: {name}", "RevisionNotFound")
