"""Repositories made, filled, read, tagged, renamed and deleted by huggingface_hub."""

import dataclasses
from pathlib import Path
from typing import Any

from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    ModelCard,
    hf_hub_download,
    snapshot_download,
)

from tests.hub.drivers import caught, tell
from tests.hub.drivers.files import FILES

REPO = "ada/first"
EVALUATION = b"- dataset:\n    id: org/bench\n    task_id: default\n  value: 0.5\n"
api = HfApi()


def additions(files: dict[str, bytes]) -> list[CommitOperationAdd]:
    """The operations that add files."""
    return [CommitOperationAdd(path, content) for path, content in files.items()]


def made() -> dict[str, Any]:
    """Make a repository and fill it, twice."""
    facts: dict[str, Any] = {"url": str(api.create_repo(REPO, private=True))}
    facts["again"] = caught(lambda: api.create_repo(REPO))
    facts["allowed again"] = str(api.create_repo(REPO, exist_ok=True))
    facts["whoami"] = api.whoami()
    commit = api.create_commit(REPO, additions(FILES), commit_message="Fill", commit_description="All of it")
    facts["commit"] = {"oid": commit.oid, "url": commit.commit_url}
    facts["unchanged"] = api.create_commit(REPO, additions(FILES), commit_message="Again").oid
    return facts


def read(commit: str) -> dict[str, Any]:
    """Ask about the repository, and fetch it."""
    info = api.model_info(REPO, files_metadata=True)
    siblings = {each.rfilename: dataclasses.asdict(each) for each in info.siblings or []}
    tree = api.list_repo_tree(REPO, recursive=True, expand=True)
    folder = snapshot_download(REPO)
    files = {path: (Path(folder) / path).read_bytes() == content for path, content in FILES.items()}
    return {
        "info": {"sha": info.sha, "private": info.private, "siblings": siblings, "tags": info.tags},
        "license": info.card_data and info.card_data.license,
        "tree": {each.path: each.last_commit and each.last_commit.title for each in tree},
        "deep": [each.path for each in api.list_repo_tree(REPO, "deep/er")],
        "no folder": caught(lambda: list(api.list_repo_tree(REPO, "nowhere"))),
        "paths": [each.path for each in api.get_paths_info(REPO, ["deep", "config.json", "nowhere"])],
        "downloaded": files,
        "downloaded again": snapshot_download(REPO) == folder,
        "at the commit": Path(hf_hub_download(REPO, "deep/er/words.txt", revision=commit)).read_text(),
        "card": ModelCard.load(REPO).data.to_dict(),
        "exists": [api.file_exists(REPO, "config.json"), api.file_exists(REPO, "other.json")],
        "gate": caught(lambda: api.auth_check(REPO)),
    }


def changed() -> dict[str, Any]:
    """Upload a folder, delete files, propose, tag and branch."""
    folder = Path("folder")
    folder.mkdir()
    (folder / "one.txt").write_text("1")
    (folder / "model.onnx").write_bytes(b"onnx" * 100)
    api.upload_folder(repo_id=REPO, folder_path=folder, path_in_repo="folder")
    parent = api.model_info(REPO).sha
    removal = [CommitOperationDelete("config.json"), CommitOperationDelete("deep/")]
    removed = api.create_commit(REPO, removal, commit_message="Remove", parent_commit=parent)
    missing = [CommitOperationDelete("nowhere.json")]
    proposal = api.create_commit(
        REPO, additions({"idea.txt": b"1"}), commit_message="Propose", create_pr=True
    )
    more = api.create_commit(
        REPO, additions({"more.txt": b"2"}), commit_message="More", revision=proposal.pr_revision
    )
    api.create_tag(REPO, tag="v1", revision=parent)
    api.create_branch(REPO, branch="side")
    api.create_commit(REPO, additions({"side.txt": b"3"}), commit_message="Aside", revision="side")
    references = api.list_repo_refs(REPO, include_pull_requests=True)
    return {
        "parent": parent,
        "removed": removed.oid,
        "missing": caught(lambda: api.create_commit(REPO, missing, commit_message="Remove")),
        "proposal": proposal.pr_revision,
        "more": more.oid,
        "proposed": sorted(api.list_repo_files(REPO, revision=proposal.pr_revision)),
        "references": dataclasses.asdict(references),
        "twice": caught(lambda: api.create_branch(REPO, branch="side")),
        "tagged twice": caught(lambda: api.create_tag(REPO, tag="v1")),
        "at the tag": Path(hf_hub_download(REPO, "config.json", revision="v1")).read_text(),
        "commits": [each.title for each in api.list_repo_commits(REPO)],
        "discussions": [each.title for each in api.get_repo_discussions(REPO)],
    }


def ended() -> dict[str, Any]:
    """Show, rename and delete repositories."""
    api.create_repo("org/theirs")
    api.create_commit(
        "org/theirs", additions({".eval_results/bench.yaml": EVALUATION, "a.bin": b"12"}), commit_message="Go"
    )
    api.update_repo_settings("org/theirs", private=True)
    hidden = api.model_info("org/theirs").private
    results = api.model_info("org/theirs", expand=["evalResults"]).eval_results or []
    api.move_repo("org/theirs", "ada/mine")
    moved = {
        "id": api.model_info("org/theirs").id,
        "files": [Path(hf_hub_download("org/theirs", name)).read_bytes().decode() for name in ("a.bin",)],
        "commit": api.create_commit("org/theirs", additions({"b.bin": b"3"}), commit_message="Old name").oid,
    }
    api.delete_repo("ada/mine")
    gone = caught(lambda: api.model_info("ada/mine"))
    return {"hidden": hidden, "results": [each.value for each in results], "moved": moved, "gone": gone}


if __name__ == "__main__":
    told = made()
    told |= read(told["commit"]["oid"])
    tell(told | changed() | ended())
