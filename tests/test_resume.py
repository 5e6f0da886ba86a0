"""A stopped run, continued by the same command, ends as an uninterrupted one: weights, log and scores."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tests.faults.processes import results
from tunekit import checkpoint as checkpoints
from tunekit import workflow
from tunekit.engine import Fitting
from tunekit.errors import InputError, Interrupted

TASK = "text-classification"


@pytest.fixture
def recipe(checkpoint: Callable[..., Path], data: Callable[[str], Path], tmp_path: Path) -> Path:
    """A recipe of 2 epochs of 6 steps, with dropout, uneven logging and two forwards a step."""
    return tiny.recipe(
        tmp_path / "tiny.yaml",
        TASK,
        checkpoint("bert"),
        data(TASK),
        log_every=4,
        save_every=5,
        micro_batch=5,
        keep=2,
        early_stopping=None,
    )


def stop_at(monkeypatch: pytest.MonkeyPatch, moment: str, step: int) -> None:
    """Send this process a signal at a moment of a step: after it, or in the middle of its evaluation."""
    where = {"step": "note", "evaluation": "tick"}[moment]
    plain = getattr(Fitting, where)

    def then_signal(self: Any, *arguments: Any) -> None:
        if self.state.step == step - (moment == "step"):
            os.kill(os.getpid(), signal.SIGTERM)
        plain(self, *arguments)

    monkeypatch.setattr(Fitting, where, then_signal)


@pytest.mark.parametrize(
    ("moment", "steps"),
    [("step", [1]), ("step", [4]), ("step", [6]), ("evaluation", [6]), ("step", [2, 3]), ("step", [11])],
    ids=[
        "first",
        "inside an epoch",
        "end of an epoch",
        "in an evaluation",
        "twice in an epoch",
        "near the end",
    ],
)
def test_an_interrupted_run_ends_as_an_uninterrupted_one(
    moment: str, steps: list[int], recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = workflow.finetune(recipe, output=tmp_path / "whole")
    for step in steps:
        with monkeypatch.context() as patch:
            stop_at(patch, moment, step)
            with pytest.raises(Interrupted, match="same command continues"):
                workflow.finetune(recipe, output=tmp_path / "parts")
        status = json.loads((tmp_path / "parts" / "run.json").read_text())["status"]
        assert status == "interrupted"
    parts = workflow.finetune(recipe, output=tmp_path / "parts")
    assert parts.status == "finished"
    assert results(whole.path) == results(parts.path)


@pytest.mark.slow
def test_a_killed_run_ends_as_an_uninterrupted_one(recipe: Path, tmp_path: Path) -> None:
    whole = workflow.finetune(recipe, output=tmp_path / "whole")
    command = [sys.executable, "-m", "tunekit", "finetune", str(recipe), "--output", str(tmp_path / "parts")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("step 6/12"):
                process.kill()
    assert process.returncode == -signal.SIGKILL
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert results(whole.path) == results(tmp_path / "parts")


STOPS = [
    (signal.SIGTERM, "1"),
    (signal.SIGINT, "1"),
    (signal.SIGUSR1, "1"),
    (signal.SIGTERM, "2"),
    (signal.SIGUSR1, "2"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "processes"), STOPS, ids=str)
def test_a_signal_saves_and_exits_75(
    number: signal.Signals, processes: str, recipe: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "tunekit", "finetune", str(recipe), "--output", str(tmp_path / "run")]
    command += ["--processes", processes]
    with subprocess.Popen([*command, "train.epochs=2000"], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("step 6/"):
                process.send_signal(number)
                break
        said = process.stderr.read()
    assert process.returncode == 75
    assert said.count(f"{number.name} received") == 1
    assert "Traceback" not in said
    assert checkpoints.newest_good(tmp_path / "run" / "checkpoints")[0] is not None


def test_a_finished_run_says_so_and_does_nothing(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = workflow.finetune(recipe, output=tmp_path / "run")
    stamp = (first.path / "model" / "model.safetensors").stat().st_mtime_ns
    again = workflow.finetune(recipe, output=tmp_path / "run")
    assert "already finished" in capsys.readouterr().err
    assert (again.path / "model" / "model.safetensors").stat().st_mtime_ns == stamp


def test_a_run_with_other_settings_is_refused_with_the_difference(recipe: Path, tmp_path: Path) -> None:
    workflow.finetune(recipe, output=tmp_path / "run")
    with pytest.raises(InputError) as caught:
        workflow.finetune(recipe, "train.learning_rate=1e-4", output=tmp_path / "run")
    assert "train.learning_rate: 0.003 -> 0.0001" in caught.value.problems


def test_an_unfinished_run_with_other_rows_is_refused(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: Callable[[str], Path]
) -> None:
    changed = tiny.dataset(tmp_path / "changed", TASK)
    with monkeypatch.context() as patch:
        stop_at(patch, "step", 3)
        with pytest.raises(Interrupted):
            workflow.finetune(recipe, f"data={changed}", output=tmp_path / "run")
    tiny.write_jsonl(changed / "train.jsonl", tiny.reviews(47))
    with pytest.raises(InputError) as caught:
        workflow.finetune(recipe, f"data={changed}", output=tmp_path / "run")
    assert any(problem.startswith("rows of.train:") for problem in caught.value.problems)


def test_resume_never_refuses_a_folder_that_holds_a_run(recipe: Path, tmp_path: Path) -> None:
    workflow.finetune(recipe, output=tmp_path / "run")
    with pytest.raises(InputError, match="already holds a run"):
        workflow.finetune(recipe, output=tmp_path / "run", resume="never")


def test_overwrite_begins_anew(recipe: Path, tmp_path: Path) -> None:
    first = workflow.finetune(recipe, output=tmp_path / "run")
    before = results(first.path)
    again = workflow.finetune(recipe, output=tmp_path / "run", overwrite=True)
    assert results(again.path) == before
    assert json.loads((first.path / "run.json").read_text())["status"] == "finished"


def test_a_named_checkpoint_is_continued_from(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        stop_at(patch, "step", 8)
        with pytest.raises(Interrupted):
            workflow.finetune(recipe, output=tmp_path / "run")
    workflow.finetune(recipe, resume=str(tmp_path / "run" / "checkpoints" / "step-00000006"))
    assert "continuing after step 6" in capsys.readouterr().err


def test_a_run_whose_newest_checkpoint_is_damaged_ends_as_an_uninterrupted_one(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = workflow.finetune(recipe, output=tmp_path / "whole")
    with monkeypatch.context() as patch:
        stop_at(patch, "step", 8)
        with pytest.raises(Interrupted):
            workflow.finetune(recipe, output=tmp_path / "parts")
    newest = tmp_path / "parts" / "checkpoints" / "step-00000008"
    (newest / "optimizer.safetensors").unlink()
    parts = workflow.finetune(recipe, output=tmp_path / "parts")
    said = capsys.readouterr().err
    assert "step-00000008 cannot be used: optimizer.safetensors is missing" in said
    assert "continuing after step 6" in said
    assert results(whole.path) == results(parts.path)


def test_a_launcher_that_starts_again_continues_whatever_the_options_say(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    named = str(run / "checkpoints" / "step-00000002")
    monkeypatch.setattr("sys.argv", ["tunekit", "finetune", "--overwrite"])

    def stopped_at(step: int, **options: Any) -> str:
        place = {} if "resume" in options and options["resume"] == named else {"output": run}
        with monkeypatch.context() as patch:
            stop_at(patch, "step", step)
            with pytest.raises(Interrupted, match="without --overwrite continues"):
                workflow.finetune(recipe, **place, **options)
        return capsys.readouterr().err

    stopped_at(3)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")  # after a start that did not get so far as to begin
    assert "continuing" not in stopped_at(2, overwrite=True)
    assert "continuing after step 2" in stopped_at(4, overwrite=True)
    assert "continuing after step 4" in stopped_at(6, resume=named)
    assert "continuing after step 6" in stopped_at(8, resume="never")


def test_a_named_checkpoint_that_is_damaged_is_refused(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        stop_at(patch, "step", 8)
        with pytest.raises(Interrupted):
            workflow.finetune(recipe, output=tmp_path / "run")
    named = tmp_path / "run" / "checkpoints" / "step-00000006"
    (named / "model.safetensors").write_bytes(b"")
    with pytest.raises(InputError, match="model.safetensors is damaged"):
        workflow.finetune(recipe, resume=str(named))


def without_answers(count: int, *, start: int = 0) -> list[dict[str, Any]]:
    """Questions of which every third one has no answer."""
    rows = tiny.questions(count, start=start)
    return [
        {**r, "answers": {"text": [], "answer_start": []}} if i % 3 == 0 else r for i, r in enumerate(rows)
    ]


def with_any_labels(count: int, *, start: int = 0) -> list[dict[str, Any]]:
    """Reviews with any number of labels."""
    sets: list[list[str]] = [[], ["a"], ["b"], ["a", "b"]]
    rows = tiny.reviews(count, start=start)
    return [{"text": r["text"], "labels": sets[i * 7 % 4]} for i, r in enumerate(rows)]


def plain_texts(count: int, *, start: int = 0) -> list[dict[str, Any]]:
    """Texts of different lengths, longer than a window and shorter, which chunks are made of."""
    return [{"text": row["text"] * (1 + i % 3)} for i, row in enumerate(tiny.reviews(count, start=start))]


@pytest.mark.parametrize(
    ("task", "family", "make", "overrides"),
    [
        ("summarization", "bart", tiny.documents, []),
        ("question-answering", "bert", without_answers, ["task.allow_no_answer=true"]),
        (TASK, "bert", with_any_labels, ["task.kind=multi-label"]),
        ("image-classification", "vit", tiny.pictures, []),
        (TASK, "gpt2", tiny.reviews, ["adapter=dora", "adapter.dropout=0.1"]),
        (TASK, "bert", tiny.reviews, ["train.unfreeze=1", "train.gradient_checkpointing=true"]),
        ("translation", "marian", tiny.translations, []),
        ("text2text", "gpt2", tiny.exchanges, []),
        ("text-generation", "llama", plain_texts, ["task.max_length=16"]),
    ],
    ids=[
        "summarization",
        "no answer",
        "multi-label",
        "image-classification",
        "adapter",
        "unfrozen",
        "translation",
        "text2text",
        "texts in chunks",
    ],
)
def test_a_run_of_any_task_continues_with_its_decision(
    task: str,
    family: str,
    make: Callable[..., list[dict[str, Any]]],
    overrides: list[str],
    checkpoint: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for split, start in (("train", 0), ("validation", 24), ("test", 36)):
        tiny.write_jsonl(tmp_path / "rows" / f"{split}.jsonl", make(24 if start == 0 else 12, start=start))
    file = tiny.recipe(tmp_path / "tiny.yaml", task, checkpoint(family), tmp_path / "rows", micro_batch=5)
    whole = workflow.finetune(file, *overrides, output=tmp_path / "whole")
    with monkeypatch.context() as patch:
        stop_at(patch, "step", 4)
        with pytest.raises(Interrupted):
            workflow.finetune(file, *overrides, output=tmp_path / "parts")
    parts = workflow.finetune(file, *overrides, output=tmp_path / "parts")
    assert results(whole.path) == results(parts.path)
    facts = [(run.model / "tunekit.json").read_bytes() for run in (whole, parts)]
    assert facts[0] == facts[1]
