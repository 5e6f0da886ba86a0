"""The same seed gives the same weights, log and scores, however batches are prepared."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import tiny
from tests.test_resume import results
from tunekit import workflow

TASK = "token-classification"


@pytest.fixture
def recipe(checkpoint: Callable[..., Path], data: Callable[[str], Path], tmp_path: Path) -> Path:
    """A recipe with dropout, whose last batch is smaller."""
    return tiny.recipe(tmp_path / "tiny.yaml", TASK, checkpoint("bert"), data(TASK), batch_size=7)


def test_the_same_seed_gives_the_same_run(recipe: Path, tmp_path: Path) -> None:
    one, two = (workflow.finetune(recipe, output=tmp_path / name) for name in ("one", "two"))
    assert results(one.path) == results(two.path)


def test_the_number_of_workers_changes_nothing(recipe: Path, tmp_path: Path) -> None:
    none = workflow.finetune(recipe, output=tmp_path / "none")
    two = workflow.finetune(recipe, "data.workers=2", output=tmp_path / "two")
    assert results(none.path) == results(two.path)


def test_another_seed_gives_another_run(recipe: Path, tmp_path: Path) -> None:
    one = workflow.finetune(recipe, output=tmp_path / "one")
    two = workflow.finetune(recipe, "train.seed=1", output=tmp_path / "two")
    assert results(one.path) != results(two.path)
