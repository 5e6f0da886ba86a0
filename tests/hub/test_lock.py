"""The lock of a run holds what may be known to anybody, and nothing else; it is held against what is here."""

from pathlib import Path
from typing import Any

import pytest

from tunekit.errors import InputError
from tunekit.hub.lock import LOCK, Lock, Score, drift, lock_of, other_rows, public_facts, scores_of
from tunekit.hub.reproducing import Original, inside, judge
from tunekit.recipe import load
from tunekit.run import Run

ROWS = {"rows": 3, "sha256": "ab" * 32}
FACTS: dict[str, Any] = {
    "command": "tunekit finetune /home/ada/secret.yaml",
    "versions": {"python": "3.11.7", "torch": "2.11.0"},
    "hardware": {"device": "cpu", "cpu": "A CPU", "threads": 2, "host": "adas-laptop", "precision": "bf16"},
    "seed": 7,
    "data": {
        "splits": {"train": ROWS, "test": ROWS},
        "columns": {"text": "text"},
        "skipped": ["/home/ada/train.csv:3: text is empty"],
        "corrected": [],
    },
    "windows": {"train": {"windows": 3, "tokens": 9}},
    "checkpoint": {"name": "/home/ada/bert", "commit": None, "sha256": {"model.safetensors": "cd" * 32}},
    "identity": {"data": {"path": "/home/ada/train.csv"}},
    "steps": 12,
}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = Run(tmp_path)
    made.record(**FACTS)
    return made


def test_nothing_that_is_not_declared_leaves_a_run(run: Run) -> None:
    found = str(public_facts(run))
    assert "ada" not in found
    assert "command" not in found


def test_what_scores_rest_on_is_there(run: Run) -> None:
    found = public_facts(run)
    assert (found["seed"], found["steps"], found["versions"]) == (7, 12, FACTS["versions"])
    assert found["data"] == {"splits": FACTS["data"]["splits"], "skipped": 1, "corrected": 0}
    assert found["checkpoint"] == {"name": "bert", "sha256": {"model.safetensors": "cd" * 32}}
    assert found["hardware"]["precision"] == "bf16"


def test_a_name_of_the_hub_stays_whole(run: Run) -> None:
    run.record(checkpoint={"name": "ada/bert", "commit": "0" * 40, "sha256": {}})
    assert public_facts(run)["checkpoint"] == {"name": "ada/bert", "commit": "0" * 40, "sha256": {}}


def test_a_run_that_has_not_got_so_far_has_no_lock(tmp_path: Path) -> None:
    begun = Run(tmp_path)
    begun.record(status="running")
    with pytest.raises(InputError, match="lacks what a finished run records"):
        public_facts(begun)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"versions": {}}', "[" * 10**5])
def test_a_lock_that_is_none_is_the_inputs_fault(tmp_path: Path, content: str) -> None:
    (tmp_path / LOCK).write_text(content)
    with pytest.raises(InputError, match=LOCK):
        lock_of(Path("ada/model"), tmp_path)


@pytest.mark.parametrize("content", ["[]", '{"test": 1}', '{"test": {"f1": {"value": "high"}}}'])
def test_scores_that_are_none_are_the_inputs_fault(tmp_path: Path, content: str) -> None:
    (tmp_path / "metrics.json").write_text(content)
    with pytest.raises(InputError, match="metrics"):
        scores_of(Path("ada/model"), tmp_path)


def test_versions_that_differ_are_listed() -> None:
    now = {"python": "3.11.7", "torch": "2.13.0", "numpy": "2.4"}
    assert list(drift(Lock.model_validate(FACTS), now)) == ["torch 2.11.0 -> 2.13.0", "numpy none -> 2.4"]


def test_splits_that_differ_are_listed() -> None:
    now = {"train": ROWS, "test": {"rows": 2, "sha256": "ef" * 32}}
    assert list(other_rows(Lock.model_validate(FACTS), now, ["train", "test"])) == [
        "test: 3 rows with fingerprint abababababab in the run, 2 with efefefefefef here"
    ]


def test_a_split_that_is_gone_is_listed() -> None:
    assert list(other_rows(Lock.model_validate(FACTS), {}, ["test"])) == [
        "test: the run had 3 rows, and there are none here"
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.5, True), (0.4, True), (0.6, True), (0.39, False), (0.61, False), (None, False)],
)
def test_a_value_is_inside_or_outside(value: float | None, expected: bool) -> None:
    assert inside(Score(value=0.5, low=0.4, high=0.6), value) is expected


@pytest.mark.parametrize(("value", "expected"), [(0.5, True), (0.5 + 1e-9, True), (0.51, False)])
def test_a_metric_without_an_interval_must_come_out_equal(value: float, expected: bool) -> None:
    assert inside(Score(value=0.5), value) is expected


def test_a_metric_that_is_no_longer_there_is_outside() -> None:
    (verdict,) = judge({"test": {"f1": Score(value=0.5)}}, {"test": {}})
    assert not verdict.inside


@pytest.mark.parametrize("override", ["data.workers=2", "model.attention=eager"])
def test_what_names_no_other_model_or_data_leaves_the_commits(override: str, tmp_path: Path) -> None:
    file = tmp_path / "r.yaml"
    file.write_text("task: text-classification\nmodel: a/b\ndata: c/d\n")
    facts = FACTS | {
        "data": FACTS["data"] | {"commit": "d" * 40},
        "checkpoint": {"name": "a/b", "commit": "c" * 40},
    }
    lock = Lock.model_validate(facts)
    found = Original(tmp_path, tmp_path, lock, {}).pinned(load(file, [override]), [override])
    assert (found.model.revision, found.data.revision) == ("c" * 40, "d" * 40)
