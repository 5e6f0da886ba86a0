"""The checkpoint's own scores, before the first step, beside those of what it becomes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tests.building import make_fitting
from tests.faults.processes import results
from tests.test_resume import stop_at
from tunekit import workflow
from tunekit.before import score_before
from tunekit.errors import Interrupted
from tunekit.reproduction import reproduce
from tunekit.run import Run

TASK = "text-generation"


@pytest.fixture
def recipe(checkpoint: Callable[..., Path], data: Callable[[str], Path], tmp_path: Path) -> Path:
    """A recipe that asks for the scores before training."""
    settings: dict[str, Any] = {"steps": 4, "evaluate_every": 2, "evaluate_before": True}
    return tiny.recipe(tmp_path / "tiny.yaml", TASK, checkpoint("gpt2"), data(TASK), **settings)


def train(recipe: Path, output: Path, *overrides: str) -> Run:
    """Make a run in a folder."""
    return workflow.finetune(recipe, *overrides, output=output)


def test_a_model_that_learns_nothing_scores_as_before(recipe: Path, tmp_path: Path) -> None:
    found = train(recipe, tmp_path / "run", "train.steps=1", "train.warmup=1").metrics()
    for scores in (found["validation"], found["test"]):
        assert scores["before_perplexity"] == pytest.approx(scores["perplexity"])


def test_it_changes_nothing_of_the_run(recipe: Path, tmp_path: Path) -> None:
    asked = train(recipe, tmp_path / "asked")
    plain = train(recipe, tmp_path / "plain", "train.evaluate_before=false")
    known = asked.metrics()
    for scores in known.values():
        assert [scores.pop(name) for name in list(scores) if name.startswith("before_")]
    assert known == plain.metrics()
    for file in ("model/model.safetensors", "log.jsonl", "predictions/test.jsonl"):
        assert (asked.path / file).read_bytes() == (plain.path / file).read_bytes()


def test_a_stopped_run_keeps_it(recipe: Path, tmp_path: Path) -> None:
    train(recipe, tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, "step", 3)
        with pytest.raises(Interrupted):
            train(recipe, tmp_path / "parts")
    train(recipe, tmp_path / "parts")
    assert results(tmp_path / "parts") == results(tmp_path / "whole")


def test_it_is_not_asked_of_the_finished_model_when_its_scores_are_made_again(
    recipe: Path, tmp_path: Path
) -> None:
    train(recipe, tmp_path / "run")
    _, verdicts = reproduce(tmp_path / "run", evaluate_only=True, output=tmp_path / "again")
    assert all(verdict.inside for verdict in verdicts)


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # of peft itself
def test_virtual_tokens_which_begin_as_random_ones_are_no_part_of_it(
    checkpoint: Callable[..., Path], data: Callable[[str], Path], tmp_path: Path
) -> None:
    task, found = "translation", []
    for overrides in ([], ["adapter=prompt"]):
        folder = tmp_path / f"{len(found)}"
        folder.mkdir()
        asked = ["train.evaluate_before=true", *overrides]
        fitting = make_fitting(folder, task, checkpoint("t5"), data(task), *asked)
        if fitting.adapter is not None:
            for each in fitting.adapter.prompt_encoder.parameters():
                each.data.fill_(float("nan"))  # with which nothing is written
        score_before(fitting, {"validation": fitting.validation})
        found.append(fitting.run.facts["before"])
    assert found[0] == found[1]


def test_the_report_holds_it_against_the_result(recipe: Path, tmp_path: Path) -> None:
    run = train(recipe, tmp_path / "run")
    before = run.metrics()["test"]["before_perplexity"]["value"]
    assert f"the checkpoint before training ({before:.4f})" in (run.path / "report.html").read_text()


def test_scores_of_the_same_rows_made_later_keep_it(recipe: Path, tmp_path: Path) -> None:
    run = train(recipe, tmp_path / "run")
    known = json.loads((run.path / "metrics.json").read_text())
    workflow.evaluate(run.path)
    assert json.loads((run.path / "metrics.json").read_text()) == known
