"""What rows hold comes out as text; pages are small; what cannot be written is said."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tunekit import recipe as recipes
from tunekit import workflow
from tunekit.console import as_json
from tunekit.data.load import load
from tunekit.errors import EnvironmentFailure
from tunekit.models.finetuned import load_task
from tunekit.report import write_report
from tunekit.report.page import run_page
from tunekit.report.subject import Subject
from tunekit.run import Run

RunOf = Callable[[str], Run]
TASK = "text-classification"
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>{{ 7 * 7 }}"


def subject_of(run: Run) -> Subject:
    """What the report of a run is about."""
    recipe = recipes.load(run.path / "recipe.yaml")
    _, task = load_task(run.model)
    rows = load(recipe.data, type(task), task.options, recipe.train.seed, task.processor).splits
    return Subject(run, recipe, task, rows)


@pytest.fixture
def subject(run_of: RunOf, tmp_path: Path) -> Subject:
    """A run that a test may change."""
    return subject_of(Run(shutil.copytree(run_of(TASK).path, tmp_path / "run")))


def answered(subject: Subject, split: str, count: int, label: str, text: str) -> Subject:
    """The same with other rows in a split, all of them answered wrong."""
    rows = [{"id": n, "text": text, "label": label, "place": f"{HOSTILE}:{n}"} for n in range(count)]
    others = {"positive": 0.75, "negative": 0.25}
    predictions: list[dict[str, Any]] = [
        {
            "id": n,
            "prediction": {"label": "positive", "probabilities": others},
            "reference": label,
            "scores": {"fp/positive": 1.0, f"fn/{label}": 1.0},
            "tokens": n % 40,
        }
        for n in range(count)
    ]
    file = subject.run.path / "predictions" / f"{split}.jsonl"
    file.write_text("".join(as_json(row) + "\n" for row in predictions))
    return replace(subject, splits={**subject.splits, split: rows})


def test_nothing_that_rows_hold_becomes_a_part_of_the_page(subject: Subject) -> None:
    text = run_page(answered(subject, "validation", 60, "negative", HOSTILE))
    assert "<script" not in text and "<img src=x" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "{{ 7 * 7 }}" in text


def test_the_page_stays_small_however_large_the_data_are(subject: Subject) -> None:
    text = run_page(answered(subject, "validation", 400, "negative", "word " * 20_000))
    assert len(text.encode()) < 2_000_000


def test_the_same_run_gives_the_same_page(subject: Subject) -> None:
    assert run_page(subject) == run_page(replace(subject))


def test_predictions_of_other_rows_are_not_shown_beside_these(subject: Subject) -> None:
    fewer = replace(subject, splits={**subject.splits, "validation": subject.splits["validation"][:5]})
    assert list(fewer.scored) == ["test"]


def test_mistakes_are_shown_of_validation_rows_and_scores_told_of_test_rows(subject: Subject) -> None:
    assert subject.told is subject.scored["test"]
    assert subject.shown is subject.scored["validation"]


def test_a_run_without_scored_rows_has_a_page_too(subject: Subject) -> None:
    (subject.run.path / "metrics.json").unlink()
    assert "Nothing was scored" in run_page(subject)


def test_a_row_of_test_that_train_has_too_is_named(subject: Subject) -> None:
    leaked = {**subject.splits["train"][0], "id": "leaked"}
    text = run_page(replace(subject, splits={**subject.splits, "test": [leaked]}))
    assert "rows of test that are in train too: 1" in text
    assert "test leaked" in text


def test_a_report_that_cannot_be_written_says_so_and_the_run_is_whole(subject: Subject) -> None:
    file = subject.run.path / "report.html"
    file.unlink()
    file.mkdir()
    with pytest.raises(EnvironmentFailure, match="the run is finished and whole") as caught:
        write_report(subject.run, subject.recipe, subject.task, subject.splits)
    assert caught.value.exit_code == 3
    assert subject.run.status == "finished"


def test_scores_of_other_data_have_a_report_too(run_of: RunOf, tmp_path: Path) -> None:
    rows = tiny.write_jsonl(tmp_path / "new.jsonl", tiny.reviews(8, start=200))
    folder, _ = workflow.evaluate(run_of(TASK).path, f"data={rows}", output=tmp_path / "scores")
    assert "new.jsonl" in (folder / "report.html").read_text()


ANSWERS = {
    "multi-label": ({"labels": ["a"], "probabilities": {"a": 0.9, "b": 0.2}}, ["b"]),
    "regression": ({"value": 1.5}, 4.0),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_answers_of_other_forms_are_shown_beside_the_right_ones(kind: str, subject: Subject) -> None:
    answer, right = ANSWERS[kind]
    task = type(subject.task)(type(subject.task.options)(kind=kind), None, ["a", "b"])
    rows = [{"id": n, "text": f"row {n}", task.form.role: right} for n in range(8)]  # type: ignore[attr-defined]
    scores = task.statistics([answer] * 8, [right] * 8)
    found = [
        {"id": n, "prediction": answer, "reference": right, "scores": each} for n, each in enumerate(scores)
    ]
    file = subject.run.path / "predictions" / "validation.jsonl"
    file.write_text("".join(as_json(row) + "\n" for row in found))
    text = run_page(replace(subject, task=task, splits={"validation": rows}))
    assert "Worst examples" in text
    assert "row 7" in text
