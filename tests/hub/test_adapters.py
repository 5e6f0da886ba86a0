"""An adapter goes to the Hub alone, and answers there on the base model that it names."""

import json
from pathlib import Path

import pytest

from tests import tiny
from tests.hub.pushed import BASE, Told, World, together

pytestmark = pytest.mark.slow
ALONE = "ada/alone"


@pytest.fixture(scope="module")
def told(world: World) -> dict[str, Told]:
    """What commands end with that make an adapter, push it, and use it with an empty cache."""
    run, rows = world.folder / "adapted", tiny.write_jsonl(world.folder / "few.jsonl", tiny.reviews(3))
    made = together(
        world.maker,
        {
            "finetune": ["finetune", world.recipe, "adapter=lora", "train.steps=4", "--output", run],
            "merged": ["predict", run, "--input", rows],
            "push": ["push", run / "adapter", ALONE, "--json"],
        },
    )
    used = together(
        world.client("another"),
        {
            "predict": ["predict", ALONE, "--input", rows],
            "twice": ["predict", ALONE, "--adapter", f"{ALONE}@main", "--input", rows],
            "evaluate": ["evaluate", ALONE, "--json"],
        },
    )
    return made | used


def test_only_the_adapter_and_what_tells_of_it_is_pushed(told: dict[str, Told]) -> None:
    names = set(told["push"].json()["files"])
    assert {"adapter_config.json", "adapter_model.safetensors", "tunekit.json", "README.md"} <= names
    assert {"recipe.yaml", "metrics.json", "reproduce.json"} <= names
    assert not names & {"model.safetensors", "config.json"}


def test_its_configuration_names_base_and_commit(world: World, told: dict[str, Told]) -> None:
    assert told["finetune"].code == 0, told["finetune"].err
    config = json.loads((world.folder / "adapted" / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == BASE
    assert config["revision"] == world.hub.repo(BASE).branches["main"].oid


def test_a_pushed_adapter_answers_as_the_merged_model(told: dict[str, Told]) -> None:
    merged, alone = told["merged"].lines(), told["predict"].lines()
    for one, other in zip(merged, alone, strict=True):
        assert one["prediction"]["label"] == other["prediction"]["label"]
        assert one["prediction"]["probabilities"] == pytest.approx(
            other["prediction"]["probabilities"], abs=1e-5
        )


def test_several_pushed_adapters_answer_in_turn(told: dict[str, Told]) -> None:
    assert [line["adapter"] for line in told["twice"].lines()] == [ALONE, f"{ALONE}@main"] * 3


def test_a_pushed_adapter_is_scored_by_its_own_recipe(world: World, told: dict[str, Told]) -> None:
    recorded = json.loads((world.folder / "adapted" / "metrics.json").read_text())["test"]["accuracy"]
    assert told["evaluate"].json()["metrics"]["test"]["accuracy"]["value"] == recorded["value"]


def test_an_adapter_for_a_path_is_refused_when_it_comes_from_the_hub(world: World, tmp_path: Path) -> None:
    folder = world.folder / "adapted" / "adapter"
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    config = json.loads(files["adapter_config.json"]) | {"base_model_name_or_path": "/etc"}
    files["adapter_config.json"] = json.dumps(config).encode()
    world.hub.add_repo("ada/reaching", files)
    rows = tiny.write_jsonl(tmp_path / "rows.jsonl", tiny.reviews(1))
    found = together(world.client("another"), {"predict": ["predict", "ada/reaching", "--input", rows]})
    assert found["predict"].code == 2
    assert "which is no model of the Hub" in found["predict"].err
