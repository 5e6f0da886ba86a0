"""huggingface_hub, unmodified, finds in the loopback Hub what it finds in the real one."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.hub.clients import READING, Seen, driven, with_accounts
from tests.hub.drivers.files import FILES, LARGE, SMALL
from tests.hub.server import Hub


@pytest.fixture(scope="module")
def written(folder: Callable[[str], Path]) -> Iterator[Seen]:
    """A Hub that huggingface_hub has written to, with large files in parts of 64 KiB."""
    with Hub(multipart_over=2**16) as hub:
        yield with_accounts(hub), driven(hub, folder("writing"), "writing")


@pytest.fixture(scope="module")
def refused(folder: Callable[[str], Path]) -> Iterator[Seen]:
    """A Hub that refuses much and fails as planned."""
    with Hub() as hub:
        with_accounts(hub)
        plan(hub)
        yield hub, driven(hub, folder("errors"), "errors", READING_TOKEN=READING)


def plan(hub: Hub) -> None:
    """Fill a Hub with what may not be seen, and plan faults."""
    words = {"a.txt": b"words"}
    hub.add_repo("bob/public", words)
    hub.add_repo("bob/private", words, private=True)
    hub.add_repo("bob/gated", words, gated=True)
    hub.add_repo("bob/granted", words, gated=True).granted.add("ada")
    for name in ("mine", "limited", "unavailable", "dropped", "lost", "silent", "repeated"):
        hub.add_repo(f"ada/{name}", {})
    hub.add_repo("ada/resumed", {"a.bin": bytes(range(256)) * 100})
    hub.fault("GET", "/ada/limited", 1, 429, headers={"Retry-After": "7"})
    hub.fault("POST", "/ada/unavailable/commit/", 1, 503)
    hub.fault("GET", "/ada/dropped", 1, "drop")
    hub.fault("POST", "/ada/lost/commit/", 1, "drop", after_body=True)
    hub.fault("GET", "/ada/silent", 1, "stall")
    hub.fault("POST", "/ada/repeated/preupload/", 1, "drop")
    hub.fault("PUT", "^/[0-9a-f]{32}$", 1, 503)
    hub.fault("GET", "^/[0-9a-f]{32}$", 1, "cut")


def test_a_new_repository_has_an_address_and_is_as_private_as_wanted(written: Seen) -> None:
    hub, told = written
    assert told["url"] == f"{hub.url}/ada/first" == told["allowed again"]
    assert told["info"]["private"] is True
    assert hub.repo("ada/first").private


def test_a_taken_name_is_409(written: Seen) -> None:
    assert written[1]["again"]["status"] == 409


def test_a_token_says_whose_it_is_and_what_it_may(written: Seen) -> None:
    told = written[1]["whoami"]
    assert (told["name"], told["auth"]["accessToken"]["role"]) == ("ada", "write")
    assert [org["name"] for org in told["orgs"]] == ["org"]


def test_a_commit_holds_small_empty_nested_and_large_files(written: Seen) -> None:
    hub, told = written
    held = hub.files("ada/first", told["commit"]["oid"])
    assert {path: held[path] for path in FILES} == FILES
    assert hub.repo("ada/first").known[told["commit"]["oid"]].message == "All of it"


def test_what_has_not_changed_is_not_committed_again(written: Seen) -> None:
    assert written[1]["unchanged"] == written[1]["commit"]["oid"]


def test_a_file_over_the_limit_goes_in_parts_and_a_smaller_one_whole(written: Seen) -> None:
    hub, _ = written
    sizes = [len(request.body) for request in hub.requests("PUT", "^/[0-9a-f]{32}") if request.body]
    assert {2**16, len(SMALL)} <= set(sizes)
    assert sizes.count(2**16) == len(LARGE) // 2**16


def test_no_token_reaches_the_storage(written: Seen) -> None:
    hub, _ = written
    stored = [request for request in hub.log if request.host == hub.storage_host]
    assert {request.method for request in stored} == {"GET", "PUT"}
    assert not [request for request in stored if request.authorization]


def test_information_names_sizes_and_the_sha256_of_large_files(written: Seen) -> None:
    hub, told = written
    siblings = told["info"]["siblings"]
    assert siblings["model.safetensors"]["lfs"]["sha256"] == hashlib.sha256(LARGE).hexdigest()
    assert siblings["config.json"]["size"] == 2
    assert siblings["config.json"]["lfs"] is None


def test_information_knows_the_card(written: Seen) -> None:
    told = written[1]
    assert told["license"] == "mit" == told["card"]["license"]
    assert told["info"]["tags"] == ["tunekit", "license:mit"]


def test_a_tree_lists_folders_and_files_with_their_last_commit(written: Seen) -> None:
    tree = written[1]["tree"]
    assert tree == dict.fromkeys([*FILES, "deep", "deep/er"], "Fill") | {".gitattributes": "initial commit"}
    assert written[1]["deep"] == ["deep/er/words.txt"]


def test_a_missing_folder_is_an_entry_that_is_not_there(written: Seen) -> None:
    assert "RemoteEntryNotFoundError" in written[1]["no folder"]["kinds"]


def test_paths_are_known_or_left_out(written: Seen) -> None:
    assert sorted(written[1]["paths"]) == ["config.json", "deep"]


def test_a_download_gives_the_bytes_and_fills_the_cache(written: Seen) -> None:
    hub, told = written
    assert told["downloaded"] == dict.fromkeys(FILES, True)
    assert told["downloaded again"]
    assert len([each for each in hub.requests("GET", "^/ada/first/resolve/.*/config.json")]) <= 2


def test_a_revision_is_a_sha_a_tag_or_a_branch(written: Seen) -> None:
    assert written[1]["at the commit"] == "a b c"
    assert written[1]["at the tag"] == "{}"


def test_a_file_is_there_or_not(written: Seen) -> None:
    assert written[1]["exists"] == [True, False]
    assert written[1]["gate"]["kinds"] == []


def test_files_and_folders_are_deleted(written: Seen) -> None:
    hub, told = written
    assert "config.json" in hub.files("ada/first", told["parent"])
    assert set(hub.files("ada/first")) == {
        ".gitattributes",
        "README.md",
        "empty.txt",
        "folder/model.onnx",
        "folder/one.txt",
        "model.safetensors",
        "small.safetensors",
    }


def test_what_is_not_there_cannot_be_deleted(written: Seen) -> None:
    told = written[1]["missing"]
    assert (told["status"], told["headers"]["x-error-code"]) == (404, "EntryNotFound")


def test_a_pull_request_leaves_the_branch_alone_and_takes_more_commits(written: Seen) -> None:
    hub, told = written
    assert told["proposal"] == "refs/pr/1"
    assert {"idea.txt", "more.txt"} <= set(told["proposed"])
    assert "idea.txt" not in hub.files("ada/first")
    assert told["discussions"] == ["More"]


def test_references_are_branches_tags_and_pull_requests(written: Seen) -> None:
    told = written[1]["references"]
    names = {kind: [each["name"] for each in told[kind]] for kind in ("branches", "tags", "pull_requests")}
    assert names == {"branches": ["main", "side"], "tags": ["v1"], "pull_requests": ["1"]}
    assert written[1]["twice"]["status"] == 409 == written[1]["tagged twice"]["status"]


def test_commits_come_newest_first(written: Seen) -> None:
    told = written[1]["commits"]
    assert (told[0], told[-2:]) == ("Remove", ["Fill", "initial commit"])


def test_visibility_changes_and_results_are_read(written: Seen) -> None:
    assert written[1]["hidden"] is True
    assert written[1]["results"] == [0.5]


def test_an_old_name_leads_to_the_new_one_also_for_a_commit(written: Seen) -> None:
    moved = written[1]["moved"]
    assert (moved["id"], moved["files"]) == ("ada/mine", ["12"])
    assert moved["commit"]


def test_a_deleted_repository_is_gone(written: Seen) -> None:
    assert "RepositoryNotFoundError" in written[1]["gone"]["kinds"]


@pytest.mark.parametrize(
    ("case", "kind", "status", "text"),
    [
        ("gated", "GatedRepoError", 403, "restricted"),
        ("gated, anonymous", "GatedRepoError", 401, "restricted"),
        ("private", "RepositoryNotFoundError", 404, "Repository Not Found"),
        ("private, anonymous", "RepositoryNotFoundError", 401, "Repository Not Found"),
        ("private file", "RepositoryNotFoundError", 404, "Repository Not Found"),
        ("missing", "RepositoryNotFoundError", 404, "Repository Not Found"),
        ("missing, anonymous", "RepositoryNotFoundError", 401, "Repository Not Found"),
        ("wrong token", "HfHubHTTPError", 401, "Invalid user token"),
        ("wrong token, about", "HfHubHTTPError", 401, "Invalid credentials"),
        (
            "reading token",
            "HfHubHTTPError",
            403,
            "You don't have the rights to create a model under the namespace",
        ),
        ("reading token, commit", "HfHubHTTPError", 403, "write token"),
        ("foreign", "HfHubHTTPError", 403, "You don't have the rights to create a model under the namespace"),
        ("foreign commit", "HfHubHTTPError", 403, "create_pr=1"),
        ("file", "RemoteEntryNotFoundError", 404, "Entry Not Found"),
        ("revision", "RevisionNotFoundError", 404, "Revision Not Found"),
        ("revision, about", "RevisionNotFoundError", 404, "Revision Not Found"),
        ("stale", "HfHubHTTPError", 412, "A commit has happened since"),
        ("limited", "HfHubHTTPError", 429, "Too Many Requests"),
        ("unavailable", "HfHubHTTPError", 503, "Service Unavailable"),
    ],
)
def test_the_client_understands_a_refusal(
    refused: Seen, case: str, kind: str, status: int, text: str
) -> None:
    told = refused[1][case]
    assert kind in told["kinds"] and told["status"] == status
    assert text in told["text"]


def test_a_wrong_token_is_not_a_missing_repository(refused: Seen) -> None:
    assert "RepositoryNotFoundError" not in refused[1]["wrong token, about"]["kinds"]


def test_everybody_is_told_about_a_gated_repository_and_the_granted_read_it(refused: Seen) -> None:
    assert refused[1]["gated, about"] == "auto"
    assert refused[1]["gated, granted"] == "words"


def test_a_reading_token_says_so(refused: Seen) -> None:
    assert refused[1]["reading token, role"] == "read"


def test_anybody_may_propose(refused: Seen) -> None:
    assert refused[1]["foreign proposal"] == "refs/pr/1"


def test_a_card_that_cannot_be_read_is_refused_before_anything_is_sent(refused: Seen) -> None:
    hub, told = refused
    assert "YAML" in told["card"]["text"] and "model-index" in told["model index"]["text"]
    assert "README.md" not in hub.files("ada/mine")


def test_a_fault_brings_its_headers_and_ends(refused: Seen) -> None:
    told = refused[1]
    assert told["limited"]["headers"]["retry-after"] == "7"
    assert told["after the limit"] == "ada/limited"
    assert told["after it"]


def test_a_dropped_connection_is_seen_as_one(refused: Seen) -> None:
    assert "RemoteProtocolError" in refused[1]["dropped"]["kinds"]


def test_a_commit_whose_answer_is_lost_is_there(refused: Seen) -> None:
    hub, told = refused
    assert "RemoteProtocolError" in told["lost"]["kinds"]
    assert hub.files("ada/lost")["a.txt"] == b"1"


def test_a_silent_hub_is_given_up_by_a_client_that_has_a_limit(refused: Seen) -> None:
    assert "ReadTimeout" in refused[1]["silent"]["kinds"]


def test_what_the_client_repeats_by_itself_arrives(refused: Seen) -> None:
    hub, _ = refused
    assert hub.files("ada/repeated")["a.bin"] == b"123" * 1000
    assert len(hub.requests("POST", "/ada/repeated/preupload/")) == 2


def test_a_download_that_broke_is_tried_again(refused: Seen) -> None:
    hub, told = refused
    assert told["resumed"]
    assert len(hub.requests("GET", "^/[0-9a-f]{32}$")) == 2
