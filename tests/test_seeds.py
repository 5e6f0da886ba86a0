"""Several seeds of one recipe: the same rows, different luck, one summary."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from tests import tiny
from tunekit import seeds, workflow
from tunekit.errors import InputError
from tunekit.models.finetuned import find_folder
from tunekit.recipe import load
from tunekit.run import Run

SEEDS = (3, 4, 5)


@pytest.fixture(scope="module")
def recipe(
    checkpoint: Callable[..., Path], data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A recipe of a few steps for three runs, whose validation split is cut from the training rows."""
    folder, task = tmp_path_factory.mktemp("recipe"), "text-classification"
    return tiny.recipe(
        folder / "tiny.yaml",
        task,
        checkpoint("bert"),
        data(task) / "train.jsonl",
        epochs=1,
        seed=SEEDS[0],
        seeds=len(SEEDS),
    )


@pytest.fixture(scope="module")
def made(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> seeds.Seeds:
    """Its finished runs."""
    return seeds.finetune_seeds(recipe, output=tmp_path_factory.mktemp("out") / "runs")


@pytest.fixture(scope="module")
def runs(made: seeds.Seeds) -> list[Run]:
    """The runs, as they are on disk."""
    return [Run(made.path / f"seed-{seed}") for seed in SEEDS]


def test_every_seed_has_a_finished_run_of_its_own(runs: list[Run]) -> None:
    assert [run.status for run in runs] == ["finished"] * len(SEEDS)
    assert [run.facts["seed"] for run in runs] == list(SEEDS)


def test_all_are_trained_and_judged_on_the_same_rows(runs: list[Run]) -> None:
    assert len({json.dumps(run.facts["data"]["splits"]) for run in runs}) == 1


def test_the_runs_differ(runs: list[Run]) -> None:
    assert len({(run.model / "model.safetensors").read_bytes() for run in runs}) == len(SEEDS)


def test_mean_spread_and_interval_are_those_of_the_runs(made: seeds.Seeds, runs: list[Run]) -> None:
    values = [run.metrics()["validation"]["macro_f1"]["value"] for run in runs]
    found = made.metrics["validation"]["macro_f1"]
    error = stats.sem(values)
    low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), error) if error else [values[0]] * 2
    assert found.values == values
    assert (found.mean, found.spread) == pytest.approx((np.mean(values), np.std(values, ddof=1)))
    assert (found.low, found.high) == pytest.approx((low, high))


def test_the_best_is_the_first_of_those_with_the_highest_validation_score(
    made: seeds.Seeds, runs: list[Run]
) -> None:
    values = [run.facts["best"]["value"] for run in runs]
    assert made.best == SEEDS[values.index(max(values))]


def test_the_summary_is_on_disk(made: seeds.Seeds) -> None:
    assert json.loads((made.path / "seeds.json").read_text()) == made.facts()


def test_the_same_call_makes_nothing_again(recipe: Path, made: seeds.Seeds, runs: list[Run]) -> None:
    before = [(run.path / "run.json").stat().st_mtime_ns for run in runs]
    again = seeds.finetune_seeds(recipe, output=made.path)
    assert again == made
    assert [(run.path / "run.json").stat().st_mtime_ns for run in runs] == before


def test_the_first_run_is_what_one_run_with_its_seed_and_rows_is(
    recipe: Path, runs: list[Run], tmp_path: Path
) -> None:
    one = workflow.finetune(recipe, "train.seeds=1", f"data.seed={SEEDS[0]}", output=tmp_path / "one")
    weights = [run.model / "model.safetensors" for run in (one, runs[0])]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_a_single_run_of_several_seeds_is_refused(recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="finetune_seeds"):
        workflow.finetune(recipe, output=tmp_path / "run")


def test_several_runs_of_one_seed_are_refused(recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="train.seeds is 1, and this makes several runs"):
        seeds.finetune_seeds(recipe, "train.seeds=1", output=tmp_path / "one")
    assert not (tmp_path / "one").exists()


def test_the_folder_is_no_model_and_says_which_run_is_the_best(made: seeds.Seeds) -> None:
    with pytest.raises(InputError, match=f"seed-{made.best}"):
        find_folder(made.path)


def test_a_folder_that_holds_something_else_is_refused(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="no folder of several seeds"):
        seeds.finetune_seeds(recipe, output=tmp_path)


def test_one_run_cannot_be_continued_as_several(recipe: Path, made: seeds.Seeds) -> None:
    with pytest.raises(InputError, match="several"):
        seeds.finetune_seeds(load(recipe), resume=str(made.best_run))


def test_equal_scores_have_no_spread() -> None:
    found = seeds.spread([0.5, 0.5])
    assert (found.mean, found.spread, found.low, found.high) == (0.5, 0.0, 0.5, 0.5)
    assert not math.isnan(found.low)
