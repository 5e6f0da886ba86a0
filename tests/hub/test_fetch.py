"""`tunekit fetch` puts all that a recipe needs into the cache, and says what it got."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import tiny
from tests.hub.pushed import BASE, ROWS, World, together

pytestmark = pytest.mark.slow


def files(world: World, of: str) -> dict[str, dict[str, object]]:
    """The files that were listed of a repository, by name."""
    listed = world.made["fetch"].json()["files"]
    return {each["file"]: each for each in listed if each["of"].startswith(of)}


def test_the_checkpoint_is_fetched_with_its_weights_tokenizer_and_card(world: World) -> None:
    assert set(files(world, f"model {BASE} at ")) >= {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "README.md",
    }


def test_weights_of_other_frameworks_are_not_fetched(world: World) -> None:
    assert "tf_model.h5" not in files(world, "model ")


def test_the_files_of_the_data_set_are_fetched(world: World) -> None:
    found = files(world, f"data set {ROWS} at ")
    assert set(found) >= {"train.jsonl", "validation.jsonl", "test.jsonl"}


def test_every_file_is_listed_with_its_size_and_as_fetched(world: World) -> None:
    held = world.hub.files(BASE)
    found = files(world, "model ")
    assert {name: each["bytes"] for name, each in found.items()} == {name: len(held[name]) for name in found}
    assert not any(each["was_there"] for each in found.values())


def test_what_is_there_already_is_not_fetched_again(world: World) -> None:
    said = world.made["fetch again"].out
    assert "was there" in said
    assert "fetched" not in said
    asked = world.hub.requests("GET", rf"^/{BASE}/resolve/.*/model\.safetensors")
    assert len(asked) <= 1


def test_vectors_of_a_checkpoint_of_the_hub_are_pooled_as_it_says(
    world: World, checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    files = {path.name: path.read_bytes() for path in checkpoint("bert").iterdir()}
    parts = [("", "Transformer"), ("1_Pooling", "Pooling")]
    modules = [{"path": path, "type": f"sentence_transformers.models.{kind}"} for path, kind in parts]
    pooling = {"word_embedding_dimension": 32, "pooling_mode_cls_token": True}
    said = {
        "modules.json": json.dumps(modules).encode(),
        "1_Pooling/config.json": json.dumps(pooling).encode(),
    }
    world.hub.add_repo("ada/vectors", files | said)
    rows = tiny.write_jsonl(tmp_path / "rows.jsonl", [{"text": "the film was fine"}])
    words = ["embed", "ada/vectors", "--input", rows, "--output", tmp_path / "vectors.npy", "--json"]
    told = together(world.client("reader"), {"embed": words})
    assert told["embed"].json()["pooling"] == "cls"
