"""Commands under watch: every connection and every look-up of a name is refused and noted."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import tiny
from tunekit.environment import SETTINGS

TASK = "text-classification"
WATCH = """
import os, socket

def refuse(what):
    def refused(*given, **named):
        with open(os.environ["WATCH"], "a") as file:
            print(what, given[-2:], file=file)
        raise OSError(f"no {what} here")
    return refused

for name in ("connect", "connect_ex", "sendto"):
    setattr(socket.socket, name, refuse(name))
for name in ("getaddrinfo", "gethostbyname", "create_connection"):
    setattr(socket, name, refuse(name))
"""


@dataclass
class Watch:
    """A folder whose commands cannot reach anything, and what they tried."""

    folder: Path

    @property
    def notes(self) -> Path:
        return self.folder / "notes.txt"

    @property
    def temporary(self) -> Path:
        """What stands in for the system's folder of temporary files."""
        return self.folder / "temporary"

    def tried(self) -> list[str]:
        """The connections and look-ups that were tried since the last time."""
        lines = self.notes.read_text().splitlines() if self.notes.exists() else []
        self.notes.unlink(missing_ok=True)
        return lines

    def run(self, *arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command as somebody does who has set nothing but the variables in `more`."""
        unset = ("HF_", "TRANSFORMERS_", *SETTINGS)
        environment = {name: value for name, value in os.environ.items() if not name.startswith(unset)}
        own = {
            "PYTHONPATH": f"{self.folder}:{os.getcwd()}",
            "WATCH": str(self.notes),
            "HF_HOME": str(self.folder / "home"),
            "TMPDIR": str(self.temporary),
        }
        return subprocess.run(
            [sys.executable, "-m", "tunekit", *map(str, arguments)],
            input="a good film\n",
            capture_output=True,
            text=True,
            check=False,
            env=environment | own | more,
        )


@pytest.fixture(scope="session")
def watch(tmp_path_factory: pytest.TempPathFactory) -> Watch:
    """A folder under watch."""
    folder = tmp_path_factory.mktemp("watch")
    (folder / "temporary").mkdir()
    (folder / "sitecustomize.py").write_text(WATCH)
    return Watch(folder)


@pytest.fixture(scope="session")
def used(watch: Watch, checkpoint: Callable[..., Path], data: Callable[[str], Path]) -> dict[str, list[str]]:
    """The connections that finetune, evaluate and predict tried, all of which succeed, each in two ways."""
    file = tiny.recipe(watch.folder / "tiny.yaml", TASK, checkpoint("bert"), data(TASK), steps=2)
    run = watch.folder / "run"
    commands: dict[str, list[str | Path]] = {
        "finetune": ["finetune", file, "--output", run, "--overwrite"],
        "evaluate": ["evaluate", run],
        "predict": ["predict", run],
    }
    found = {}
    for name, words in commands.items():
        for way in (["--offline"], []):
            done = watch.run(*words, *way)
            assert done.returncode == 0, done.stderr
            found[" ".join([name, *way])] = watch.tried()
    return found
