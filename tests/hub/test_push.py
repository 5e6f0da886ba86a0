"""A finished run goes to the Hub in one commit, whatever happens on the way."""

import hashlib
import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard

from tests import tiny
from tests.hub.clients import READING, TOKEN, Client, with_accounts
from tests.hub.server import Hub
from tunekit import workflow
from tunekit.console import as_json

CARD_AND_DATA = {"README.md", "recipe.yaml", "metrics.json", "reproduce.json"}
TWICE, LOST = 2, 1
COMMIT = "/commit/"
PUSHES: dict[str, dict[str, Any]] = {
    "unavailable": {"repo": "ada/unavailable"},
    "limited": {"repo": "ada/limited"},
    "lost": {"repo": "ada/lost"},
    "proposed": {"repo": "ada/proposed", "create_pr": True},
    "proposed and lost": {"repo": "ada/proposed-lost", "create_pr": True},
    "on a branch": {"repo": "ada/branch", "revision": "second"},
    "silent": {"repo": "ada/silent"},
    "failing": {"repo": "ada/failing"},
    "spoiled": {"repo": "ada/spoiled"},
    "public": {"repo": "ada/public"},
    "for all": {"repo": "ada/public", "public": True},
    "new for all": {"repo": "ada/shown", "public": True},
    "older": {"repo": "ada/older"},
    "foreign": {"repo": "bob/model"},
    "organization": {"repo": "org/model"},
    "wrong name": {"repo": "ada/two words"},
    "changed": {"repo": "ada/changed"},
}


