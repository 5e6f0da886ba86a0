"""Workers that prepare batches and die."""

import signal
from collections.abc import Callable
from pathlib import Path

from tests.faults.processes import Process, children, rows_logged

Start = Callable[..., Process]


def test_a_worker_that_dies_costs_one_line_and_no_work(start: Start, tmp_path: Path) -> None:
    run, overrides = tmp_path / "run", ("data.workers=2", "train.epochs=500", "train.save_every=1")
    process = start(*overrides).until(lambda: rows_logged(run) >= 2)
    victim, other = children(process.pid)
    Process(process.server, victim, process.said_path).send(signal.SIGKILL)
    assert process.wait() == 3, process.said
    last = process.said.strip().splitlines()[-1]
    assert "a worker process has died while step " in last
    assert "train.jsonl:" in last
    assert "Traceback" not in process.said
    assert not Path(f"/proc/{other}").exists()
    again = start(*overrides)
    again.until(lambda: "continuing after step " in again.said)
    assert again.send(signal.SIGTERM).wait() == 75


def test_a_worker_that_hangs_is_given_up(start: Start, tmp_path: Path) -> None:
    run, overrides = tmp_path / "run", ("data.workers=2", "train.epochs=500", "train.save_every=1")
    process = start(*overrides, patience=2).until(lambda: rows_logged(run) >= 2)
    victim, other = children(process.pid)
    Process(process.server, victim, process.said_path).send(signal.SIGSTOP)
    assert process.wait() == 3, process.said
    last = process.said.strip().splitlines()[-1]
    assert "a worker process does not answer for 2 seconds while step " in last
    assert not Path(f"/proc/{victim}").exists()
    assert not Path(f"/proc/{other}").exists()
