"""A run that is killed anywhere ends, by the same command, with the bytes of an uninterrupted one."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tests.faults.conftest import TASK
from tests.faults.processes import Process, Server, results, rows_logged
from tunekit import checkpoint as checkpoints

Start = Callable[..., Process]
TOUCHES = 700  # more than an uninterrupted run touches its folder
PLACES = list(range(1, 60, 7)) + list(range(61, 400, 17))


@pytest.mark.parametrize("at", PLACES)
def test_a_kill_at_any_file_loses_nothing(
    at: int, start: Start, wanted: dict[str, bytes], tmp_path: Path
) -> None:
    status = start(at=at).wait()
    assert status in (-signal.SIGKILL, 0)
    for saved in checkpoints.all_saved(tmp_path / "run" / "checkpoints"):
        assert checkpoints.damage(saved) is None  # whatever has a name is complete
    assert start().wait() == 0
    assert results(tmp_path / "run") == wanted


def test_the_places_reach_to_the_end_of_a_run(start: Start) -> None:
    assert start(at=PLACES[-1]).wait() == -signal.SIGKILL or start(at=TOUCHES).wait() == 0


def test_killed_again_and_again_inside_one_epoch(
    start: Start, wanted: dict[str, bytes], tmp_path: Path
) -> None:
    for number in (2, 3, 4):
        folder = tmp_path / "run" / "checkpoints" / f"step-{2 * (number - 1):08d}"
        start().until(folder.exists).send(signal.SIGKILL).wait()
    assert start().wait() == 0
    assert results(tmp_path / "run") == wanted


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("task", "family", "overrides"),
    [
        ("question-answering", "bert", ["task.max_length=24", "task.stride=8"]),
        ("image-classification", "vit", ["task.crop=0.5", "task.flip=true"]),
        ("token-classification", "electra", []),
        ("summarization", "t5", []),
        (TASK, "gpt2", ["adapter=lora", "adapter.dropout=0.1"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_task_ends_as_if_it_had_not_been_killed(
    task: str,
    family: str,
    overrides: list[str],
    workers: int,
    server: Server,
    checkpoint: Callable[..., Path],
    data: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    settings: dict[str, Any] = {"save_every": 2, "log_every": 1, "micro_batch": 3}
    file = tiny.recipe(tmp_path / "tiny.yaml", task, checkpoint(family), data(task), **settings)
    command = ["finetune", str(file), *overrides, f"data.workers={workers}", "--output"]
    assert server.start(*command, str(tmp_path / "whole"), said=tmp_path / "said").wait() == 0
    parts = tmp_path / "parts"
    killed = server.start(*command, str(parts), said=tmp_path / "said")
    killed.until(lambda: rows_logged(parts) >= 5).send(signal.SIGKILL).wait()
    assert server.start(*command, str(parts), said=tmp_path / "said").wait() == 0
    assert results(parts) == results(tmp_path / "whole")


def test_the_log_has_no_step_twice(start: Start, tmp_path: Path) -> None:
    run = tmp_path / "run"
    start("train.log_every=1").until(lambda: rows_logged(run) >= 5).send(signal.SIGKILL).wait()
    assert start("train.log_every=1").wait() == 0
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    steps = [row["step"] for row in rows if "loss" in row]
    assert steps == list(range(1, 13))


def test_the_best_checkpoint_is_there_right_after_it_was_found(start: Start, tmp_path: Path) -> None:
    run = tmp_path / "run"
    best = run / "checkpoints" / "step-00000006"
    start().until(best.exists).send(signal.SIGKILL).wait()
    saved, _ = checkpoints.newest_good(run / "checkpoints")
    assert saved is not None
    assert checkpoints.damage_of_best(saved) is None
