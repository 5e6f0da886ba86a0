"""Which request is for what."""

from tests.hub import cards, managing, reading, transfers, writing
from tests.hub.messages import Refusal, Request, Response, reply
from tests.hub.state import State, revision
from tests.hub.storage import Repo

KINDS = {"models": "model", "datasets": "dataset", "spaces": "space"}


def answer(state: State, request: Request) -> Response:
    """Answer a request as a Hub, or as its storage where that host is asked."""
    try:
        if f"http://{request.host}" == state.storage_url:
            return transfers.stored(state, request)
        return whole(state, request)
    except Refusal as refusal:
        return refusal.response()


def whole(state: State, request: Request) -> Response:
    """Answer what is not about one repository, and pass the rest on."""
    match request.method, request.segments:
        case _, ["api", "telemetry", *_]:
            return Response()
        case "GET", ["api", "agent-harnesses"]:
            return reply({"standardEnvVars": [], "harnesses": {}})
        case "GET", ["api", "whoami-v2"]:
            return managing.whoami(state, request)
        case "POST", ["api", "validate-yaml"]:
            return cards.validate(request)
        case "POST", ["api", "repos", "create"]:
            return managing.create(state, request)
        case "DELETE", ["api", "repos", "delete"]:
            return managing.delete(state, request)
        case "POST", ["api", "repos", "move"]:
            return managing.move(state, request)
        case _, ["_uploads", *_]:
            return transfers.finished(state, request)
        case _, ["api", kinds, *rest] if kinds in KINDS and rest:
            return about(state, request, KINDS[kinds], rest)
        case _, [kinds, *rest] if kinds in ("datasets", "spaces") and rest:
            return of_repo(state, request, KINDS[kinds], rest)
        case _, [*rest] if rest:
            return of_repo(state, request, "model", rest)
    raise unknown(request)


def unknown(request: Request) -> Refusal:
    """The answer to what no Hub of this kind knows."""
    return Refusal(404, f"Cannot {request.method} this address")


def split(state: State, kind: str, parts: list[str]) -> tuple[str, list[str]]:
    """A repository's name, of one part or two, and the rest of the path."""
    alone = (kind, parts[0]) in state.repos or (kind, parts[0]) in state.moved
    count = 1 if alone else 2
    return "/".join(parts[:count]), parts[count:]


def about(state: State, request: Request, kind: str, parts: list[str]) -> Response:
    """Answer what is under `/api/models` and the like."""
    name, rest = split(state, kind, parts)
    repo = state.repo(request, kind, name)
    if request.method == "GET":
        return told(state, request, repo, rest)
    return done(state, request, repo, rest)


def told(state: State, request: Request, repo: Repo, rest: list[str]) -> Response:
    """Tell about a repository."""
    match rest:
        case []:
            return reading.info(request, repo, revision(repo, "main"))
        case ["revision", name]:
            return reading.info(request, repo, revision(repo, name))
        case ["tree", name, *folder]:
            return reading.tree(request, revision(repo, name), "/".join(folder).strip("/"))
        case ["refs"]:
            return reading.refs(request, repo)
        case ["commits", name]:
            return reading.commits(revision(repo, name))
        case ["discussions"]:
            return reading.discussions(repo)
        case ["auth-check"]:
            state.pass_gate(request, repo)
            return Response()
        case ["auth-check", "write"]:
            state.writer(request, repo)
            return Response()
    raise unknown(request)


def done(state: State, request: Request, repo: Repo, rest: list[str]) -> Response:
    """Change a repository; `paths-info` alone only asks."""
    match request.method, rest:
        case "POST", ["paths-info", name]:
            return reading.paths_info(request, revision(repo, name))
        case "POST", ["preupload", name]:
            return writing.preupload(state, request, repo, name)
        case "POST", ["commit", name]:
            return writing.commit(state, request, repo, name)
        case "PUT", ["settings"]:
            state.writer(request, repo)
            return managing.settings(request, repo)
        case "POST" | "DELETE", ["tag", name]:
            state.writer(request, repo)
            return managing.tag(request, repo, name)
        case "POST" | "DELETE", ["branch", name]:
            state.writer(request, repo)
            return managing.branch(request, repo, name)
    raise unknown(request)


def of_repo(state: State, request: Request, kind: str, parts: list[str]) -> Response:
    """Answer what is under a repository's own address: its files, and where large ones go."""
    if parts[-4:] == ["info", "lfs", "objects", "batch"] and request.method == "POST":
        name = "/".join(parts[:-4]).removesuffix(".git")
        return writing.batch(state, request, state.repo(request, kind, name))
    name, rest = split(state, kind, parts)
    match request.method, rest:
        case "GET" | "HEAD", ["resolve", revision_name, *path] if path:
            repo = state.repo(request, kind, name)
            state.pass_gate(request, repo)
            return reading.resolve(state, request, repo, revision_name, "/".join(path))
    raise unknown(request)
