"""Two machines for real: hosts in network namespaces, joined by a cable that is cut and mended.

The hosts have no folder in common but their data: each has a run directory of its own.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests import tiny

TASK = "text-classification"
LIMIT = 180.0  # seconds that anything may take
TIMEOUT = 4  # seconds that one host waits for the other
ROOT = Path(__file__).parent.parent
able = os.geteuid() == 0 and shutil.which("ip") is not None
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not able, reason="needs root and the command ip")]


def ip(*words: str) -> None:
    """Run iproute2's `ip`."""
    subprocess.run(["ip", *words], check=True, capture_output=True)


@dataclass
class Hosts:
    """Two hosts in namespaces of their own, with one cable between them."""

    names: list[str] = field(default_factory=lambda: [f"tunekit-{os.getpid()}-{side}" for side in "ab"])

    def build(self) -> None:
        """Make them, with the addresses 10.77.0.1 and 10.77.0.2."""
        first, second = self.names
        for name in self.names:
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("link", "add", "cable", "netns", first, "type", "veth", "peer", "name", "cable", "netns", second)
        for number, name in enumerate(self.names, 1):
            ip("-n", name, "address", "add", f"10.77.0.{number}/24", "dev", "cable")
            ip("-n", name, "link", "set", "cable", "up")

    def set_cable(self, state: str) -> None:
        """Cut the cable (down) or mend it (up)."""
        ip("-n", self.names[0], "link", "set", "cable", state)

    def remove(self) -> None:
        """Take them away, and the cable with them."""
        for name in self.names:
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)

    def start(self, host: int, recipe: Path, run: Path, said: Path) -> "subprocess.Popen[bytes]":
        """Start the run's process of one host by torchrun."""
        torchrun = ["--nnodes=2", "--nproc-per-node=1", f"--node-rank={host}", "--master-addr=10.77.0.1"]
        command = ["ip", "netns", "exec", self.names[host], sys.executable, "-m", "torch.distributed.run"]
        words = ["-m", "tunekit", "finetune", str(recipe), "--output", str(run), "--timeout", str(TIMEOUT)]
        own = {"GLOO_SOCKET_IFNAME": "cable", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        with said.open("w") as file:
            return subprocess.Popen(
                [*command, *torchrun, *words], env=os.environ | own, stdout=file, stderr=subprocess.STDOUT
            )


@dataclass
class Pair:
    """A run on both hosts."""

    hosts: Hosts
    recipe: Path
    folder: Path

    def __post_init__(self) -> None:
        self.runs = [self.folder / f"run-{side}" for side in "ab"]
        self.logs = [self.folder / f"said-{side}.txt" for side in "ab"]
        self.processes = [
            self.hosts.start(host, self.recipe, self.runs[host], self.logs[host]) for host in range(2)
        ]

    def wait(self) -> list[int]:
        """The exit statuses."""
        return [each.wait(LIMIT) for each in self.processes]

    def said(self) -> str:
        """What both printed."""
        return "\n".join(path.read_text() for path in self.logs)

    def weights(self) -> bytes:
        """The trained weights."""
        return (self.runs[0] / "model" / "model.safetensors").read_bytes()


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    """Two hosts, taken away when the test is over."""
    made = Hosts()
    try:
        made.build()
        yield made
    finally:
        made.remove()


def until(true: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + LIMIT
    while not true():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_a_cut_cable_fails_clearly_and_the_same_command_continues_exactly(
    hosts: Hosts, checkpoint: Callable[..., Path], data: Callable[[str], Path], tmp_path: Path
) -> None:
    settings = {"steps": 200, "save_every": 10, "log_every": 10, "evaluate_every": 150, "keep": 1}
    recipe = tiny.recipe(tmp_path / "tiny.yaml", TASK, checkpoint("bert"), data(TASK), **settings)
    (tmp_path / "whole").mkdir()
    whole = Pair(hosts, recipe, tmp_path / "whole")
    assert whole.wait() == [0, 0], whole.said()

    cut = Pair(hosts, recipe, tmp_path)
    until(lambda: any((cut.runs[0] / "checkpoints").glob("step-*")))
    hosts.set_cable("down")
    begin = time.monotonic()
    assert cut.wait() == [1, 1], cut.said()  # of torchrun, which shows the exit codes of its processes
    assert time.monotonic() - begin < LIMIT
    for log in cut.logs:
        said = log.read_text()
        assert said.count("error: another machine of this run was not reached (no answer within") == 1, said
        assert "exitcode  : 3 " in said
    assert not (cut.runs[0] / "model").exists()
    assert not cut.runs[1].exists() or not any(cut.runs[1].rglob("*.safetensors"))

    hosts.set_cable("up")
    again = Pair(hosts, recipe, tmp_path)
    assert again.wait() == [0, 0], again.said()
    assert "continuing after step" in again.said()
    assert again.weights() == whole.weights()
    assert not any(again.runs[1].rglob("step-*"))  # what it was sent is gone
    assert (again.runs[0] / "log.jsonl").read_bytes() == (whole.runs[0] / "log.jsonl").read_bytes()
