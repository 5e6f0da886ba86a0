"""The loopback Hub over plain connections: parts of files, redirects, faults, and being really down."""

import hashlib
import http.client
import json
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.hub.clients import TOKEN, Client
from tests.hub.server import Hub


def ask(
    hub: Hub, path: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Ask a Hub over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=30)
    if headers.get("Host") != hub.storage_host:
        headers.setdefault("Authorization", f"Bearer {TOKEN}")
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def send(hub: Hub, repo: str, content: bytes) -> str:
    """Send a large file as clients do; its sha256."""
    oid = hashlib.sha256(content).hexdigest()
    wanted = json.dumps({"objects": [{"oid": oid, "size": len(content)}]}).encode()
    place = json.loads(ask(hub, f"/{repo}.git/info/lfs/objects/batch", "POST", wanted)[2])["objects"][0]
    upload, verify = (urlsplit(place["actions"][name]["href"]).path for name in ("upload", "verify"))
    assert ask(hub, upload, "PUT", content, Host=hub.storage_host)[0] == 200
    assert ask(hub, verify, "POST")[0] == 200
    return oid


@pytest.mark.parametrize(
    ("wanted", "status", "found"),
    [
        ("bytes=2-4", 206, b"234"),
        ("bytes=7-", 206, b"789"),
        ("bytes=-3", 206, b"789"),
        ("bytes=10-", 416, None),
    ],
)
def test_a_part_of_a_file_is_given(hub: Hub, wanted: str, status: int, found: bytes | None) -> None:
    hub.add_repo("ada/digits", {"a.txt": b"0123456789"})
    told = ask(hub, "/ada/digits/resolve/main/a.txt", Range=wanted)
    assert told[0] == status and told[1]["content-range"].endswith("/10")
    assert found is None or told[2] == found


def test_a_large_file_is_elsewhere_and_the_answer_says_what_it_is(hub: Hub) -> None:
    hub.add_repo("ada/large", {"a.bin": b"12345"})
    status, headers, _ = ask(hub, "/ada/large/resolve/main/a.bin", "HEAD")
    assert (status, headers["x-linked-size"]) == (302, "5")
    assert headers["location"].startswith(f"http://{hub.storage_host}/")
    assert headers["x-linked-etag"] == f'"{hashlib.sha256(b"12345").hexdigest()}"'
    assert headers["x-repo-commit"] == hub.commits("ada/large")[0].oid


def test_the_storage_refuses_a_token(hub: Hub) -> None:
    assert ask(hub, "/" + "0" * 32, Host=hub.storage_host, Authorization="Bearer x")[0] == 400


def test_a_name_of_one_part_leads_to_its_owner(hub: Hub) -> None:
    hub.add_repo("bert", {"config.json": b"{}"})
    hub.rename("bert", "google/bert")
    assert ask(hub, "/api/models/bert")[0] == 307
    assert (
        ask(hub, "/bert/resolve/main/config.json")[1]["location"] == "/google/bert/resolve/main/config.json"
    )


def test_noise_is_answered(hub: Hub) -> None:
    assert ask(hub, "/api/agent-harnesses")[2] == b'{"standardEnvVars": [], "harnesses": {}}'
    assert ask(hub, "/api/telemetry/anything", "HEAD")[0] == 200
    assert ask(hub, "/api/models/ada/x/xet-write-token/main")[0] == 404


def test_a_body_may_come_in_chunks(hub: Hub) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=30)
    connection.request("POST", "/api/telemetry/x", body=iter([b"one", b"two"]), encode_chunked=True)
    connection.getresponse().read()
    connection.close()
    assert hub.log[-1].body == b"onetwo"


def test_a_stopped_hub_cuts_what_is_open_and_comes_back_on_its_port(hub: Hub) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=30)
    connection.request("GET", "/api/agent-harnesses")
    connection.getresponse().read()
    hub.stop()
    with pytest.raises((ConnectionError, http.client.BadStatusLine)):
        connection.request("GET", "/api/agent-harnesses")
        connection.getresponse()
    connection.close()
    with pytest.raises(ConnectionRefusedError):
        ask(hub, "/api/agent-harnesses")
    hub.start_again()
    assert ask(hub, "/api/agent-harnesses")[0] == 200


def test_a_stalled_request_ends_when_the_hub_stops(hub: Hub) -> None:
    hub.fault("GET", "/api/whoami-v2", 1, "stall")
    seen: list[type[Exception]] = []

    def wait() -> None:
        try:
            ask(hub, "/api/whoami-v2")
        except (ConnectionError, http.client.HTTPException) as error:
            seen.append(type(error))

    thread = threading.Thread(target=wait)
    thread.start()
    while not hub.log:
        time.sleep(0.001)
    hub.stop()
    thread.join()
    assert seen == [http.client.RemoteDisconnected]


@pytest.mark.parametrize("known", [True, False])
def test_a_spoiled_file_is_accepted_and_the_hub_may_know_it(hub: Hub, known: bool) -> None:
    hub.add_repo("ada/spoiled", {})
    hub.corrupt_lfs(known=known)
    oid = send(hub, "ada/spoiled", b"12345")
    held = hub.repo("ada/spoiled").objects[oid]
    assert held.content == b"12344"
    assert (held.sha256 == oid) is not known


def test_while_a_hub_is_down_a_client_has_its_cache_alone(hub: Hub, client: Client) -> None:
    fetch = "import huggingface_hub as h; print(open(h.hf_hub_download('ada/words', {!r})).read())"
    hub.add_repo("ada/words", {"a.txt": b"first", "b.txt": b"second"})
    assert client.python(fetch.format("a.txt")).out == "first\n"
    hub.stop()
    assert client.python(fetch.format("a.txt")).out == "first\n"
    hub.start_again()
    assert client.python(fetch.format("b.txt")).out == "second\n"


def test_a_process_knows_this_hub_alone(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    monkeypatch.setenv("HF_HUB_CACHE", "/elsewhere")
    monkeypatch.setenv("https_proxy", "http://elsewhere")
    found = hub.environment(tmp_path)
    assert not {"HF_TOKEN", "HF_HUB_CACHE", "https_proxy", "HF_HUB_OFFLINE"} & found.keys()
    assert (found["HF_ENDPOINT"], found["HF_HOME"]) == (hub.url, str(tmp_path))
    assert found["PATH"] and hub.environment(tmp_path, TOKEN)["HF_TOKEN"] == TOKEN


def test_the_command_line_runs_in_a_process_of_its_own(client: Client) -> None:
    ended = client.tunekit("no-such-command")
    assert ended.code == 2
    assert "no-such-command" in ended.err


def test_a_bug_of_the_hub_fails_the_test_that_met_it() -> None:
    with pytest.raises(AssertionError, match="KeyError"), Hub() as hub:
        hub.add_account("ada", TOKEN)
        assert ask(hub, "/api/repos/create", "POST", b"{}")[0] == 500
