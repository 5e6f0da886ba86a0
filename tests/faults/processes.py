"""Runs as processes that tests may kill, and what two equal runs have in common."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

KEPT = (
    "log.jsonl",
    "metrics.json",
    "predictions/validation.jsonl",
    "predictions/test.jsonl",
    "model/model.safetensors",
    "model/tunekit.json",
)
LIMIT = 120.0  # seconds that anything may take


def results(run: Path) -> dict[str, bytes]:
    """What two equal runs have in common, byte for byte."""
    return {name: (run / name).read_bytes() for name in KEPT}


@dataclass
class Process:
    """A run in a process of its own."""

    server: "Server"
    pid: int
    said_path: Path

    @property
    def said(self) -> str:
        """What it has printed so far."""
        return self.said_path.read_text()

    def wait(self) -> int:
        """Its exit status; minus the signal that killed it."""
        return int(self.server.ask({"wait": self.pid})["status"])

    def until(self, true: Callable[[], bool]) -> Self:
        """Wait until something is so.

        Raises:
            TimeoutError: it never was, or the process has ended before.
        """
        end = time.monotonic() + LIMIT
        while not true():
            state = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
            if time.monotonic() > end or state == "Z":
                raise TimeoutError(f"it did not come to that; the process ({state}) said: {self.said}")
            time.sleep(0.002)
        return self

    def send(self, number: signal.Signals) -> Self:
        """Send it a signal."""
        os.kill(self.pid, number)
        return self


class Server:
    """Forks runs; see `tests.faults.server`."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request and read the answer."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def start(
        self,
        *argv: str,
        said: Path,
        folder: Path | None = None,
        at: int | None = None,
        patience: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Process:
        """Start a run; with `at` it kills itself when it touches `folder` for the `at`-th time.

        `patience` is for how many seconds it waits for a worker.
        """
        place = folder and str(folder)
        request: dict[str, Any] = {
            "argv": argv,
            "said": str(said),
            "folder": place,
            "at": at,
            "patience": patience,
        }
        request["environment"] = dict(environment or {})
        return Process(self, self.ask(request)["pid"], said)

    def close(self) -> None:
        """End the server."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()
        assert self.process.stdout
        self.process.stdout.close()


def rows_logged(run: Path) -> int:
    """How many rows a run's log has."""
    path = run / "log.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    found = []
    for each in Path("/proc").iterdir():
        try:
            parent = (each / "stat").read_text().rsplit(")", 1)[1].split()[1] if each.name.isdecimal() else ""
        except OSError:
            continue
        if parent == str(pid):
            found.append(int(each.name))
    return found
