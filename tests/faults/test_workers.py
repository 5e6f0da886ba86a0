"""Workers that prepare batches and die, or hang."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.building import make_fitting
from tests.faults.processes import Process, children, rows_logged
from tunekit.data import batches
from tunekit.errors import EnvironmentFailure

Start = Callable[..., Process]


def test_a_worker_that_dies_costs_one_line_and_no_work(start: Start, tmp_path: Path) -> None:
    run, overrides = tmp_path / "run", ("data.workers=2", "train.epochs=500", "train.save_every=1")
    process = start(*overrides).until(lambda: rows_logged(run) >= 2)
    victim, other = children(process.pid)
    Process(process.server, victim, process.said_path).send(signal.SIGKILL)
    assert process.wait() == 3
    last = process.said.strip().splitlines()[-1]
    assert "a worker process has died while step " in last
    assert "train.jsonl:" in last
    assert "Traceback" not in process.said
    assert not Path(f"/proc/{other}").exists()
    again = start(*overrides).until(lambda: rows_logged(run) >= 4)
    assert again.send(signal.SIGTERM).wait() == 75
    assert "continuing after step " in again.said


def test_a_worker_that_hangs_is_given_up_after_a_while(
    checkpoint: Callable[..., Path],
    data: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import multiprocessing
    import os

    monkeypatch.setattr(batches, "PATIENCE", 1)
    task = "text-classification"
    fitting = make_fitting(tmp_path, task, checkpoint("bert"), data(task), "data.workers=1", steps=40)
    steps = fitting.steps.between(0, 40, 1)
    next(steps)
    (worker,) = multiprocessing.active_children()
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGSTOP)
    with pytest.raises(EnvironmentFailure, match="does not answer for 1 seconds while step "):
        list(steps)
    worker.join(10)
    assert not worker.is_alive()
