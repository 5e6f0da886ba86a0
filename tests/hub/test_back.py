"""What was pushed comes back by its name: it is scored, it answers, and others begin from it."""

import json
from pathlib import Path

import pytest

from tests import tiny
from tests.hub.pushed import BASE, ROWS, TUNED, Told, World, layout, together

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def told(world: World) -> dict[str, Told]:
    """What commands end with on a machine whose cache is empty."""
    rows = tiny.write_jsonl(world.folder / "rows.jsonl", tiny.reviews(5))
    other = tiny.write_jsonl(world.folder / "other.jsonl", tiny.reviews(9, start=100))
    world.hub.add_commit(TUNED, {"tunekit.json": b"{}"}, revision="broken")
    commands = {
        "evaluate": ["evaluate", TUNED, "--json"],
        "evaluate other": ["evaluate", TUNED, f"data={other}", "--json"],
        "predict": ["predict", f"{TUNED}@v1", "--input", rows],
        "predict run": ["predict", world.run, "--input", rows],
        "predict broken": ["predict", f"{TUNED}@broken", "--input", rows],
        "stream": ["predict", TUNED, "--input", f"{ROWS}:validation"],
        "stream usual": ["predict", TUNED, "--input", f"{ROWS}@main"],
        "stream nothing": ["predict", TUNED, "--input", f"{ROWS}:dev"],
        "begin": ["finetune", world.recipe, f"model={TUNED}@v1", "--dry-run"],
    }
    return together(world.client("reader"), commands)


def test_a_pushed_model_is_scored_by_its_own_recipe(world: World, told: dict[str, Told]) -> None:
    found = told["evaluate"].json()["metrics"]["test"]
    recorded = json.loads((world.run / "metrics.json").read_text())["test"]
    assert found == recorded


def test_a_pushed_model_is_scored_on_other_rows(told: dict[str, Told]) -> None:
    assert told["evaluate other"].json()["metrics"]["test"]["accuracy"]["n"] == 9


def test_scores_of_a_pushed_model_are_written_below_the_folder_where_it_was_called(
    world: World, told: dict[str, Told]
) -> None:
    place = Path(told["evaluate"].json()["run"])
    assert place.parts[:2] == ("evaluations", "tuned")
    assert (world.folder / "reader" / place / "predictions" / "test.jsonl").exists()


def test_a_pushed_model_answers_as_its_run_does(told: dict[str, Told]) -> None:
    assert len(told["predict"].lines()) == 5
    assert told["predict"].out == told["predict run"].out


def test_a_revision_is_the_one_that_is_named(told: dict[str, Told]) -> None:
    assert told["predict broken"].code == 2
    assert "tunekit.json is damaged" in told["predict broken"].err


def test_nothing_that_could_run_is_fetched(world: World, told: dict[str, Told]) -> None:
    assert told["predict"].code == 0
    names = {path.name for path in (world.folder / "reader" / "hub").rglob("*")}
    assert "model.safetensors" in names
    assert not names & {"payload.py", "optimizer.pt", "pytorch_model.bin", "tf_model.h5"}


def test_rows_of_the_hub_are_answered_as_they_come(told: dict[str, Told]) -> None:
    wanted = [row["id"] for row in tiny.reviews(12, start=48)]
    assert [row["id"] for row in told["stream"].lines()] == wanted


def test_without_a_split_the_test_rows_are_answered(told: dict[str, Told]) -> None:
    assert told["stream usual"].lines()[0]["id"] == "r60"


def test_a_split_that_a_data_set_lacks_is_told_those_it_has(told: dict[str, Told]) -> None:
    assert told["stream nothing"].code == 2
    assert "has no split 'dev'" in told["stream nothing"].err
    assert "train, validation, test" in told["stream nothing"].err


def test_a_run_may_begin_from_a_revision_of_a_pushed_model(told: dict[str, Told]) -> None:
    assert told["begin"].code == 0, told["begin"].err
    assert f"  name: {TUNED}\n  revision: v1\n" in told["begin"].err


def test_a_run_records_the_commits_that_it_was_made_from(world: World) -> None:
    facts = json.loads((world.run / "run.json").read_text())
    assert facts["checkpoint"]["commit"] == world.hub.commits(BASE)[0].oid
    assert facts["data"]["commit"] == world.hub.commits(ROWS, kind="dataset")[0].oid


def test_the_lock_of_a_run_tells_no_path_and_no_command(world: World) -> None:
    lock = world.hub.files(TUNED)["reproduce.json"].decode()
    assert str(world.folder) not in lock
    assert sorted(json.loads(lock)) == [
        "checkpoint",
        "data",
        "format",
        "hardware",
        "seed",
        "steps",
        "versions",
        "windows",
    ]


def test_what_is_pushed_names_no_place_here(world: World) -> None:
    files = layout(world.run)
    assert [name for name, content in files.items() if str(world.folder).encode() in content] == []


def test_the_token_goes_to_the_hub_and_not_to_where_large_files_are(
    world: World, told: dict[str, Told]
) -> None:
    large = [each for each in world.hub.log if each.headers["host"] == world.hub.storage_host]
    assert told["predict"].code == 0
    assert large
    assert not [each for each in large if "authorization" in each.headers]