@pytest.fixture(scope="module")
def finished(
    checkpoint: Callable[..., Path],
    data: Callable[[str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A finished run."""
    folder = tmp_path_factory.mktemp("finished")
    task = "text-classification"
    recipe = tiny.recipe(folder / "recipe.yaml", task, checkpoint("bert"), data(task), steps=4)
    return workflow.finetune(recipe, output=folder / "run").path


def plan(hub: Hub) -> None:
    """Plan what goes wrong, by the name of the repository."""
    hub.fault("POST", f"ada/unavailable{COMMIT}", TWICE, 503)
    hub.fault("POST", f"ada/limited{COMMIT}", LOST, 429, headers={"Retry-After": "0"})
    hub.fault("POST", f"ada/lost{COMMIT}", LOST, "drop", after_body=True)
    hub.fault("POST", f"ada/proposed-lost{COMMIT}", LOST, "drop", after_body=True)
    hub.fault("POST", f"ada/silent{COMMIT}", 99, "stall")
    hub.fault("POST", f"ada/failing{COMMIT}", 99, 500)
    hub.add_repo("ada/public", {"notes.txt": b"mine"})
    hub.add_repo(
        "ada/older",
        {
            "tunekit.json": b"{}",
            "model-00001-of-00002.safetensors": b"1",
            "notes.txt": b"mine",
            "vocab.old": b"a",
        },
        private=True,
    )
    hub.fault("POST", f"ada/changed{COMMIT}", LOST, 412)


def outcomes(client: Client, run: Path, cases: dict[str, Any]) -> dict[str, Any]:
    """What pushes of a run come to, in one process."""
    variables = {"TUNEKIT_HUB_TIMEOUT": "1", "CASES": json.dumps(cases)}
    told: dict[str, Any] = client.run("-m", "tests.hub.drivers.pushing", str(run), variables=variables).json()
    return told


@pytest.fixture(scope="module")
def pushed(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hub, dict[str, Any]]]:
    """A Hub, and what pushes of one run to it came to."""
    with Hub() as hub:
        plan(with_accounts(hub))
        pushes = {name: case for name, case in PUSHES.items() if name != "spoiled"}
        told = outcomes(Client(hub, tmp_path_factory.mktemp("home")), finished, pushes)
        hub.corrupt_lfs(known=False)
        spoiled = Client(hub, tmp_path_factory.mktemp("home"))  # it does not know of what was fetched before
        told |= outcomes(spoiled, finished, {"spoiled": PUSHES["spoiled"]})
        yield hub, told


def test_a_push_that_fails_for_a_while_arrives(pushed: tuple[Hub, dict[str, Any]]) -> None:
    hub, told = pushed
    assert told["unavailable"]["commit"] == hub.commits("ada/unavailable")[0].oid


def test_a_push_waits_as_the_hub_asks(pushed: tuple[Hub, dict[str, Any]]) -> None:
    hub, told = pushed
    assert told["limited"]["commit"] == hub.commits("ada/limited")[0].oid


def test_a_lost_reply_makes_no_second_commit(pushed: tuple[Hub, dict[str, Any]]) -> None:
    hub, told = pushed
    assert told["lost"]["commit"] == hub.commits("ada/lost")[0].oid
    assert len(hub.requests("POST", f"ada/lost{COMMIT}")) == 1


def test_a_run_arrives_in_one_commit(pushed: tuple[Hub, dict[str, Any]]) -> None:
    hub, _ = pushed
    assert len(hub.commits("ada/lost")) == 2  # with the one that made the repository


def test_a_lost_reply_makes_no_second_proposal(pushed: tuple[Hub, dict[str, Any]]) -> None:
    hub, told = pushed
    assert told["proposed and lost"]["pull_request"].endswith("/discussions/1")
    assert len(hub.requests("POST", f"ada/proposed-lost{COMMIT}")) == 1


def test_a_proposal_leaves_main_as_it_is(pushed: tuple[Hub, dict[str, Any]]) -> None:
    hub, told = pushed
    assert set(hub.files("ada/proposed")) == {".gitattributes"}
    assert "tunekit.json" in hub.files("ada/proposed", "refs/pr/1")
    assert told["proposed"]["pull_request"].endswith("/discussions/1")


def test_a_run_can_go_to_a_branch(pushed: tuple[Hub, dict[str, Any]]) -> None:
    hub, _ = pushed
    assert "tunekit.json" in hub.files("ada/branch", "second")
    assert "tunekit.json" not in hub.files("ada/branch")


def test_a_silent_hub_is_given_up(pushed: tuple[Hub, dict[str, Any]]) -> None:
    _, told = pushed
    assert told["silent"]["code"] == 3
    assert "did not answer" in told["silent"]["text"]


def test_a_failed_push_tells_the_command_that_continues_it(
    pushed: tuple[Hub, dict[str, Any]], finished: Path
) -> None:
    _, told = pushed
    assert told["failing"]["code"] == 3
    assert f"tunekit push {finished} ada/failing" in told["failing"]["text"]


def test_weights_that_changed_on_the_way_are_found(pushed: tuple[Hub, dict[str, Any]]) -> None:
    _, told = pushed
    assert "other bytes of model.safetensors" in told["spoiled"]["text"]


def test_a_private_run_does_not_go_to_a_public_repository(pushed: tuple[Hub, dict[str, Any]]) -> None:
    _, told = pushed
    assert told["public"]["code"] == 2
    assert "--public" in told["public"]["text"]


def test_a_public_push_keeps_files_of_others(pushed: tuple[Hub, dict[str, Any]]) -> None:
    hub, told = pushed
    assert told["for all"]["commit"]
    assert hub.files("ada/public")["notes.txt"] == b"mine"


def test_repositories_are_private_unless_asked_for(pushed: tuple[Hub, dict[str, Any]]) -> None:
    hub, _ = pushed
    assert hub.repo("ada/lost").private
    assert not hub.repo("ada/shown").private


def test_files_of_an_earlier_push_go_with_the_new_one(pushed: tuple[Hub, dict[str, Any]]) -> None:
    hub, _ = pushed
    files = hub.files("ada/older")
    assert "model-00001-of-00002.safetensors" not in files
    assert files["notes.txt"] == b"mine"


def test_another_account_is_refused(pushed: tuple[Hub, dict[str, Any]]) -> None:
    _, told = pushed
    assert told["foreign"]["code"] == 3
    assert "ada/model" in told["foreign"]["text"]


def test_an_organization_of_the_account_is_not(pushed: tuple[Hub, dict[str, Any]]) -> None:
    hub, _ = pushed
    assert "tunekit.json" in hub.files("org/model")


def test_a_name_that_no_repository_has_is_refused(pushed: tuple[Hub, dict[str, Any]]) -> None:
    _, told = pushed
    assert told["wrong name"]["code"] == 2


def test_a_repository_that_changed_meanwhile_is_left_alone(pushed: tuple[Hub, dict[str, Any]]) -> None:
    _, told = pushed
    assert told["changed"]["code"] == 3
    assert "has changed" in told["changed"]["text"]


def test_only_listed_files_leave_the_machine(pushed: tuple[Hub, dict[str, Any]], finished: Path) -> None:
    hub, _ = pushed
    model = {path.name for path in (finished / "model").iterdir()}
    assert set(hub.files("ada/lost")) == {".gitattributes", *CARD_AND_DATA, *model}


def test_the_weights_are_those_of_the_run(pushed: tuple[Hub, dict[str, Any]], finished: Path) -> None:
    hub, _ = pushed
    there = hub.files("ada/lost")["model.safetensors"]
    wanted = (finished / "model" / "model.safetensors").read_bytes()
    assert hashlib.sha256(there).digest() == hashlib.sha256(wanted).digest()


def test_nothing_sent_tells_of_this_machine(pushed: tuple[Hub, dict[str, Any]], finished: Path) -> None:
    hub, _ = pushed
    texts = [
        content
        for path, content in hub.files("ada/lost").items()
        if not path.endswith((".safetensors", "tokenizer.json"))
    ]
    for secret in (str(finished.parent), str(Path.home()) + "/", socket.gethostname(), str(os.getcwd())):
        assert not [text for text in texts if secret.encode() in text]


def test_no_byte_sent_holds_the_token(pushed: tuple[Hub, dict[str, Any]], finished: Path) -> None:
    hub, _ = pushed
    assert len(hub.log) > 100
    assert not [request for request in hub.log if TOKEN.encode() in request.body or TOKEN in request.path]


def test_no_file_of_a_run_holds_the_token(pushed: tuple[Hub, dict[str, Any]], finished: Path) -> None:
    files = [path for path in finished.rglob("*") if path.is_file()]
    assert not [path for path in files if TOKEN.encode() in path.read_bytes()]


def test_the_card_is_for_the_repository(pushed: tuple[Hub, dict[str, Any]]) -> None:
    hub, _ = pushed
    card = ModelCard(hub.files("ada/lost")["README.md"].decode())
    assert "ada/lost" in card.text
    assert card.data.eval_results


def test_the_recipe_is_one(pushed: tuple[Hub, dict[str, Any]]) -> None:
    hub, _ = pushed
    assert yaml.safe_load(hub.files("ada/lost")["recipe.yaml"])["task"]["name"] == "text-classification"


def test_a_dry_run_lists_files_and_reaches_nobody(client: Client, hub: Hub, finished: Path) -> None:
    told = client.tunekit("push", str(finished), "ada/new", "--dry-run", "--json").json()
    assert told["files"]["model.safetensors"] == (finished / "model" / "model.safetensors").stat().st_size
    assert not hub.log


def test_a_token_that_can_only_read_is_refused_before_training(
    hub: Hub, tmp_path: Path, checkpoint: Callable[..., Path], data: Callable[[str], Path]
) -> None:
    recipe = tiny.recipe(
        tmp_path / "r.yaml", "text-classification", checkpoint("bert"), data("text-classification"), steps=4
    )
    client = Client(hub, tmp_path, READING)
    ended = client.tunekit("finetune", str(recipe), "--push", "ada/new", "--output", str(tmp_path / "run"))
    assert ended.code == 3
    assert "can only read" in ended.err
    assert not (tmp_path / "run").exists()


def test_a_push_that_fails_leaves_the_run_finished(
    hub: Hub, client: Client, tmp_path: Path, checkpoint: Callable[..., Path], data: Callable[[str], Path]
) -> None:
    recipe = tiny.recipe(
        tmp_path / "r.yaml", "text-classification", checkpoint("bert"), data("text-classification"), steps=4
    )
    hub.fault("POST", "repos/create", 99, 500)
    run = tmp_path / "run"
    ended = client.tunekit("finetune", str(recipe), "--push", "ada/new", "--output", str(run))
    assert ended.code == 3
    assert f"tunekit push {run} ada/new" in ended.err
    assert json.loads((run / "run.json").read_text())["status"] == "finished"


def test_a_pushed_model_answers_elsewhere_as_here(
    hub: Hub, client: Client, finished: Path, tmp_path: Path
) -> None:
    recipe, rows = finished.parent / "recipe.yaml", tmp_path / "rows.txt"
    rows.write_text("the film was great\nwas poor\n")
    ended = client.tunekit("finetune", str(recipe), "--push", "ada/again", "--output", str(finished))
    assert ended.code == 0, ended.err
    elsewhere = Client(hub, tmp_path / "elsewhere")
    elsewhere.home.mkdir()
    answered = elsewhere.tunekit("predict", "ada/again", "--input", str(rows))
    assert [json.loads(line) for line in answered.out.splitlines()] == [
        json.loads(as_json(row)) for row in workflow.predict(finished, str(rows))
    ]
