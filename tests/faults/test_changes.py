"""A run that would not be the same is not continued; what does not matter may change."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests import tiny
from tests.building import make_fitting
from tests.faults.processes import Process, Server, rows_logged

Start = Callable[..., Process]
TASK = "text-classification"


@pytest.fixture
def stopped(start: Start, tmp_path: Path) -> Path:
    """A run that was stopped in the middle."""
    run = tmp_path / "run"
    assert start().until(lambda: rows_logged(run) >= 1).send(signal.SIGTERM).wait() == 75
    return run


def contents(run: Path) -> dict[str, bytes]:
    """Every byte of a run."""
    return {str(path): path.read_bytes() for path in run.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("train.learning_rate=1e-4", "train.learning_rate: 0.003 -> 0.0001"),
        ("train.seed=5", "train.seed: 0 -> 5"),
        ("task.max_length=8", "task.max_length: "),
        ("train.fast=false", "train.fast: True -> False"),
    ],
)
def test_another_recipe_is_refused_with_the_difference(
    override: str, line: str, stopped: Path, start: Start
) -> None:
    before, process = contents(stopped), start(override)
    assert process.wait() == 2
    assert line in process.said
    assert "--overwrite to begin anew" in process.said
    assert contents(stopped) == before


def test_other_versions_are_refused_with_the_difference(stopped: Path, start: Start) -> None:
    facts = json.loads((stopped / "run.json").read_text())
    version = facts["identity"]["version of"]["torch"]
    facts["identity"]["version of"]["torch"] = "1.0"
    (stopped / "run.json").write_text(json.dumps(facts))
    process = start()
    assert process.wait() == 2
    assert f"version of.torch: 1.0 -> {version}" in process.said


def test_other_rows_are_refused_with_the_split(
    server: Server, checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    rows, run = tiny.dataset(tmp_path / "rows", TASK), tmp_path / "run"
    file = tiny.recipe(tmp_path / "tiny.yaml", TASK, checkpoint("bert"), rows, save_every=1, epochs=100)
    command = ["finetune", str(file), "--output", str(run)]
    first = server.start(*command, said=tmp_path / "said").until(lambda: rows_logged(run) >= 1)
    assert first.send(signal.SIGTERM).wait() == 75
    lines = (rows / "train.jsonl").read_text().splitlines()
    (rows / "train.jsonl").write_text("\n".join([*lines[1:], lines[0]]))
    second = server.start(*command, said=tmp_path / "said")
    assert second.wait() == 2
    assert "rows of.train: " in second.said


@pytest.mark.parametrize(
    "override",
    ["data.workers=1", "train.micro_batch=3", "train.log_every=1", "train.save_every=3", "train.keep=5"],
)
def test_what_does_not_change_the_result_may_change(override: str, stopped: Path, start: Start) -> None:
    process = start(override)
    assert process.wait() == 0
    assert "continuing after step " in process.said


def test_the_remaining_batches_are_the_same_for_any_processes_and_micro_batch(
    checkpoint: Callable[..., Path], data: Callable[[str], Path], tmp_path: Path
) -> None:
    steps = make_fitting(tmp_path, TASK, checkpoint("bert"), data(TASK)).steps
    alone = [sorted(steps[number].rows.tolist()) for number in range(3, 9)]
    steps.most = 3
    cut = [np.concatenate([micro.windows for micro in steps[number].micros]) for number in range(3, 9)]
    assert [sorted(windows.tolist()) for windows in cut] == alone  # a window a row
    shared: list[list[int]] = [[] for _ in alone]
    for process in range(3):
        steps.processes, steps.process = 3, process
        for place, number in enumerate(range(3, 9)):
            shared[place] += [int(window) for micro in steps[number].micros for window in micro.windows]
    assert [sorted(windows) for windows in shared] == alone
