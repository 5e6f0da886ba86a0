"""What a Hub tells about repositories, and the files that it gives out."""

import hashlib
import mimetypes
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs

from tests.hub import cards
from tests.hub.messages import Refusal, Request, Response, reply
from tests.hub.state import State, revision
from tests.hub.storage import Blob, Commit, Repo

SAFE = {"status": "safe", "avScan": None, "pickleImportScan": None}


def info(request: Request, repo: Repo, commit: Commit) -> Response:
    """What there is to know about a repository."""
    facts = facts_of(repo, commit, blobs=request.asks("blobs"))
    if wanted := request.query.get("expand", []) + request.query.get("expand[]", []):
        facts["evalResults"] = cards.evaluations(commit)
        facts = {name: facts[name] for name in ("_id", "id", *wanted) if name in facts}
    return reply(facts)


def facts_of(repo: Repo, commit: Commit, *, blobs: bool) -> dict[str, Any]:
    """All that the Hub tells about a repository."""
    card = cards.metadata(commit)
    *_, first = commit.history()
    siblings = [sibling(path, file, blobs=blobs) for path, file in sorted(commit.files.items())]
    return {
        "_id": hashlib.md5(repo.place.encode()).hexdigest()[:24],
        "id": repo.id,
        **({"modelId": repo.id} if repo.kind == "model" else {}),
        "author": repo.namespace,
        "sha": commit.oid,
        "lastModified": commit.when,
        "createdAt": first.when,
        "private": repo.private,
        "gated": "auto" if repo.gated else False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": cards.tags(card),
        **{name: card[name] for name in ("pipeline_tag", "library_name") if name in card},
        "cardData": card,
        "siblings": siblings,
    }


def sibling(path: str, file: Blob, *, blobs: bool) -> dict[str, Any]:
    """A file of a repository, in the answer about the repository."""
    if not blobs:
        return {"rfilename": path}
    found = {"rfilename": path, "size": len(file.content), "blobId": file.oid}
    return found | ({"lfs": large(file, "sha256")} if file.sha256 else {})


def large(file: Blob, name: str) -> dict[str, Any]:
    """What is told of a large file; `name` is that of its sha256."""
    return {name: file.sha256, "size": len(file.content), "pointerSize": len(file.pointer)}


def tree(request: Request, commit: Commit, folder: str) -> Response:
    """What a folder holds."""
    inside = [path for path in commit.files if not folder or path.startswith(f"{folder}/")]
    if folder and not inside:
        raise entry_missing(commit, f"{folder} does not exist")
    paths = {str(place) for path in inside for place in (PurePosixPath(path), *PurePosixPath(path).parents)}
    below = [path for path in sorted(paths - {"."}) if not folder or path.startswith(f"{folder}/")]
    depth = folder.count("/") + 1 if folder else 0
    shown = [path for path in below if request.asks("recursive") or path.count("/") == depth]
    return reply([entry(commit, path, expand=request.asks("expand")) for path in shown])


def paths_info(request: Request, commit: Commit) -> Response:
    """What some files and folders are; those that are missing are left out."""
    if request.headers.get("content-type", "").startswith("application/json"):
        asked = request.json()
        paths, expand = asked.get("paths", []), bool(asked.get("expand"))
    else:
        form = parse_qs(request.body.decode())
        paths, expand = form.get("paths", []), form.get("expand", [""])[-1].lower() == "true"
    held = [path.strip("/") for path in paths if exists(commit, path.strip("/"))]
    return reply([entry(commit, path, expand=expand) for path in held])


def exists(commit: Commit, path: str) -> bool:
    """Whether a commit has a file or folder."""
    return path in commit.files or any(name.startswith(f"{path}/") for name in commit.files)


