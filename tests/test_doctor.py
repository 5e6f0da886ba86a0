"""`tunekit doctor`: it proves what is so, and sees what is not."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests import tiny
from tunekit import cli, doctor
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


# the machine


@pytest.fixture(scope="module")
def machine() -> dict[str, Any]:
    """What is found on this machine."""
    return doctor.examine()


def test_versions_devices_and_precision_are_told(machine: dict[str, Any]) -> None:
    assert {"python", "tunekit", "torch", "transformers"} <= machine["versions"].keys()
    assert machine["devices"][-1]["kind"] == "cpu"
    assert machine["precision"]["name"] in ("fp32", "bf16")


def test_the_speed_is_that_of_fp32_and_of_the_precision_of_training(machine: dict[str, Any]) -> None:
    assert set(machine["tflops"]) == {"fp32", machine["precision"]["name"]}
    assert all(rate > 0 for rate in machine["tflops"].values())


def test_caches_are_told_with_what_they_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tunekit.doctor.machine import cache_line, caches

    folder = tmp_path / "tunekit" / "encoded"
    folder.mkdir(parents=True)
    (folder / "rows.npy").write_bytes(bytes(1000))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = {cache["what"]: cache for cache in caches()}
    assert found["encoded rows"]["path"] == str(folder)
    assert found["encoded rows"]["bytes"] == 1000
    assert found["encoded rows"]["free"] > 0
    monkeypatch.setenv("TUNEKIT_CACHE", "0")
    (off,) = (cache for cache in caches() if cache["what"] == "encoded rows")
    assert cache_line(off) == "switched off (TUNEKIT_CACHE=0)"


def test_every_part_has_a_line(machine: dict[str, Any]) -> None:
    lines = doctor.described(machine)
    assert list(lines)[:3] == ["versions", "system", "device 0"]
    assert list(lines)[-1] == "Hub"
    assert lines["speed"].startswith(f"{machine['tflops']['fp32']:.3g} TFLOP/s in fp32")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--resume", "a", "--invariance", "b"], "--resume and --invariance are both given"),
        (["train.epochs=2"], "KEY=VALUE and --output are for --resume or --invariance"),
    ],
)
def test_words_that_do_not_go_together_are_refused(
    words: list[str], problem: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["tunekit", "doctor", *words])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2
    assert problem in capsys.readouterr().err


# the account

TOKEN = "hf_" + "abcdefgh" * 4
EXPIRED = "hf_" + "hgfedcba" * 4
WHO = {"name": "ada", "type": "user", "auth": {"accessToken": {"displayName": "laptop", "role": "write"}}}


class Hub(BaseHTTPRequestHandler):
    """Knows one account by its token."""

    def do_GET(self) -> None:
        known = self.path == "/api/whoami-v2" and self.headers["Authorization"] == f"Bearer {TOKEN}"
        body = json.dumps(WHO if known else {"error": "Invalid username or password."}).encode()
        self.send_response(200 if known else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    """The address of a Hub on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def accounts(hub: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What is said of the account in several surroundings, each in a process of its own."""
    script = "import json; from tunekit.doctor.account import account; print(json.dumps(account()))"
    home = tmp_path_factory.mktemp("home")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    plain = kept | {"HF_HOME": str(home), "HF_ENDPOINT": hub, "HF_HUB_DISABLE_TELEMETRY": "1"}
    surroundings = {
        "nobody": plain,
        "known": plain | {"HF_TOKEN": TOKEN},
        "expired": plain | {"HF_TOKEN": EXPIRED},
        "offline": plain | {"HF_TOKEN": TOKEN, "HF_HUB_OFFLINE": "1"},
        "cut off": plain | {"HF_TOKEN": TOKEN, "HF_ENDPOINT": "http://127.0.0.1:9"},
    }
    running = {
        name: subprocess.Popen([sys.executable, "-c", script], env=around, stdout=subprocess.PIPE, text=True)
        for name, around in surroundings.items()
    }
    return {name: json.loads(process.communicate()[0]) for name, process in running.items()}


def test_an_account_is_told_by_its_name_and_rights(accounts: dict[str, dict[str, Any]]) -> None:
    assert accounts["known"] == {
        "token": True,
        "user": "ada",
        "role": "write",
        "said": "logged in as ada (token of HF_TOKEN); it may read and write",
    }


def test_who_has_no_token_is_told_how_to_get_one(accounts: dict[str, dict[str, Any]]) -> None:
    assert accounts["nobody"]["token"] is False
    assert accounts["nobody"]["said"].endswith("set HF_TOKEN, or run hf auth login")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("expired", "but the Hub does not accept the token"),
        ("offline", "offline, so that the Hub was not asked whose"),
        ("cut off", "but the Hub cannot be reached"),
    ],
)
def test_what_cannot_be_found_out_is_said_and_no_failure(
    name: str, said: str, accounts: dict[str, dict[str, Any]]
) -> None:
    assert accounts[name]["user"] is None
    assert said in accounts[name]["said"]
    assert "\n" not in accounts[name]["said"]


def test_a_token_is_never_told(accounts: dict[str, dict[str, Any]]) -> None:
    assert "hf_" not in json.dumps(accounts)


# a step in pieces


@pytest.mark.parametrize(
    ("task", "family", "options"),
    [
        ("text-classification", "bert", ()),
        ("text-classification", "gpt2", ("task.kind=regression", "data.columns={value: number}")),
        ("text-classification", "bert", ("task.kind=multi-label", "data.columns={labels: list}")),
        ("token-classification", "bert", ()),
        ("question-answering", "bert", ()),
        ("summarization", "t5", ()),
        ("summarization", "gpt2", ()),
        ("image-classification", "swin", ()),
    ],
)
def test_a_step_is_the_same_in_pieces_and_the_trainer_is_shown_beside_it(
    task: str, family: str, options: tuple[str, ...], checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    make = tiny.DATA[task]
    rows = [{**row, "number": i / 7, "list": ["a", "b"][: i % 3]} for i, row in enumerate(make(24))]
    data = tiny.write_jsonl(tmp_path / "rows.jsonl", rows)
    file = tiny.recipe(tmp_path / "tiny.yaml", task, checkpoint(family), data)
    found = doctor.compare_cuts(recipes.load(file, options))
    assert found.arithmetic == "double"
    assert [cut.parts for cut in found.ours] == [1, 2, 4, 8]
    assert found.invariant
    assert [cut.parts for cut in found.trainer] == [1, 2, 4, 8], found.obstacle


def test_a_gradient_that_grows_is_seen() -> None:
    from tunekit.doctor.invariance import Cut, Cuts

    right = [Cut(1, 1.0, 0.0), Cut(8, 1.0, 1e-16)]
    found = Cuts(8, "double", right, [Cut(1, 1.0, 0.0), Cut(8, 8.0, 7.0)], "")
    assert found.invariant
    assert "the Trainer's gradient is 8.00 times as long in 8 pieces" in found.verdict
    wrong = Cuts(8, "double", [Cut(1, 1.0, 0.0), Cut(8, 1.1, 0.1)], right, "")
    assert not wrong.invariant
    assert "which is wrong: please report it" in wrong.verdict
    assert "so does the Trainer's" in wrong.verdict


def test_where_the_trainer_does_not_train_that_is_said() -> None:
    from tunekit.doctor.invariance import Cut, Cuts

    found = Cuts(8, "double", [Cut(1, 1.0, 0.0), Cut(2, 1.0, 0.0)], [], "ValueError: no loss")
    assert found.facts()["trainer"] is None
    assert found.verdict.endswith("The Trainer does not train this task: ValueError: no loss")
    assert found.table()[1][1] == ["2", "1.0000", "0.0e+00", "", ""]
