"""Large files on their way: sent to and fetched from another host, under links that nobody can guess."""

import hashlib

from tests.hub import reading
from tests.hub.messages import Refusal, Request, Response, reply
from tests.hub.state import State, Upload
from tests.hub.storage import Blob


def stored(state: State, request: Request) -> Response:
    """Answer as the storage's host, which knows links but no tokens.

    Raises:
        Refusal: the request shows a token, or the link is wrong.
    """
    if request.authorization:
        raise Refusal(400, "Only one auth mechanism allowed")
    key, *number = request.segments or [""]
    match request.method, state.links.get(key):
        case "GET" | "HEAD", Blob() as file if not number:
            return reading.content(request, file, {"Content-Type": "application/octet-stream"})
        case "PUT", Upload() as upload:
            return receive(upload, request.body, int(number[0]) if number else 1)
    raise Refusal(403, "Access denied")


def receive(upload: Upload, body: bytes, number: int) -> Response:
    """Take a part of a file, or all of it."""
    upload.parts[number] = body
    return Response(200, {"ETag": f'"{hashlib.md5(body).hexdigest()}"'})


def finished(state: State, request: Request) -> Response:
    """Put an upload's parts together, or check the whole and keep it."""
    match request.method, request.segments:
        case "POST", [_, key, action]:
            upload = state.links.get(key)
            if isinstance(upload, Upload) and action == "complete":
                return complete(upload, request)
            if isinstance(upload, Upload) and action == "verify":
                state.writer(request, upload.repo, proposal=True)
                return verify(state, upload)
    raise Refusal(404, "No such upload")


def complete(upload: Upload, request: Request) -> Response:
    """Put the parts together.

    Raises:
        Refusal: the sender names other parts than those that came.
    """
    held = {number: f'"{hashlib.md5(part).hexdigest()}"' for number, part in upload.parts.items()}
    if {part["partNumber"]: part["etag"] for part in request.json()["parts"]} != held:
        raise Refusal(400, "One or more of the specified parts could not be found")
    return reply({"success": True})


def verify(state: State, upload: Upload) -> Response:
    """Keep a file if it is the promised one.

    Raises:
        Refusal: it is not.
    """
    content = b"".join(upload.parts[number] for number in sorted(upload.parts))
    if len(content) != upload.size or hashlib.sha256(content).hexdigest() != upload.oid:
        raise Refusal(400, "The uploaded file is not the promised one")
    state.store(upload, content)
    return reply({})
