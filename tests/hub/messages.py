"""Requests and answers, and the refusals that a Hub answers with."""

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass(frozen=True)
class Request:
    """What a client has sent; names of headers are in lower case."""

    method: str
    path: str  # with the query, as it was sent
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)

    @property
    def authorization(self) -> str | None:
        """The header of that name."""
        return self.headers.get("authorization")

    @property
    def host(self) -> str:
        """The host, with its port, that the client wanted."""
        return self.headers.get("host", "")

    @property
    def token(self) -> str | None:
        """The token in it."""
        scheme, _, token = (self.authorization or "").partition(" ")
        return token if scheme == "Bearer" and token else None

    @cached_property
    def segments(self) -> list[str]:
        """The parts of the path between its slashes."""
        return [unquote(part) for part in urlsplit(self.path).path.split("/") if part]

    @cached_property
    def query(self) -> dict[str, list[str]]:
        """The query's values by name."""
        return parse_qs(urlsplit(self.path).query)

    def asks(self, name: str) -> bool:
        """Whether the query says yes to something."""
        return self.query.get(name, [""])[-1].lower() in ("1", "true")

    def json(self) -> dict[str, Any]:
        """The body as a JSON object."""
        found = json.loads(self.body or b"{}")
        return found if isinstance(found, dict) else {}


@dataclass
class Response:
    """What a client gets."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Refusal(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, message: str, code: str = "", **headers: str) -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def response(self) -> Response:
        """The answer that says so."""
        answer = reply({"error": self.message}, self.status)
        answer.headers |= {"X-Error-Message": self.message, **self.headers}
        if self.code:
            answer.headers["X-Error-Code"] = self.code
        return answer


class Moved(Refusal):
    """A request for a repository by a name that it had once."""

    def __init__(self, location: str) -> None:
        super().__init__(307, f"Temporary Redirect. Redirecting to {location}", Location=location)


def reply(content: Any, status: int = 200) -> Response:
    """An answer in JSON."""
    return Response(status, {"Content-Type": "application/json; charset=utf-8"}, json.dumps(content).encode())
