"""What huggingface_hub says when a Hub refuses, fails or is silent."""

import os
from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd, HfApi, hf_hub_download

from tests.hub.drivers import caught, tell

api = HfApi()
READING = os.environ["READING_TOKEN"]


def commit(repo: str, path: str = "a.txt", content: bytes = b"1", **options: Any) -> Any:
    """Commit a file."""
    return api.create_commit(repo, [CommitOperationAdd(path, content)], commit_message="Go", **options)


def refused() -> dict[str, Any]:
    """Ask for what one may not see, or may not do."""
    return {
        "gated": caught(lambda: hf_hub_download("bob/gated", "a.txt")),
        "gated, anonymous": caught(lambda: hf_hub_download("bob/gated", "a.txt", token=False)),
        "gated, about": api.model_info("bob/gated").gated,
        "gated, granted": Path(hf_hub_download("bob/granted", "a.txt")).read_text(),
        "private": caught(lambda: api.model_info("bob/private")),
        "private, anonymous": caught(lambda: api.model_info("bob/private", token=False)),
        "private file": caught(lambda: hf_hub_download("bob/private", "a.txt")),
        "missing": caught(lambda: api.model_info("bob/nothing")),
        "missing, anonymous": caught(lambda: api.model_info("bob/nothing", token=False)),
        "wrong token": caught(lambda: api.whoami(token="hf_nobody")),
        "wrong token, about": caught(lambda: api.model_info("bob/public", token="hf_nobody")),
        "reading token": caught(lambda: api.create_repo("ada/new", token=READING)),
        "reading token, commit": caught(lambda: commit("ada/mine", token=READING)),
        "reading token, role": api.whoami(token=READING)["auth"]["accessToken"]["role"],
        "foreign": caught(lambda: api.create_repo("bob/new")),
        "foreign commit": caught(lambda: commit("bob/public")),
        "foreign proposal": commit("bob/public", create_pr=True).pr_revision,
        "file": caught(lambda: hf_hub_download("bob/public", "b.txt")),
        "revision": caught(lambda: hf_hub_download("bob/public", "a.txt", revision="v9")),
        "revision, about": caught(lambda: api.model_info("bob/public", revision="v9")),
        "stale": caught(
            lambda: commit("ada/mine", parent_commit=api.list_repo_commits("ada/mine")[-1].commit_id)
        ),
        "card": caught(lambda: commit("ada/mine", "README.md", b"---\na: b: c\n---\n")),
        "model index": caught(
            lambda: commit("ada/mine", "README.md", b"---\nmodel-index:\n- results: []\n---\n")
        ),
    }


def failed() -> dict[str, Any]:
    """Ask a Hub that fails as planned."""
    return {
        "limited": caught(lambda: api.model_info("ada/limited")),
        "after the limit": api.model_info("ada/limited").id,
        "unavailable": caught(lambda: commit("ada/unavailable")),
        "after it": commit("ada/unavailable").oid,
        "dropped": caught(lambda: api.model_info("ada/dropped")),
        "lost": caught(lambda: commit("ada/lost")),
        "silent": caught(lambda: api.model_info("ada/silent", timeout=0.5)),
        "repeated": commit("ada/repeated", "a.bin", b"123" * 1000).oid,
        "resumed": Path(hf_hub_download("ada/resumed", "a.bin")).read_bytes() == bytes(range(256)) * 100,
    }


if __name__ == "__main__":
    tell(refused() | failed())
