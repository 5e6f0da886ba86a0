"""Processes that talk to a Hub: a snippet of Python, or the command line."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.hub.server import Hub

ROOT = Path(__file__).parents[2]
LIMIT = 120  # seconds that a process may take
TOKEN = "hf_AdaMayWriteHereAndInTheOrganization"
READING = "hf_AdaMayOnlyReadWhatIsHersWithThis"
OTHER = "hf_BobHasRepositoriesOfHisOwnElsewhere"


@dataclass(frozen=True)
class Ended:
    """A process that has ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """The last line that it wrote, which is JSON.

        Raises:
            AssertionError: it has failed.
        """
        assert self.code == 0, self.err
        return json.loads(self.out.splitlines()[-1])


@dataclass(frozen=True)
class Client:
    """Starts processes that know one Hub, with caches and settings in a folder of their own."""

    hub: Hub
    home: Path
    token: str | None = TOKEN
    python_path: str = sys.executable

    def run(
        self,
        *argv: str,
        cwd: Path | None = None,
        said: str | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> Ended:
        """Run Python with some arguments; `said` is what it reads from its standard input."""
        environment = self.hub.environment(self.home, self.token) | dict(variables or {})
        paths = [str(ROOT), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = ":".join(path for path in paths if path)
        done = subprocess.run(
            [self.python_path, *argv],
            env=environment,
            cwd=cwd or self.home,
            input=said or "",
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def python(self, code: str, *, variables: Mapping[str, str] | None = None) -> Ended:
        """Run a snippet of Python."""
        return self.run("-c", code, variables=variables)

    def tunekit(
        self, *argv: str, cwd: Path | None = None, variables: Mapping[str, str] | None = None
    ) -> Ended:
        """Run the command line."""
        return self.run("-m", "tunekit", *argv, cwd=cwd, variables=variables)


Seen = tuple[Hub, dict[str, Any]]
"""A Hub, and what a driver saw of it."""


def driven(hub: Hub, home: Path, driver: str, **variables: str) -> dict[str, Any]:
    """What a driver saw; see `tests.hub.drivers`."""
    ended = Client(hub, home).run("-m", f"tests.hub.drivers.{driver}", variables=variables)
    told: dict[str, Any] = ended.json()
    return told


def with_accounts(hub: Hub) -> Hub:
    """Let the Hub know Ada, who may write, the same with a token for reading only, and Bob."""
    hub.add_account("ada", TOKEN)
    hub.add_account("ada", READING, role="read")
    hub.add_account("bob", OTHER, orgs=())
    return hub
