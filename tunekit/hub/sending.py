"""A run to the Hub in one commit, and the proof that it arrived."""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tunekit.checkpoint import sha256
from tunekit.console import out
from tunekit.errors import EnvironmentFailure, listing
from tunekit.hub.files import Item, ours
from tunekit.hub.rights import check_account, check_visibility, found
from tunekit.hub.target import MAIN, Target
from tunekit.network import client, failure, kinds_of, reaching, status_of

WAITS = (1.0, 4.0, 16.0)  # seconds before another try
LONGEST_WAIT = 60.0  # seconds that the Hub may ask for
MESSAGE = "A model, with its recipe and its scores"
PASSING = {"TimeoutException", "NetworkError", "RemoteProtocolError", "ConnectionError"}


@dataclass(frozen=True)
class Pushed:
    """What arrived, and where."""

    repo: str
    files: dict[str, int]  # bytes by path
    url: str | None = None  # None where nothing was pushed
    commit: str | None = None
    pull_request: str | None = None

    def document(self) -> dict[str, Any]:
        """The same as plain data."""
        return asdict(self)


def send(items: Sequence[Item], target: Target, say: Callable[[str], None]) -> Pushed:
    """Push files in one commit, and verify what the Hub has then.

    Raises:
        InputError: the name is wrong, or the repository is public against the target's wish.
        EnvironmentFailure: the Hub cannot be reached, refuses it, or has other bytes than were sent.
    """
    with reaching("repository", target.repo, target.revision):
        show_progress(out.speaks and not out.quiet and not out.json)
        api = client()
        check_account(api, target)
        parent = prepared(api, target)
        say(f"pushing {len(items)} files, {sum(sizes(items).values()):,} bytes, to {target.repo}")
        pushed = committed(api, items, target, parent)
        verify(api, items, target, pushed, say)
    return pushed


def show_progress(wanted: bool) -> None:
    """Let the client show how far an upload is, or not."""
    from huggingface_hub.utils.tqdm import disable_progress_bars, enable_progress_bars

    (enable_progress_bars if wanted and sys.stderr.isatty() else disable_progress_bars)()


def prepared(api: Any, target: Target) -> Any:
    """What the Hub knows of the branch before the push; the repository and the branch are made if need be."""
    info = found(api, target)
    if info is None:
        api.create_repo(target.repo, private=target.private, exist_ok=True)
        info = api.model_info(target.repo)
    check_visibility(info, target)
    if target.branch != MAIN:
        api.create_branch(target.repo, branch=target.branch, exist_ok=True)
    return api.model_info(target.repo, revision=target.branch)


def committed(api: Any, items: Sequence[Item], target: Target, parent: Any) -> Pushed:
    """Make the commit; where no answer came, look whether it was made before another try."""
    for wait in (*WAITS, None):
        try:
            return commit(api, items, target, parent)
        except Exception as error:
            if not passes(error):
                raise
            made = landed(api, items, target, parent)
            if made:
                return made
            if wait is None:
                raise
            time.sleep(asked_wait(error) or wait)
    raise AssertionError("the last try returns or raises")


def commit(api: Any, items: Sequence[Item], target: Target, parent: Any) -> Pushed:
    """One commit of all files, without those of an earlier push that this one lacks."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    add = [CommitOperationAdd(item.path, content(item)) for item in items]
    gone = outdated(items, parent)
    made = api.create_commit(
        target.repo,
        operations=[*add, *(CommitOperationDelete(path) for path in gone)],
        commit_message=MESSAGE,
        revision=target.branch,
        create_pr=target.create_pr,
        parent_commit=parent.sha,
    )
    return Pushed(target.repo, sizes(items), str(made.commit_url), made.oid, made.pr_url)


def sizes(items: Sequence[Item]) -> dict[str, int]:
    """The bytes of files by path."""
    return {item.path: item.size for item in items}


def content(item: Item) -> bytes | str:
    """What the client takes: bytes, or the path of a file."""
    return str(item.content) if isinstance(item.content, Path) else item.content


def outdated(items: Sequence[Item], parent: Any) -> list[str]:
    """The files of an earlier push that this one would leave behind, such as parts of other weights."""
    there, new = {each.rfilename for each in parent.siblings or ()}, {item.path for item in items}
    pushed_before = "tunekit.json" in there
    return sorted(path for path in there - new if ours(path)) if pushed_before else []


def passes(error: BaseException) -> bool:
    """Whether an error may be gone at the next try."""
    status = status_of(error)
    if status is not None:
        return status == 429 or status >= 500
    return bool(kinds_of(error) & PASSING)


def asked_wait(error: BaseException) -> float | None:
    """The seconds that the Hub asks to wait, up to a limit."""
    response = getattr(error, "response", None)
    seconds = response.headers.get("Retry-After", "") if response is not None else ""
    return min(float(seconds), LONGEST_WAIT) if seconds.isdecimal() else None


def landed(api: Any, items: Sequence[Item], target: Target, parent: Any) -> Pushed | None:
    """The commit with exactly these files that the Hub has, if it has one; None where it does not say."""
    try:
        branches = [target.branch] if not target.create_pr else proposals(api, target)
        for branch in branches:
            info = api.model_info(target.repo, revision=branch, files_metadata=True)
            if info.sha != parent.sha and not differing(items, info):
                url = f"{api.endpoint}/{target.repo}/commit/{info.sha}"
                proposal = f"{api.endpoint}/{target.repo}/discussions/{branch.split('/')[-1]}"
                return Pushed(
                    target.repo, sizes(items), url, info.sha, proposal if target.create_pr else None
                )
    except Exception as error:
        if failure(error, "", target.repo, None) is None:
            raise
    return None


def proposals(api: Any, target: Target) -> list[str]:
    """The branches of pull requests, the newest first."""
    refs = api.list_repo_refs(target.repo, include_pull_requests=True).pull_requests or []
    return sorted((ref.ref for ref in refs), key=lambda ref: int(ref.split("/")[-1]), reverse=True)


def differing(items: Sequence[Item], info: Any) -> list[str]:
    """The files that the Hub lacks or knows by another digest."""
    there = {each.rfilename: {each.blob_id, each.lfs and each.lfs.sha256} for each in info.siblings or ()}
    return [item.path for item in items if not item.digests & there.get(item.path, set())]


def verify(
    api: Any, items: Sequence[Item], target: Target, pushed: Pushed, say: Callable[[str], None]
) -> None:
    """Ask for the digests of all files, and fetch the weights again: the Hub knows a size, and asks no more.

    Raises:
        EnvironmentFailure: something else is there than was sent.
    """
    info = api.model_info(target.repo, revision=pushed.commit, files_metadata=True)
    wrong = differing(items, info)
    for item in items:
        if (
            item.path.endswith(".safetensors")
            and fetched_digest(api, item, target, pushed) not in item.digests
        ):
            wrong.append(item.path)
    if wrong:
        raise EnvironmentFailure(
            f"{target.repo} has other bytes of {listing(sorted(set(wrong)))} than were sent; push again, and "
            "do not use what is there"
        )
    say("all files are there, and the weights, fetched again, are those that were sent")


def fetched_digest(api: Any, item: Item, target: Target, pushed: Pushed) -> str:
    """The sha256 of a file as the Hub gives it out; it is fetched to the run, where there is room for it."""
    run = item.content.parent.parent if isinstance(item.content, Path) else None
    with tempfile.TemporaryDirectory(prefix=".fetched-", dir=run) as folder:
        path = api.hf_hub_download(target.repo, item.path, revision=pushed.commit, local_dir=folder)
        return sha256(Path(path))