def entry(commit: Commit, path: str, *, expand: bool) -> dict[str, Any]:
    """A file or folder, as a listing shows it."""
    file = commit.files.get(path)
    if file is None:
        inside = [name for name in commit.files if name.startswith(f"{path}/")]
        oid = hashlib.sha1("".join(f"{name}{commit.files[name].oid}" for name in inside).encode())
        found: dict[str, Any] = {"type": "directory", "oid": oid.hexdigest(), "size": 0, "path": path}
    else:
        found = {"type": "file", "oid": file.oid, "size": len(file.content), "path": path}
        found |= {"lfs": large(file, "oid")} if file.sha256 else {}
    if expand:
        last = commit.last_change(path)
        found["lastCommit"] = {"id": last.oid, "title": last.title, "date": last.when}
        found |= {"securityFileStatus": SAFE} if file else {}
    return found


def refs(request: Request, repo: Repo) -> Response:
    """The branches, tags and pull requests."""

    def listed(prefix: str, commits: dict[Any, Commit]) -> list[dict[str, str]]:
        return [
            {"name": str(name), "ref": f"refs/{prefix}/{name}", "targetCommit": commit.oid}
            for name, commit in commits.items()
        ]

    found = {
        "branches": listed("heads", repo.branches),
        "tags": listed("tags", repo.tags),
        "converts": listed("convert", repo.converts),
    }
    if request.asks("include_prs"):
        found["pullRequests"] = listed("pr", repo.pulls)
    return reply(found)


def commits(commit: Commit) -> Response:
    """A commit and those before it, newest first."""
    return reply(
        [
            {
                "id": each.oid,
                "title": each.title,
                "message": each.message,
                "authors": [{"user": each.author}],
                "date": each.when,
            }
            for each in commit.history()
        ]
    )


def resolve(state: State, request: Request, repo: Repo, name: str, path: str) -> Response:
    """A file: itself, or where it is stored if it is large."""
    commit = revision(repo, name)
    file = commit.files.get(path)
    if file is None:
        raise entry_missing(commit, "Entry not found")
    headers = {"X-Repo-Commit": commit.oid, "ETag": f'"{file.etag}"'}
    if file.sha256 is None:
        kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
        return content(request, file, headers | {"Content-Type": kind})
    headers |= {"X-Linked-Etag": f'"{file.sha256}"', "X-Linked-Size": str(len(file.content))}
    headers["Location"] = f"{state.storage_url}/{state.link(file)}"
    return Response(302, headers, b"Found. Redirecting.")


def entry_missing(commit: Commit, message: str) -> Refusal:
    """The answer for a file or folder that is not there."""
    return Refusal(404, message, "EntryNotFound", X_Repo_Commit=commit.oid)


def content(request: Request, file: Blob, headers: dict[str, str]) -> Response:
    """A file's bytes, or those of them that the request wants.

    Raises:
        Refusal: it wants none of them.
    """
    whole, headers = file.content, {**headers, "Accept-Ranges": "bytes"}
    wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", ""))
    if not wanted or wanted.groups() == ("", ""):
        return Response(200, headers, whole)
    first, last = bounds(*wanted.groups(), size=len(whole))
    if first > last:
        raise Refusal(416, "Range Not Satisfiable", Content_Range=f"bytes */{len(whole)}")
    headers["Content-Range"] = f"bytes {first}-{last}/{len(whole)}"
    return Response(206, headers, whole[first : last + 1])


def bounds(first: str, last: str, *, size: int) -> tuple[int, int]:
    """The first and the last byte of a range; one of the two may be empty."""
    if not first:
        return max(0, size - int(last)), size - 1
    return int(first), min(int(last), size - 1) if last else size - 1


def discussions(repo: Repo) -> Response:
    """The pull requests, as the page of discussions lists them."""
    found = list(listed_pulls(repo))
    return reply({"discussions": found, "count": len(found), "start": 0})


def listed_pulls(repo: Repo) -> Iterator[dict[str, Any]]:
    """The pull requests, newest first."""
    for number, commit in sorted(repo.pulls.items(), reverse=True):
        yield {
            "num": number,
            "title": commit.title,
            "author": {"name": commit.author},
            "createdAt": commit.when,
            "status": "open",
            "isPullRequest": True,
            "repo": {"name": repo.id, "type": repo.kind},
        }
