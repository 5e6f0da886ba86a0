"""Without a network nothing is missed, and nothing is sent that nobody asked for."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests import tiny
from tests.security.conftest import TASK, Watch
from tunekit.environment import SETTINGS

Used = dict[str, list[str]]


@pytest.mark.slow
def test_12_the_watch_sees_what_is_tried(watch: Watch) -> None:
    done = watch.run("evaluate", "nobody/nothing")
    assert done.returncode == 3
    assert any("huggingface.co" in line for line in watch.tried())


@pytest.mark.slow
@pytest.mark.parametrize("command", ["finetune", "evaluate", "predict"])
def test_12_offline_opens_no_connection(used: Used, command: str) -> None:
    assert used[f"{command} --offline"] == []


@pytest.mark.slow
@pytest.mark.parametrize("way", ["option", "variable"])
def test_12_offline_opens_no_connection_even_for_what_is_on_the_hub(watch: Watch, way: str) -> None:
    options, variables = (["--offline"], {}) if way == "option" else ([], {"HF_HUB_OFFLINE": "1"})
    done = watch.run("evaluate", "nobody/nothing", *options, **variables)
    assert done.returncode == 3
    assert watch.tried() == []


@pytest.mark.slow
@pytest.mark.parametrize("command", ["finetune", "evaluate", "predict"])
def test_12_what_is_local_needs_no_connection(used: Used, command: str) -> None:
    assert used[command] == []


@pytest.fixture
def hub() -> Iterator[tuple[str, list[str]]]:
    """The address of a Hub that has nothing, and the paths that it was asked for."""
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_HEAD = do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.slow
def test_13_the_hub_is_asked_for_what_the_recipe_names_and_for_nothing_else(
    hub: tuple[str, list[str]], watch: Watch
) -> None:
    address, asked = hub
    file = tiny.recipe(watch.folder / "hub.yaml", TASK, "ada/model", "ada/rows", steps=1)  # type: ignore[arg-type]
    (watch.folder / "open").mkdir()
    done = watch.run("finetune", file, PYTHONPATH=str(watch.folder / "open"), HF_ENDPOINT=address)
    assert done.returncode in (2, 3), done.stderr
    assert asked
    assert [path for path in asked if "ada/model" not in path and "ada/rows" not in path] == []


def test_13_telemetry_is_turned_off() -> None:
    assert SETTINGS["HF_HUB_DISABLE_TELEMETRY"] == "1"


def test_13_the_setting_comes_before_the_libraries_read_it() -> None:
    script = "from tunekit.cli import begin; begin(as_json=False); import huggingface_hub.constants as c; "
    script += "print(c.HF_HUB_DISABLE_TELEMETRY)"
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout == "True\n"
