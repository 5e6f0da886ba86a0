"""A finished run is made again from what was recorded, and each metric is inside its interval or not."""

import json

import pytest

from tests import tiny
from tests.hub.pushed import TUNED, Told, World, copied, layout, together

pytestmark = pytest.mark.slow


def changed(content: bytes, *path: str, to: object) -> bytes:
    """A JSON file with one value changed."""
    document = json.loads(content)
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = to
    return json.dumps(document).encode()


def prepare(world: World) -> None:
    """Push models whose record differs from what comes out."""
    files = layout(world.run)
    scores, lock = files["metrics.json"], files["reproduce.json"]
    better = {"value": 2.0, "low": 1.9, "high": 2.1, "n": 12}
    world.offer("ada/boasting", {"metrics.json": changed(scores, "test", "accuracy", to=better)})
    world.offer(
        "ada/moved", {"reproduce.json": changed(lock, "data", "splits", "test", "sha256", to="0" * 64)}
    )
    world.offer("ada/older", {"reproduce.json": changed(lock, "versions", "torch", to="1.0")})
    world.offer("ada/bare", {"reproduce.json": None, "recipe.yaml": None})
    world.offer("ada/torn", {"reproduce.json": b'{"versions": 1}'})
    text = files["recipe.yaml"].decode()
    world.offer("ada/elsewhere", {"recipe.yaml": text.replace("path: ada/reviews", "path: rows").encode()})


@pytest.fixture(scope="module")
def told(world: World) -> dict[str, Told]:
    """What every reproduction ends with, on a machine whose cache is empty."""
    prepare(world)
    rows = tiny.dataset(world.folder / "here", "text-classification")
    others = tiny.dataset(world.folder / "others", "text-classification", train=40, others=10)
    again = copied(world.run, world.folder / "copied")
    score = ["--evaluate-only", "--json"]
    commands = {
        "train": ["reproduce", TUNED, "--json"],
        "train once more": ["reproduce", TUNED],
        "score": ["reproduce", TUNED, *score, "--output", "scored"],
        "run": ["reproduce", again, *score],
        "run itself": ["reproduce", again, "--output", again],
        "boasting": ["reproduce", "ada/boasting", "--evaluate-only"],
        "moved": ["reproduce", "ada/moved", *score],
        "older": ["reproduce", "ada/older", *score],
        "bare": ["reproduce", "ada/bare"],
        "torn": ["reproduce", "ada/torn"],
        "elsewhere": ["reproduce", "ada/elsewhere", *score],
        "elsewhere, trained": ["reproduce", "ada/elsewhere"],
        "elsewhere, found": ["reproduce", "ada/elsewhere", f"data={rows}", *score],
        "elsewhere, others": ["reproduce", "ada/elsewhere", f"data={others}", *score],
        "evaluate elsewhere": ["evaluate", "ada/elsewhere"],
    }
    return together(world.client("reproducing"), commands)


def verdicts(told: Told) -> dict[str, bool]:
    """Whether each metric is inside its interval."""
    return {f"{each['split']} {each['metric']}": each["inside"] for each in told.json()["metrics"]}


def test_a_pushed_model_is_trained_again_with_the_same_scores(world: World, told: dict[str, Told]) -> None:
    assert told["train"].code == 0, told["train"].err
    recorded = json.loads((world.run / "metrics.json").read_text())
    assert set(verdicts(told["train"])) == {
        f"{s} {name}" for s, scores in recorded.items() for name in scores
    }
    assert all(each["now"] == each["value"] for each in told["train"].json()["metrics"])


def test_the_base_model_is_that_of_the_recorded_commit(world: World, told: dict[str, Told]) -> None:
    run = world.folder / "reproducing" / told["train"].json()["run"]
    assert json.loads((run / "run.json").read_text())["identity"]["model"]["revision"] == (
        world.hub.commits("ada/base")[0].oid
    )


def test_a_finished_reproduction_is_not_made_twice(told: dict[str, Told]) -> None:
    assert told["train once more"].code == 0
    assert "is already finished" in told["train once more"].err


def test_the_table_says_for_every_metric_where_it_lies(told: dict[str, Told]) -> None:
    lines = told["train once more"].out.splitlines()
    assert lines[0].split()[:2] == ["metric", "recorded"]
    assert all(line.endswith("inside") for line in lines[1:-1])
    assert "metrics are inside their intervals" in lines[-1]


@pytest.mark.parametrize("case", ["score", "run"])
def test_a_model_is_scored_again_with_the_same_scores(told: dict[str, Told], case: str) -> None:
    assert told[case].code == 0, told[case].err
    assert all(verdicts(told[case]).values())


def test_scores_made_again_are_written_to_a_folder_of_their_own(world: World, told: dict[str, Told]) -> None:
    assert told["score"].json()["run"] == "scored"
    assert (world.folder / "reproducing" / "scored" / "predictions" / "validation.jsonl").exists()


def test_a_run_is_not_made_again_in_its_own_folder(told: dict[str, Told]) -> None:
    assert told["run itself"].code == 2
    assert "is the run that is made again; give another folder" in told["run itself"].err


def test_a_metric_outside_its_interval_is_named_and_the_exit_code_is_1(told: dict[str, Told]) -> None:
    assert told["boasting"].code == 1
    (line,) = [line for line in told["boasting"].out.splitlines() if line.startswith("test accuracy ")]
    assert line.split()[2:6] == ["2.0000", "1.9000", "to", "2.1000"]
    assert line.endswith("outside")


def test_rows_that_have_changed_are_refused_with_what_differs(told: dict[str, Told]) -> None:
    assert told["moved"].code == 2
    assert "test: 12 rows with fingerprint 000000000000 in the run, 12 with " in told["moved"].err
    assert "give data=PATH to use others all the same" in told["moved"].err


def test_versions_that_differ_are_told_and_it_goes_on(told: dict[str, Told]) -> None:
    assert told["older"].code == 0
    assert "warning: versions differ from those of the run: torch 1.0 -> " in told["older"].err


def test_a_model_without_a_recipe_cannot_be_made_again(told: dict[str, Told]) -> None:
    assert told["bare"].code == 2
    assert "has no recipe.yaml and reproduce.json" in told["bare"].err


def test_a_damaged_lock_is_the_inputs_fault(told: dict[str, Told]) -> None:
    assert told["torn"].code == 2
    assert " ada/torn/reproduce.json lacks what a finished run records" in told["torn"].err


@pytest.mark.parametrize("case", ["elsewhere", "elsewhere, trained", "evaluate elsewhere"])
def test_data_that_was_a_file_must_be_given(told: dict[str, Told], case: str) -> None:
    assert told[case].code == 2
    said = (
        "ada/elsewhere/recipe.yaml:14: data.path 'rows' was on the machine of whoever made the recipe; give"
    )
    assert said in told[case].err


def test_data_that_was_a_file_is_taken_from_where_the_user_has_it(told: dict[str, Told]) -> None:
    assert told["elsewhere, found"].code == 0, told["elsewhere, found"].err
    assert "other rows" not in told["elsewhere, found"].err


def test_other_rows_that_the_user_gives_are_used_and_warned_of(told: dict[str, Told]) -> None:
    assert "warning: other rows than the run's: test: 12 rows" in told["elsewhere, others"].err
    assert told["elsewhere, others"].json()["metrics"][0]["now"] is not None
