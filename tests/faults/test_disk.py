"""Disks that are full or closed, and two processes that want one folder."""

import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.processes import Process, Server, results, rows_logged
from tunekit import checkpoint as checkpoints
from tunekit.run import Run

Start = Callable[..., Process]


def limit(process: Process, size: int) -> None:
    """Let a running process write no file larger than so many bytes, as on a disk that has filled up."""
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs Linux")
def test_a_disk_that_fills_up_costs_one_line_and_no_checkpoint(
    start: Start, wanted: dict[str, bytes], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    process = start("train.save_every=1").until(lambda: bool(checkpoints.all_saved(run / "checkpoints")))
    limit(process, 10_000)
    assert process.wait() == 3
    last = process.said.strip().splitlines()[-1]
    assert "could not be written" in last
    assert "bytes are free" in last
    assert "Traceback" not in process.said
    assert not list((run / "checkpoints").glob(".tmp-*"))
    assert checkpoints.newest_good(run / "checkpoints")[0] is not None
    assert start("train.save_every=1").wait() == 0
    assert results(run) == wanted


def test_an_output_below_a_file_is_refused(server: Server, recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    argv = ["finetune", str(recipe), "--output", str(tmp_path / "file" / "run")]
    process = server.start(*argv, said=tmp_path / "said")
    assert process.wait() == 2
    assert "is a file; choose another --output" in process.said


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_output_without_rights_is_refused(start: Start, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        process = start()
        assert process.wait() == 2
    finally:
        tmp_path.chmod(0o700)


def test_a_second_process_is_refused_while_the_first_runs(start: Start, tmp_path: Path) -> None:
    run = tmp_path / "run"
    first = start("train.epochs=500").until(lambda: rows_logged(run) >= 1)
    second = start("train.epochs=500")
    assert second.wait() == 2
    assert f"is in use by process {first.pid}" in second.said
    assert first.send(signal.SIGKILL).wait() == -signal.SIGKILL
    third = start("train.epochs=500")
    third.until(lambda: "training on" in third.said)
    assert third.send(signal.SIGTERM).wait() == 75


def test_a_lock_that_a_dead_process_left_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / ".lock").write_text("999999999")
    with Run(tmp_path).lock():
        assert (tmp_path / ".lock").read_text() == str(os.getpid())
