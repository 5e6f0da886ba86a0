"""`tunekit doctor --resume`: it proves what is so, and sees what is not."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import tiny
from tunekit import doctor
from tunekit import recipe as recipes
from tunekit.errors import InputError

TASK = "text-classification"


@pytest.fixture(scope="module")
def recipe(
    checkpoint: Callable[..., Path], data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A tiny recipe."""
    folder = tmp_path_factory.mktemp("doctor")
    return tiny.recipe(folder / "tiny.yaml", TASK, checkpoint("bert"), data(TASK))


@pytest.fixture(scope="module")
def proven(recipe: Path) -> tuple[dict[str, object], Path]:
    """What the command prints, and the runs that it kept."""
    kept = recipe.parent / "kept"
    command = [sys.executable, "-m", "tunekit", "doctor", "--resume", str(recipe), "--json"]
    done = subprocess.run([*command, "--output", str(kept)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), kept


def test_a_recipe_is_killed_twice_and_exact(proven: tuple[dict[str, object], Path]) -> None:
    document, _ = proven
    assert document["exact"] is True
    assert len(document["resumed_at"]) == 2  # type: ignore[arg-type]


def test_each_continuation_begins_later(proven: tuple[dict[str, object], Path]) -> None:
    first, second = proven[0]["resumed_at"]  # type: ignore[misc]
    assert 0 < first < second


def test_weights_log_scores_answers_and_optimizer_are_compared(
    proven: tuple[dict[str, object], Path],
) -> None:
    files: dict[str, bool] = proven[0]["files"]  # type: ignore[assignment]
    wanted = {"model/model.safetensors", "log.jsonl", "metrics.json", "predictions/test.jsonl"}
    assert wanted < files.keys()
    assert any(name.endswith("optimizer.safetensors") for name in files)


def test_one_other_byte_is_seen(proven: tuple[dict[str, object], Path], tmp_path: Path) -> None:
    whole, parts = (shutil.copytree(proven[1] / name, tmp_path / name) for name in ("whole", "parts"))
    with (parts / "log.jsonl").open("a") as file:
        file.write("\n")
    assert [name for name, equal in doctor.compare(whole, parts).items() if not equal] == ["log.jsonl"]


def test_a_missing_file_is_seen(proven: tuple[dict[str, object], Path], tmp_path: Path) -> None:
    whole, parts = (shutil.copytree(proven[1] / name, tmp_path / name) for name in ("whole", "parts"))
    (parts / "metrics.json").unlink()
    assert not doctor.compare(whole, parts)["metrics.json"]


def test_runs_that_were_not_killed_prove_nothing() -> None:
    assert not doctor.Proof({"log.jsonl": True}, [], "cpu").exact


def test_the_trial_is_short_whatever_the_recipe(recipe: Path) -> None:
    long = recipes.load(str(recipe), ["train.epochs=1000", "data.limit={train: 9}"])
    short = doctor.shortened(long)
    assert (short.train.steps, short.train.epochs) == (doctor.STEPS, None)
    assert (short.data.limit or {})["train"] == 9


def test_a_folder_that_is_in_use_is_refused(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    with pytest.raises(InputError, match="not an empty folder"):
        doctor.prove_resume(recipes.load(str(recipe)), tmp_path)


def test_a_run_that_began_anew_each_time_proves_nothing() -> None:
    assert not doctor.RESUMED.findall("training on 1 x cpu in fp32\nstep 12/12\n")


def test_what_is_wrong_with_the_recipe_is_said(recipe: Path) -> None:
    with pytest.raises(InputError, match="no column"):
        doctor.prove_resume(recipes.load(str(recipe), ["data.columns={text: absent}"]))
