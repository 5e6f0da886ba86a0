"""Signals save and exit 75, a second SIGINT aborts, and a requeue loop ends as one run."""

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.processes import Process, children, results, rows_logged
from tunekit import checkpoint as checkpoints

Start = Callable[..., Process]
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


@pytest.mark.parametrize("number", SIGNALS, ids=str)
def test_a_signal_saves_exits_75_and_the_run_continues_exactly(
    number: signal.Signals, start: Start, wanted: dict[str, bytes], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    process = start().until(lambda: rows_logged(run) >= 1).send(number)
    assert process.wait() == 75
    assert process.said.count(f"{number.name} received") == 1
    assert "Traceback" not in process.said
    assert start().wait() == 0
    assert results(run) == wanted


def test_a_signal_while_a_checkpoint_is_written_leaves_a_whole_one(
    start: Start, wanted: dict[str, bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "run" / "checkpoints"

    def writing() -> bool:
        return any(folder.glob(".tmp-step-*"))

    assert start("train.save_every=1").until(writing).send(signal.SIGTERM).wait() == 75
    saved, complaints = checkpoints.newest_good(folder)
    assert saved is not None
    assert not complaints
    assert start("train.save_every=1").wait() == 0
    assert results(tmp_path / "run") == wanted


def test_a_signal_before_the_first_step_saves_too(
    start: Start, wanted: dict[str, bytes], tmp_path: Path
) -> None:
    recorded = tmp_path / "run" / "recipe.yaml"  # written when signals are heeded already
    assert start().until(recorded.exists).send(signal.SIGTERM).wait() == 75
    assert start().wait() == 0
    assert results(tmp_path / "run") == wanted


def test_a_signal_while_rows_are_prepared_ends_with_75(
    start: Start, checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    rows = tmp_path / "rows.jsonl"
    os.mkfifo(rows)
    process = start(f"data={rows}")
    end = os.open(rows, os.O_WRONLY)  # returns when the run has begun to read
    assert process.send(signal.SIGTERM).wait() == 75
    os.close(end)
    assert "SIGTERM received before there was anything to save" in process.said


def test_a_second_interrupt_aborts_at_once_and_loses_no_more_than_a_kill(
    start: Start, wanted: dict[str, bytes], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    process = start().until(lambda: rows_logged(run) >= 1)
    for _ in range(2):
        process.send(signal.SIGINT)
    assert process.wait() in (75, 130)  # the first may have been served before the second came
    assert "Traceback" not in process.said
    assert start().wait() == 0
    assert results(run) == wanted


def test_no_worker_outlives_a_signal(start: Start, tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = start("data.workers=2", "train.epochs=500").until(lambda: rows_logged(run) >= 2)
    workers = children(process.pid)
    assert len(workers) == 2
    assert process.send(signal.SIGTERM).wait() == 75
    assert not [worker for worker in workers if Path(f"/proc/{worker}").exists()]


def test_a_requeue_loop_ends_as_one_run(start: Start, wanted: dict[str, bytes], tmp_path: Path) -> None:
    run, chance, status, rounds = tmp_path / "run", random.Random(0), 75, 0
    while status == 75:
        rounds += 1
        before, more = rows_logged(run), chance.randrange(1, 3)
        process = start()
        if before + more < 5:  # of 5 rows, so that every round gets on
            process.until(lambda: rows_logged(run) >= before + more).send(chance.choice(SIGNALS))  # noqa: B023
        status = process.wait()
    assert status == 0
    assert rounds > 2
    assert results(run) == wanted


def test_a_finished_run_says_so_and_changes_nothing(start: Start, tmp_path: Path) -> None:
    assert start().wait() == 0

    def stamps() -> dict[str, int]:
        return {str(p): p.stat().st_mtime_ns for p in (tmp_path / "run").rglob("*") if p.is_file()}

    before, again = stamps(), start()
    assert again.wait() == 0
    assert "already finished" in again.said
    assert stamps() == before
