"""Checkpoints beside training: what is on the disk is what was there when saving began."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.building import make_fitting
from tunekit import checkpoint as checkpoints
from tunekit.engine import Fitting, fit, saving
from tunekit.engine.saving import Saver, choose_step
from tunekit.errors import Diverged, EnvironmentFailure, InputError
from tunekit.run import Run

TASK = "text-classification"
ORIGIN = {"recipe": "a", "rows": None, "versions": None}
STATE = {"origin": ORIGIN}


@pytest.fixture
def saver(tmp_path: Path) -> Saver:
    """A saver of a run with a log."""
    run = Run(tmp_path)
    run.checkpoints.mkdir()
    run.log({"step": 1})
    return Saver(run, keep=2)


@pytest.fixture
def make(
    checkpoint: Callable[..., Path], data: Callable[[str], Path], tmp_path: Path
) -> Callable[..., Fitting]:
    """A maker of a tiny run's parts."""
    return lambda **train: make_fitting(tmp_path, TASK, checkpoint("bert"), data(TASK), **train)


def tensors(value: float = 1.0) -> dict[str, dict[str, Any]]:
    """Tensors that take a while to write."""
    return {"model": {"weight": torch.full((1000, 1000), value)}}


def test_what_training_changes_meanwhile_is_not_saved(saver: Saver) -> None:
    content = tensors()
    saver.save(1, content, STATE, None)
    content["model"]["weight"].zero_()
    saver.wait()
    saved = checkpoints.at_step(saver.run.checkpoints, 1)
    assert torch.equal(saved.tensors("model")["weight"], torch.ones(1000, 1000))


def test_a_copy_in_the_memory_of_the_last_one_is_of_now(saver: Saver) -> None:
    saver.save(1, tensors(1.0), STATE, None)
    saver.save(2, tensors(2.0), STATE, None)
    saver.wait()
    saved = [checkpoints.at_step(saver.run.checkpoints, step).tensors("model")["weight"] for step in (1, 2)]
    assert [float(each.mean()) for each in saved] == [1.0, 2.0]


def test_tensors_that_come_later_are_copied_too(saver: Saver) -> None:
    saver.save(1, {"model": {}}, STATE, None)
    saver.save(2, tensors(2.0), STATE, None)
    saver.wait()
    assert float(checkpoints.at_step(saver.run.checkpoints, 2).tensors("model")["weight"].mean()) == 2.0


def test_writing_runs_where_nobody_else_wants_to(saver: Saver, monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux has a priority for each thread")
    seen: list[int] = []
    flush = checkpoints.flush
    monkeypatch.setattr(
        checkpoints, "flush", lambda path: (seen.append(os.getpriority(os.PRIO_PROCESS, 0)), flush(path))
    )
    saver.save(1, tensors(), STATE, None)
    saver.wait()
    assert set(seen) == {saving.LEAST}
    assert os.getpriority(os.PRIO_PROCESS, 0) < saving.LEAST


def test_saves_come_one_after_the_other(saver: Saver) -> None:
    for step in (1, 2, 3):
        saver.save(step, tensors(), STATE, None)
    saver.wait()
    assert [saved.step for saved in checkpoints.all_saved(saver.run.checkpoints)] == [3, 2]


def test_without_room_for_a_copy_training_waits(saver: Saver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "ROOM", float("inf"))
    saver.save(1, tensors(), STATE, None)
    assert checkpoints.damage(checkpoints.at_step(saver.run.checkpoints, 1)) is None


def test_what_fails_in_the_background_is_raised_at_the_next_step(saver: Saver) -> None:
    saver.run.checkpoints.rmdir()
    saver.run.checkpoints.write_text("a file where the folder should be")
    saver.save(1, tensors(), STATE, None)
    assert saver.thread is not None
    saver.thread.join()
    with pytest.raises(EnvironmentFailure, match="step 1 could not be written"):
        saver.check()


def test_a_failure_is_raised_once(saver: Saver) -> None:
    saver.failure = EnvironmentFailure("full")
    with pytest.raises(EnvironmentFailure):
        saver.wait()
    saver.close()


def test_behind_another_error_a_failure_is_only_said(
    saver: Saver, capsys: pytest.CaptureFixture[str]
) -> None:
    saver.failure = EnvironmentFailure("the disk is full")
    with pytest.raises(Diverged):
        try:
            raise Diverged("no number")
        finally:
            saver.close()
    assert "the disk is full" in capsys.readouterr().err


def test_a_checkpoint_made_from_another_recipe_is_not_continued(
    saver: Saver, capsys: pytest.CaptureFixture[str]
) -> None:
    saver.save(1, tensors(), STATE, None)
    saver.save(2, tensors(), {"origin": ORIGIN | {"recipe": "b"}}, None)
    saver.wait()
    assert choose_step(saver.run.checkpoints, None, ORIGIN) == 1
    assert "step-00000002 cannot be used: it was made from another recipe" in capsys.readouterr().err


def test_a_named_checkpoint_made_from_another_recipe_is_refused(saver: Saver) -> None:
    saver.save(1, tensors(), {"origin": ORIGIN | {"recipe": "b"}}, None)
    saver.wait()
    with pytest.raises(InputError, match="another recipe"):
        choose_step(saver.run.checkpoints, checkpoints.at_step(saver.run.checkpoints, 1), ORIGIN)


def test_a_manifest_says_where_in_the_plan_the_run_is_and_what_it_was_made_from(
    make: Callable[..., Fitting],
) -> None:
    fitting = make(steps=7, batch_size=16, seed=3, save_every=4)  # 3 steps an epoch
    fit(fitting)
    document = checkpoints.at_step(fitting.run.checkpoints, 7).manifest()["state"]
    assert document["plan"] == {"epoch": 2, "batch": 1, "rows": 48, "batch_size": 16, "seed": 3}
    assert document["origin"] == fitting.origin
    assert set(fitting.origin["rows"]) == {"train", "validation", "test"}
    assert len(fitting.origin["recipe"]) == 64
    assert "torch" in fitting.origin["versions"]


def test_keys_that_may_change_do_not_change_the_origin(make: Callable[..., Fitting], tmp_path: Path) -> None:
    fitting = make(steps=2)
    before = fitting.origin
    fitting.run.facts["identity"]["train"]["micro_batch"] = 3
    assert fitting.origin == before
    fitting.run.facts["identity"]["train"]["learning_rate"] = 3
    assert fitting.origin != before
