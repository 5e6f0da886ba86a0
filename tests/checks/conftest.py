"""A tiny BERT that knows the words of the planted reviews, and checks of recipes with it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import tiny, tiny_models
from tests.checks import planting
from tunekit import examination
from tunekit.checks import Report

TASK = "text-classification"


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with a token for each word, and 128 positions."""
    from transformers import BertConfig, BertForMaskedLM, BertTokenizer

    letters = [piece for piece in tiny_models.wordpiece() if piece not in tiny_models.SPECIAL]
    pieces = dict.fromkeys([*tiny_models.SPECIAL, *planting.WORDS, *letters])
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    config = BertConfig(vocab_size=len(vocabulary), max_position_embeddings=128, **tiny_models.SIZES)
    tokenizer = BertTokenizer(vocab=vocabulary, model_max_length=128)
    return tiny_models.save(tmp_path_factory.mktemp("model"), BertForMaskedLM(config), tokenizer)


@pytest.fixture
def examine(model: Path, tmp_path: Path) -> Callable[..., Report]:
    """Check rows by split, or a folder of them, without a measured step."""

    def check(data: Any, *overrides: str, task: str = TASK, model: Path = model, **options: Any) -> Report:
        folder = data if isinstance(data, Path) else written(tmp_path / "data", data)
        file = tiny.recipe(tmp_path / "recipe.yaml", task, model, folder)
        return examination.examine(file, *overrides, step=False, **options)

    return check


def written(folder: Path, splits: dict[str, list[dict[str, Any]]]) -> Path:
    """A folder with a file for each split."""
    for split, rows in splits.items():
        tiny.write_jsonl(folder / f"{split}.jsonl", rows)
    return folder


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data without faults."""
    return written(tmp_path_factory.mktemp("clean"), planting.splits())


@pytest.fixture(scope="session")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, set[str]]]:
    """Data with planted faults, and these by kind."""
    rows, known = planting.planted()
    return written(tmp_path_factory.mktemp("faulty"), rows), known
