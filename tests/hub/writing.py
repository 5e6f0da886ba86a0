"""How files come into a repository: preupload, the batch of large files, the commit."""

import base64
import json
from collections.abc import Iterable
from typing import Any

from tests.hub.messages import Refusal, Request, Response, reply
from tests.hub.state import State, Upload, revision
from tests.hub.storage import LARGE, LIMIT, Blob, Commit, Repo

STALE = "A commit has happened since. Please refresh and try again."
ABSENT = "A file with this name doesn't exist: {path}"


def preupload(state: State, request: Request, repo: Repo, name: str) -> Response:
    """How each file should be sent, and what there is of it."""
    state.writer(request, repo, proposal=proposes(request, name))
    commit = revision(repo, name)
    return reply({"files": [mode(commit, file) for file in request.json()["files"]]})


def proposes(request: Request, name: str) -> bool:
    """Whether a request wants a pull request, or belongs to one."""
    return request.asks("create_pr") or name.startswith("refs/pr/")


def mode(commit: Commit, file: dict[str, Any]) -> dict[str, Any]:
    """How a file should be sent."""
    large = LARGE.search(file["path"]) or file["size"] > LIMIT
    held = commit.files.get(file["path"])
    return {
        "path": file["path"],
        "uploadMode": "lfs" if large else "regular",
        "shouldIgnore": False,
        **({"oid": held.etag} if held else {}),
    }


def batch(state: State, request: Request, repo: Repo) -> Response:
    """Where to send each large file, unless it is there already."""
    state.writer(request, repo, proposal=True)
    answer = {
        "transfer": "basic",
        "objects": [place(state, repo, each) for each in request.json()["objects"]],
    }
    answer["transfer"] = "multipart" if "chunk_size" in json.dumps(answer) else "basic"
    return reply(answer)


def place(state: State, repo: Repo, wanted: dict[str, Any]) -> dict[str, Any]:
    """Where to send a large file."""
    oid, size = wanted["oid"], wanted["size"]
    held = repo.objects.get(oid)
    if held and held.sha256 == oid:
        return {"oid": oid, "size": size}
    key = state.link(Upload(repo, oid, size))
    upload: dict[str, Any] = {"href": f"{state.storage_url}/{key}"}
    if state.multipart_over and size > state.multipart_over:
        count = -(-size // state.multipart_over)
        parts = {f"{n:05d}": f"{state.storage_url}/{key}/{n}" for n in range(1, count + 1)}
        header = {"chunk_size": str(state.multipart_over), **parts}
        upload = {"href": f"{state.url}/_uploads/{key}/complete", "header": header}
    verify = {"href": f"{state.url}/_uploads/{key}/verify"}
    return {"oid": oid, "size": size, "authenticated": True, "actions": {"upload": upload, "verify": verify}}


def commit(state: State, request: Request, repo: Repo, name: str) -> Response:
    """Make a commit, on a branch or as a pull request.

    Raises:
        Refusal: the sender may not, the parent is not the newest commit, or a file is not there.
    """
    account = state.writer(request, repo, proposal=proposes(request, name))
    lines = [json.loads(line) for line in request.body.splitlines() if line.strip()]
    header = lines[0]["value"]
    proposal = request.asks("create_pr")
    head = parent(repo, name, header.get("parentCommit"), proposal=proposal)
    files = changed(repo, head, lines[1:])
    made = repo.commit(
        files, header["summary"], author=account.name, message=header.get("description", ""), on=head
    )
    number = len(repo.pulls) + 1
    repo.point(f"refs/pr/{number}" if proposal else name, made)
    answer = {
        "success": True,
        "commitOid": made.oid,
        "commitUrl": f"{state.url}/{repo.place}/commit/{made.oid}",
    }
    if proposal:
        answer["pullRequestUrl"] = f"{state.url}/{repo.place}/discussions/{number}"
    return reply(answer)


def parent(repo: Repo, name: str, wanted: str | None, *, proposal: bool) -> Commit:
    """The commit that a new one is made on.

    Raises:
        Refusal: it is not the one that the sender knows, or nothing can be committed to this revision.
    """
    if proposal:
        return revision(repo, wanted or name)
    head = revision(repo, name)
    if name in repo.tags or name in repo.known:
        raise Refusal(400, f"{name} is not a branch")
    if wanted and wanted != head.oid:
        raise Refusal(412, STALE)
    return head


def changed(repo: Repo, head: Commit, lines: Iterable[dict[str, Any]]) -> dict[str, Blob]:
    """The files after a commit's changes."""
    files = dict(head.files)
    for line in lines:
        key, value = line["key"], line["value"]
        path = value["path"]
        if key == "file":
            files[path] = small(path, base64.b64decode(value["content"]))
        elif key == "lfsFile":
            files[path] = uploaded(repo, path, value["oid"])
        elif key in ("deletedFile", "deletedFolder"):
            remove(files, path.rstrip("/"), head, folder=key == "deletedFolder")
        else:
            raise Refusal(400, f"Unknown operation {key}")
    return files


def small(path: str, content: bytes) -> Blob:
    """A file that is kept in git itself."""
    if len(content) > LIMIT:
        raise Refusal(400, f"{path} is larger than 10 MiB: it should be a large file")
    return Blob(content)


def uploaded(repo: Repo, path: str, oid: str) -> Blob:
    """A large file that was sent before."""
    if found := repo.objects.get(oid):
        return found
    raise Refusal(400, f"{path} points to a large file that was not uploaded: {oid}")


def remove(files: dict[str, Blob], path: str, head: Commit, *, folder: bool) -> None:
    """Take a file or a folder out."""
    gone = [name for name in files if (name.startswith(f"{path}/") if folder else name == path)]
    if not gone:
        raise Refusal(404, ABSENT.format(path=path), "EntryNotFound", X_Repo_Commit=head.oid)
    for name in gone:
        del files[name]
