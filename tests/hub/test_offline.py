"""Without a network: what was fetched is used, what is missing is listed at once, and no socket is opened."""

from pathlib import Path

import pytest

from tests import tiny
from tests.hub.pushed import BASE, ROWS, TUNED, TWICE, Told, World, together
from tests.security.conftest import WATCH

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def watched(world: World) -> tuple[dict[str, Told], Path]:
    """What commands end with that may not connect to anything, and what they tried."""
    folder = world.folder / "watched"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(WATCH)
    rows = tiny.write_jsonl(folder / "rows.jsonl", tiny.reviews(3))
    world.hub.stop()
    commands = {
        "fetch": ["fetch", world.recipe, "--offline"],
        "finetune": ["finetune", world.recipe, "--output", folder / "run", "--offline"],
        "evaluate": ["evaluate", world.run, "--offline", "--output", folder / "scores", "--json"],
        "predict": ["predict", world.run, "--input", rows, "--offline"],
        "lacking both": ["finetune", world.recipe, "model=ada/none", "data=ada/nothing", "--offline"],
        "fetch lacking both": ["fetch", world.recipe, "model=ada/none", "data=ada/nothing", "--offline"],
        "lacking a revision": ["fetch", world.recipe, f"data={ROWS}@v9", "--offline"],
        "new rows": ["fetch", world.recipe, f"data={TWICE}", "--offline"],
        "old rows": ["fetch", world.recipe, f"data={TWICE}@v1", "--offline"],
        "lacking a model": ["evaluate", TUNED, "--offline"],
        "reproduce": ["reproduce", world.run, "--evaluate-only", "--offline", "--output", folder / "again"],
    }
    try:
        told = together(world.maker, commands, PYTHONPATH=str(folder), WATCH=str(folder / "notes.txt"))
    finally:
        world.hub.start_again()
    return told, folder


@pytest.mark.parametrize("command", ["new rows", "fetch", "finetune", "evaluate", "predict", "reproduce"])
def test_what_was_fetched_is_enough(watched: tuple[dict[str, Told], Path], command: str) -> None:
    assert watched[0][command].code == 0, watched[0][command].err


def test_no_socket_is_opened(watched: tuple[dict[str, Told], Path]) -> None:
    assert not (watched[1] / "notes.txt").exists()


def test_an_offline_run_ends_with_the_same_scores(
    world: World, watched: tuple[dict[str, Told], Path]
) -> None:
    assert watched[0]["finetune"].code == 0
    assert (watched[1] / "run" / "metrics.json").read_bytes() == (world.run / "metrics.json").read_bytes()


@pytest.mark.parametrize("command", ["lacking both", "fetch lacking both"])
def test_all_that_is_missing_is_listed_at_once(watched: tuple[dict[str, Told], Path], command: str) -> None:
    told = watched[0][command]
    assert told.code == 3
    assert "model 'ada/none' (no folder here) is not in the cache, and --offline" in told.err
    assert "data set 'ada/nothing' (no file or folder here) is not in the cache, and --offline" in told.err


def test_a_model_that_is_missing_is_told_how_to_get_it(watched: tuple[dict[str, Told], Path]) -> None:
    told = watched[0]["lacking a model"]
    assert told.code == 3
    assert "tunekit fetch RECIPE" in told.err


def test_another_revision_than_the_one_that_was_fetched_is_missing(
    watched: tuple[dict[str, Told], Path],
) -> None:
    told = watched[0]["lacking a revision"]
    assert told.code == 3
    assert f"data set '{ROWS}' (no file or folder here) at revision 'v9' is not in the cache" in told.err


def test_rows_of_another_commit_never_stand_in_for_those_that_are_named(
    world: World, watched: tuple[dict[str, Told], Path]
) -> None:
    told, commit = watched[0]["old rows"], world.hub.repo(TWICE, "dataset").tags["v1"].oid
    assert world.made["fetch old rows"].code == 0, world.made["fetch old rows"].err
    assert told.code == 3
    assert f"data set '{TWICE}' at commit {commit[:8]} is not in the cache" in told.err


@pytest.fixture(scope="module")
def down(world: World) -> dict[str, Told]:
    """What commands end with while nothing listens where the Hub should be."""
    world.hub.stop()
    commands = {
        "fetch": ["fetch", world.recipe],
        "predict": ["predict", "ada/none"],
        "no data": ["fetch", world.recipe, "data=ada/nothing"],
    }
    try:
        return together(world.maker, commands, TUNEKIT_HUB_TIMEOUT="2")
    finally:
        world.hub.start_again()


def test_while_the_hub_is_down_the_cache_is_used_and_that_is_said(
    world: World, down: dict[str, Told]
) -> None:
    assert down["fetch"].code == 0, down["fetch"].err
    for thing, repo, kind in (("model", BASE, "model"), ("data set", ROWS, "dataset")):
        commit = world.hub.commits(repo, kind=kind)[0].oid[:8]
        assert f"warning: the Hub cannot be reached for {thing} '{repo}'" in down["fetch"].err
        assert f"Going on with commit {commit}, which is in the cache" in down["fetch"].err


@pytest.mark.parametrize("command", ["predict", "no data"])
def test_while_the_hub_is_down_what_is_not_in_the_cache_cannot_be_had(
    down: dict[str, Told], command: str
) -> None:
    assert down[command].code == 3
    assert "the Hub cannot be reached for" in down[command].err
    assert "Traceback" not in down[command].err
