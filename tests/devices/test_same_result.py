"""One, two and four processes, with whole models and with shared ones, train and answer alike."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.building import difference
from tests.devices.conftest import CELLS, STEPS, Recipes, Runs, job
from tests.devices.driver import do
from tunekit import checkpoint as checkpoints
from tunekit.proof import same

LIMIT = 1e-5  # relative difference of weights after 20 steps in fp32
TASK = "text-classification"
UNFELT = {  # a softmax over places does not feel them: AdamW makes steps of what rounding leaves
    "question-answering": {"qa_outputs.bias", "bert.encoder.layer.1.output.LayerNorm.bias"}
}
WAYS = [f"{task} 2 {shard}" for task in CELLS for shard in ("off", "full")]
OF_FOUR = [f"{TASK} 4 off", *(f"{task} 4 full" for task in CELLS)]
CONTINUED = ["2 full then 2 full", "2 off then 2 off", "1 off then 2 full"]


def last(run: Path, file: str = "model") -> dict[str, Any]:
    """The tensors of a run's last checkpoint."""
    saved = checkpoints.at_step(run / "checkpoints", STEPS)
    assert checkpoints.damage(saved) is None
    return saved.tensors(file)


def apart(run: Path, other: Path, task: str) -> float:
    """The relative difference of the weights that two runs end with."""
    unfelt = UNFELT.get(task, set())
    one, two = ({k: v for k, v in last(each).items() if k not in unfelt} for each in (run, other))
    return difference(one, two)


def check_alike(run: Path, alone: Path, task: str) -> None:
    """Weights, scores and predictions of two runs are the same up to rounding."""
    assert apart(run, alone, task) < LIMIT
    found, wanted = (json.loads((each / "metrics.json").read_text()) for each in (run, alone))
    assert same(found, wanted)
    for split in ("validation", "test"):
        texts = [(each / "predictions" / f"{split}.jsonl").read_text() for each in (run, alone)]
        got, right = ([json.loads(line) for line in text.splitlines()] for text in texts)
        assert len(got) == 13
        assert same(got, right)


@pytest.mark.parametrize("way", WAYS)
def test_two_processes_train_and_answer_as_one(way: str, two: Runs, alone: Runs) -> None:
    task = way.split()[0]
    check_alike(two[way], alone[f"{task} 1 off"], task)


@pytest.mark.slow
@pytest.mark.parametrize("way", OF_FOUR)
def test_four_processes_train_and_answer_as_one(way: str, four: Runs, alone: Runs) -> None:
    task = way.split()[0]
    check_alike(four[way], alone[f"{task} 1 off"], task)


@pytest.mark.parametrize("way", CONTINUED)
def test_a_run_that_is_continued_on_two_ends_as_without_a_break(way: str, two: Runs, alone: Runs) -> None:
    before, _ = way.split(" then ")
    check_alike(two[f"{TASK} {way}"], (two | alone)[f"{TASK} {before}"], TASK)


@pytest.mark.parametrize("way", ["2 full then 2 full", "2 off then 2 off"])
def test_on_as_many_processes_it_ends_with_the_same_bytes(way: str, two: Runs) -> None:
    run, whole = two[f"{TASK} {way}"], two[f"{TASK} {way.split(' then ')[0]}"]
    for file in ("model", "optimizer"):
        one, other = last(run, file), last(whole, file)
        assert one.keys() == other.keys()
        assert all(one[name].equal(other[name]) for name in one)
    for name in ("log.jsonl", "metrics.json", "predictions/test.jsonl", "model/model.safetensors"):
        assert (run / name).read_bytes() == (whole / name).read_bytes()


def test_a_checkpoint_in_parts_of_two_continues_on_one(
    recipes: Recipes, two: Runs, alone: Runs, tmp_path: Path
) -> None:
    do(job(recipes, TASK, tmp_path / "run", "off", two[f"{TASK} 2 full"]))
    check_alike(tmp_path / "run", alone[f"{TASK} 1 off"], TASK)


@pytest.mark.slow
def test_a_checkpoint_in_parts_of_two_continues_on_four(two: Runs, four: Runs) -> None:
    check_alike(four[f"{TASK} 2 full then 4 full"], two[f"{TASK} 2 full"], TASK)
