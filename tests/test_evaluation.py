"""Scores: from the raw rows, in order, every row once, in fp32, with the metrics asked for."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tests.building import make_task, rows_of
from tunekit import workflow
from tunekit.console import as_json
from tunekit.errors import InputError
from tunekit.evaluation import evaluate, load_module, metric
from tunekit.metrics import MEASURES
from tunekit.models import outputs
from tunekit.models.checkpoint import inspect
from tunekit.models.load import load_model
from tunekit.recipe import ModelSection
from tunekit.tasks.base import Task

TEXT = "text-classification"

OWN_METRIC = '''
import datasets
import evaluate


class Share(evaluate.Metric):
    """The share of predictions that are "positive"."""

    def _info(self):
        text = datasets.Value("string")
        features = datasets.Features({"predictions": text, "references": text})
        return evaluate.MetricInfo(description="", citation="", inputs_description="", features=features)

    def _compute(self, predictions, references):
        return {"positive_share": sum(p == "positive" for p in predictions) / len(predictions)}
'''


@pytest.fixture(scope="module")
def task(checkpoint: Callable[..., Path]) -> Task:
    """Text classification by a tiny BERT that reads 8 tokens."""
    return make_task(TEXT, checkpoint("bert"), ["negative", "positive"], max_length=8)


@pytest.fixture(scope="module")
def model(task: Task, checkpoint: Callable[..., Path]) -> Any:
    """The untrained model."""
    found = inspect(ModelSection(name=str(checkpoint("bert"))), type(task))
    return load_model(found, task, lambda _: None, attention=None, dropout=None)


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    """Rows of different lengths with their own ids."""
    return [row | {"place": str(i)} for i, row in enumerate(tiny.reviews(300))]


def test_predictions_are_in_the_order_of_the_rows_and_every_row_is_there_once(
    task: Task, model: Any, rows: list[dict[str, Any]]
) -> None:
    scores = evaluate(task, model, rows)
    assert rows_of(scores) == [row["id"] for row in rows]
    assert all(estimate.n == 300 for estimate in scores.metrics.values())


def test_rows_in_many_batches_are_answered_as_in_one(
    task: Task, model: Any, rows: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = evaluate(task, model, rows[:40])
    monkeypatch.setattr(outputs, "CPU_TOKENS", 32)
    parts = evaluate(task, model, rows[:40])
    assert rows_of(parts) == rows_of(whole)
    for before, after in zip(whole.predictions, parts.predictions, strict=True):
        assert before["prediction"]["probabilities"] == pytest.approx(
            after["prediction"]["probabilities"], abs=1e-5
        )


def test_the_model_is_left_in_the_mode_it_was_in(task: Task, model: Any, rows: list[dict[str, Any]]) -> None:
    for training in (True, False):
        model.train(training)
        evaluate(task, model, rows[:3])
        assert model.training is training


def test_texts_that_are_cut_are_counted(task: Task, model: Any, rows: list[dict[str, Any]]) -> None:
    long = [{**rows[0], "text": "good " * 50}]
    assert evaluate(task, model, [*rows[:2], *long]).truncated == 1 + sum(
        len(r["text"].split()) > 6 for r in rows[:2]
    )


def test_a_further_metric_is_reported_when_asked_for(
    task: Task, model: Any, rows: list[dict[str, Any]]
) -> None:
    assert "weighted_f1" not in evaluate(task, model, rows[:9]).metrics
    found = evaluate(task, model, rows[:9], further=["weighted_f1"]).metrics["weighted_f1"]
    assert found.low is not None


def test_a_metric_of_the_users_own_is_combined_with_the_tasks(
    tmp_path: Path, checkpoint: Callable[..., Path], data: Callable[[str], Path]
) -> None:
    own = tmp_path / "share.py"
    own.write_text(OWN_METRIC)
    file = tiny.recipe(tmp_path / "tiny.yaml", TEXT, checkpoint("gpt2"), data(TEXT))
    run = workflow.finetune(file, f"metrics=[{own}]", "train.best=positive_share", output=tmp_path / "run")
    score = run.metrics()["test"]["positive_share"]
    assert 0 <= score["value"] <= 1
    assert score["low"] is None
    assert "accuracy" in run.metrics()["test"]
    assert run.facts["best"]["metric"] == "positive_share"


def test_a_best_metric_that_nothing_computes_is_an_error_that_lists_those_there_are(
    tmp_path: Path, checkpoint: Callable[..., Path], data: Callable[[str], Path]
) -> None:
    own = tmp_path / "share.py"
    own.write_text(OWN_METRIC)
    file = tiny.recipe(tmp_path / "tiny.yaml", TEXT, checkpoint("gpt2"), data(TEXT))
    with pytest.raises(InputError, match="'shares' is no metric"):
        workflow.finetune(file, f"metrics=[{own}]", "train.best=shares", output=tmp_path / "run")


def test_a_file_without_a_metric_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.py").write_text("")
    with pytest.raises(InputError, match="defines 0 subclasses of evaluate.Metric"):
        load_module(tmp_path / "empty.py")


def test_an_unknown_measure_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match=f"there are {', '.join(MEASURES)}"):
        metric("bleu")


def test_a_file_of_the_current_folder_is_never_run_as_a_metric(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "classification").mkdir()
    (tmp_path / "classification" / "classification.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    assert metric("classification").compute(predictions=["a"], references=["a"])["accuracy"] == 1.0


def test_a_number_that_is_not_finite_is_null_in_json() -> None:
    document = {"value": float("nan"), "rows": [1.5, float("inf")]}
    assert json.loads(as_json(document)) == {"value": None, "rows": [1.5, None]}


def test_a_best_metric_is_refused_at_once_where_no_module_could_compute_it(
    tmp_path: Path, checkpoint: Callable[..., Path], data: Callable[[str], Path]
) -> None:
    file = tiny.recipe(tmp_path / "tiny.yaml", TEXT, checkpoint("bert"), data(TEXT))
    with pytest.raises(InputError, match="'acuracy' is no metric of text-classification"):
        workflow.finetune(file, "metrics=[mcc]", "train.best=acuracy", output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_metric_of_the_users_own_may_be_called_as_one_of_the_tasks(
    task: Task, model: Any, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    own = tmp_path / "again.py"
    own.write_text(OWN_METRIC.replace("positive_share", "accuracy"))
    found = evaluate(task, model, rows[:9], further=[str(own)]).metrics
    assert len([name for name in found if name.endswith("_accuracy")]) == 1
