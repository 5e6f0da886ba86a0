"""Real runs of two processes under launchers: killed and continued, they end with the same bytes."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import tiny
from tests.faults.processes import results
from tests.launch.test_launcher import alive

ROOT = Path(__file__).parents[2]
TASK = "text-classification"
LIMIT = 240.0  # seconds that anything may take
PYTHON = [sys.executable, "-m"]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc"),
]


@pytest.fixture(scope="module")
def recipe(
    checkpoint: Callable[..., Path], data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A recipe of 60 steps that saves every 10."""
    settings = {"steps": 60, "save_every": 10, "log_every": 5, "evaluate_every": 20, "early_stopping": None}
    path = tmp_path_factory.mktemp("recipe") / "tiny.yaml"
    return tiny.recipe(path, TASK, checkpoint("bert"), data(TASK), **settings)


class Started:
    """A run under a launcher, in processes of its own."""

    def __init__(self, launcher: list[str], recipe: Path, run: Path, *options: str) -> None:
        words = ["finetune", str(recipe), "--output", str(run), *options]
        said = run.with_suffix(".txt")
        environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "GLOO_SOCKET_IFNAME": "lo",
        }
        self.run, self.said_path = run, said
        with said.open("w") as file:
            command = [*launcher, *words]
            self.process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment)

    @property
    def said(self) -> str:
        """What it has printed so far."""
        return self.said_path.read_text()

    def wait(self) -> int:
        """Its exit status."""
        return self.process.wait(LIMIT)

    def worker(self, rank: int) -> int:
        """The id of the process of a rank, which is found by its variables."""
        for each in Path("/proc").iterdir():
            if not each.name.isdecimal() or not alive(int(each.name)):
                continue
            try:
                variables = (each / "environ").read_bytes().split(b"\0")
                words = (each / "cmdline").read_bytes()
            except OSError:
                continue
            if f"RANK={rank}".encode() in variables and str(self.run).encode() in words:
                return int(each.name)
        raise AssertionError(f"there is no process {rank}: {self.said}")

    def kill_worker(self, rank: int) -> "Started":
        """Kill the process of a rank when a checkpoint is there, and the run is not over."""
        end = time.monotonic() + LIMIT
        while not any((self.run / "checkpoints").glob("step-*")):
            assert time.monotonic() < end and self.process.poll() is None, self.said
            time.sleep(0.002)
        os.kill(self.worker(rank), signal.SIGKILL)
        return self


@pytest.fixture(scope="module")
def wanted(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the run gives as plain workers under `accelerate launch`, which knows no CPUs; uninterrupted."""
    run = tmp_path_factory.mktemp("accelerate") / "run"
    options = ["--multi_gpu", "--num_processes=2", "--num_machines=1", "--mixed_precision=no"]
    launcher = [*PYTHON, "accelerate.commands.launch", *options, "--dynamo_backend=no"]
    started = Started([*launcher, "--main_process_port=0", "-m", "tunekit"], recipe, run)
    assert started.wait() == 0, started.said
    assert "training on 2 x cpu" in started.said
    assert started.said.count("rows: 48 train") == 1  # only one process talks
    return results(run)


def test_a_killed_process_leads_to_a_restart_that_ends_with_the_same_bytes(
    recipe: Path, wanted: dict[str, bytes], tmp_path: Path
) -> None:
    started = Started([*PYTHON, "tunekit"], recipe, tmp_path / "run", "--processes", "2").kill_worker(1)
    assert started.wait() == 0, started.said
    assert started.said.count("process 1 of 2 was killed by SIGKILL") == 1
    assert re.search(r"continuing after step \d+ of 60", started.said)
    assert "Traceback" not in started.said
    assert results(tmp_path / "run") == wanted


def test_a_worker_that_torchrun_starts_again_continues(recipe: Path, tmp_path: Path) -> None:
    launcher = [*PYTHON, "torch.distributed.run", "--standalone", "--nproc-per-node=1", "--max-restarts=1"]
    started = Started([*launcher, "-m", "tunekit"], recipe, tmp_path / "run").kill_worker(0)
    assert started.wait() == 0, started.said
    assert re.search(r"continuing after step \d+ of 60", started.said)
    assert (tmp_path / "run" / "model" / "model.safetensors").is_file()
