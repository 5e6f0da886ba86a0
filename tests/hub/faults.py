"""Faults that tests plan: what goes wrong with which requests, and how often."""

import re
import threading
from dataclasses import dataclass, field
from http.client import responses
from typing import Literal

from tests.hub.messages import Refusal, Request, Response

Failure = int | Literal["drop", "stall", "cut"]
"""A status; or the connection is dropped, or never answered, or dropped in the middle of the answer."""


@dataclass
class Fault:
    """Something that goes wrong with the next requests of a kind."""

    method: str
    path: re.Pattern[str]
    times: int
    failure: Failure
    after_body: bool = False  # the Hub does what it was asked for, and its answer is lost
    headers: dict[str, str] = field(default_factory=dict)

    def meets(self, request: Request) -> bool:
        """Whether it happens to a request."""
        right = self.method in ("*", request.method)
        return bool(self.times > 0 and right and self.path.search(request.path))

    def response(self) -> Response:
        """The answer of a fault that is a status."""
        assert isinstance(self.failure, int)
        answer = Refusal(self.failure, responses.get(self.failure, "Failure")).response()
        answer.headers |= self.headers
        return answer


class Faults:
    """The planned faults of a Hub."""

    def __init__(self) -> None:
        self.planned: list[Fault] = []
        self.lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Plan one."""
        with self.lock:
            self.planned.append(fault)

    def take(self, request: Request) -> Fault | None:
        """The fault that happens to a request, which then happens once less often."""
        with self.lock:
            for fault in self.planned:
                if fault.meets(request):
                    fault.times -= 1
                    return fault
        return None
