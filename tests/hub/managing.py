"""Who somebody is, and what is done to a repository as a whole: made, renamed, hidden, tagged, deleted."""

import hashlib
import re
from typing import Any

from tests.hub.messages import Refusal, Request, Response, reply
from tests.hub.state import State, revision
from tests.hub.storage import Account, Repo, new_repo

NAME = re.compile(r"(?!.*(--|\.\.))[A-Za-z0-9_][A-Za-z0-9._-]{0,95}(?<![.-])")
FORBIDDEN = 'You don\'t have the rights to create a {kind} under the namespace "{namespace}"'


def whoami(state: State, request: Request) -> Response:
    """Who a token belongs to, and what it may."""
    account = state.signed_in(request)
    orgs = [{"type": "org", "name": name, "fullname": name, "roleInOrg": "write"} for name in account.orgs]
    token = {"displayName": "token", "role": account.role}
    return reply(
        {
            "type": "user",
            "id": hashlib.md5(account.name.encode()).hexdigest()[:24],
            "name": account.name,
            "fullname": account.name,
            "orgs": orgs,
            "auth": {"type": "access_token", "accessToken": token},
        }
    )


def named(account: Account, facts: dict[str, Any]) -> tuple[str, str]:
    """The kind and the name that a request for a repository means."""
    kind = facts.get("type") or "model"
    return kind, f"{facts.get('organization') or account.name}/{facts['name']}"


def create(state: State, request: Request) -> Response:
    """Make a repository.

    Raises:
        Refusal: the sender may not, the name cannot be one, or it is taken.
    """
    account, facts = state.signed_in(request), request.json()
    kind, name = named(account, facts)
    namespace, short = name.split("/", 1)
    if not account.may_write(namespace):
        raise Refusal(403, FORBIDDEN.format(kind=kind, namespace=namespace))
    if not NAME.fullmatch(short):
        raise Refusal(400, f"Invalid repo name: {name}")
    if taken := state.repos.get((kind, name)):
        answer = Refusal(409, f"You already created this {kind} repo").response()
        answer.body = reply({"error": "You already created this repo", "url": address(state, taken)}).body
        return answer
    private = facts.get("visibility", "private" if facts.get("private") else "public") == "private"
    repo = new_repo(name, kind, private=private, author=account.name)
    state.repos[kind, name] = repo
    state.moved.pop((kind, name), None)
    return reply({"url": address(state, repo), "name": name, "id": name})


def address(state: State, repo: Repo) -> str:
    """A repository's address."""
    return f"{state.url}/{repo.place}"


def existing(state: State, request: Request, kind: str, name: str) -> Repo:
    """A repository that the sender may change as a whole."""
    repo = state.repo(request, kind, name)
    state.writer(request, repo)
    return repo


def delete(state: State, request: Request) -> Response:
    """Delete a repository."""
    repo = existing(state, request, *named(state.signed_in(request), request.json()))
    del state.repos[repo.kind, repo.id]
    return Response()


def move(state: State, request: Request) -> Response:
    """Give a repository another name."""
    facts = request.json()
    kind, new = facts.get("type", "model"), facts["toRepo"]
    repo = existing(state, request, kind, facts["fromRepo"])
    if not state.signed_in(request).may_write(new.split("/")[0]):
        raise Refusal(403, FORBIDDEN.format(kind=kind, namespace=new.split("/")[0]))
    if (kind, new) in state.repos:
        raise Refusal(409, f"{new} exists already")
    rename(state, repo, new)
    return Response()


def rename(state: State, repo: Repo, new: str) -> None:
    """Give a repository another name; whoever asks for the old one is sent to the new one."""
    del state.repos[repo.kind, repo.id]
    older = [key for key, name in state.moved.items() if key[0] == repo.kind and name == repo.id]
    for key in [*older, (repo.kind, repo.id)]:
        state.moved[key] = new
    state.moved.pop((repo.kind, new), None)
    repo.id = new
    state.repos[repo.kind, new] = repo


def settings(request: Request, repo: Repo) -> Response:
    """Change who may see and read a repository."""
    facts = request.json()
    if "visibility" in facts or "private" in facts:
        repo.private = facts.get("visibility") == "private" or bool(facts.get("private"))
    if "gated" in facts:
        repo.gated = bool(facts["gated"])
    return reply({"private": repo.private, "gated": "auto" if repo.gated else False})


def tag(request: Request, repo: Repo, name: str) -> Response:
    """Tag a revision, or take the tag of this name away."""
    if request.method == "DELETE":
        if repo.tags.pop(name, None) is None:
            raise Refusal(404, f"Tag {name} does not exist", "RevisionNotFound")
        return Response()
    new = request.json()["tag"]
    if new in repo.tags:
        raise Refusal(409, f"Tag reference exists already: {new}")
    repo.tags[new] = revision(repo, name)
    return Response()


def branch(request: Request, repo: Repo, name: str) -> Response:
    """Begin a branch, or end it."""
    if request.method == "DELETE":
        if name == "main":
            raise Refusal(403, "The main branch cannot be deleted")
        if repo.branches.pop(name, None) is None:
            raise Refusal(404, f"Branch {name} does not exist", "RevisionNotFound")
        return Response()
    if name in repo.branches:
        raise Refusal(409, f"Reference already exists: {name}")
    repo.branches[name] = revision(repo, request.json().get("startingPoint") or "main")
    return Response()
