"""The process group of a run: joined with a time-out, and what is said when others are not reached."""

import itertools
import json
import os
import re
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from tunekit.console import same_command
from tunekit.environment import earlier_starts, on_one_machine, process_count, process_index
from tunekit.errors import EnvironmentFailure, first_line
from tunekit.launch.meeting import meet
from tunekit.launch.workers import Unreached
from tunekit.models.together import PATIENCE, patience

TOLD = itertools.count()  # calls, of which each has a key of its own
REASONS: tuple[tuple[str, Callable[..., str]], ...] = (  # what torch and gloo say, and what that means
    (r"Connection closed by peer \[([^\]]+)\]", lambda peer: f"{peer} closed the connection"),
    (r"(?:Read|Write) error \[([^\]]+)\]", lambda peer: f"{peer} closed the connection"),
    (r"Timed out waiting (\d+)ms", lambda ms: f"no answer within {int(ms) / 1000:g} s"),
    (r"(\d+)/(\d+) clients joined", lambda here, all_of: f"only {here} of {all_of} processes came"),
    (
        r"Application timeout caused pair closure",
        lambda: f"no answer within {patience().total_seconds():g} s",
    ),
    (r"while trying to connect to \(([^)]+)\)", lambda address: f"{address} did not answer"),
)
FROM_OTHERS = ("DistError", "DistBackendError", "DistNetworkError", "DistStoreError", "QueueEmptyError")


def set_patience(seconds: float | None) -> None:
    """Let this process, and those that it starts, wait so long for others; None leaves it as it is."""
    if seconds is not None:
        os.environ[PATIENCE] = str(seconds)
    patience()  # what is wrong shows before anything is done


@contextmanager
def together() -> Iterator[None]:
    """Train inside: joins the processes of the run, and says in one sentence when others are lost.

    Raises:
        Unreached: another process has ended, or does not answer within the time-out.
    """
    with reaching():
        join()
        yield


def join() -> None:
    """Make the process group of a run of several processes, unless a framework around has made it."""
    import torch
    import torch.distributed as group

    if process_count() == 1 or group.is_initialized():
        return
    backend = "gloo"
    if torch.cuda.is_available():
        backend = "nccl"
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
    elif torch.accelerator.is_available():
        return  # accelerate knows the backends of other devices
    place = {"store": store(), "rank": process_index(), "world_size": process_count()}
    group.init_process_group(backend, timeout=patience(), **place)


@cache
def store() -> Any:
    """Where all processes of the run can leave each other notes, and make a group."""
    return meet(patience())


def leave() -> None:
    """Leave the process group after a command that went well."""
    if "torch" in sys.modules and sys.modules["torch"].distributed.is_initialized():
        sys.modules["torch"].distributed.destroy_process_group()


def found_by_first(facts: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """What run.json holds, and whether this launch has begun that run before, as the first process sees."""
    begun = earlier_starts().intersection(facts.get("launch", []))
    told = told_by_first({"facts": facts, "begun": bool(begun)})
    return told["facts"], told["begun"]


def told_by_first(document: dict[str, Any]) -> dict[str, Any]:
    """What the first process of the run knows, on every machine: other machines may not see its files.

    Raises:
        Unreached: it does not answer within the time-out.
    """
    if on_one_machine():
        return document
    import torch.distributed as group

    with reaching():
        if group.is_initialized():
            told = [document]
            group.broadcast_object_list(told)
            return told[0]
        key = f"run/{next(TOLD)}"
        if process_index() == 0:
            store().set(key, json.dumps(document))
            return document
        return dict(json.loads(store().get(key)))


@contextmanager
def reaching() -> Iterator[None]:
    """Turn what torch says when other processes are lost into one sentence."""
    try:
        yield
    except Exception as error:
        if not is_of_others(error):
            raise
        check_meeting(str(error))
        raise Unreached(describe(error)) from error


def check_meeting(said: str) -> None:
    """Tell a place where the processes cannot meet from a network that is cut.

    Raises:
        EnvironmentFailure: the port is taken, or nobody knows the address.
    """
    address, port = (os.environ.get(name, "") for name in ("MASTER_ADDR", "MASTER_PORT"))
    if "EADDRINUSE" in said:
        raise EnvironmentFailure(
            f"port {port} of this machine is in use; set MASTER_PORT to another everywhere"
        )
    if "trying to connect" in said and not is_known(address):
        raise EnvironmentFailure(
            f"nobody knows the address {address!r} of the first machine; correct MASTER_ADDR"
        )


def is_known(address: str) -> bool:
    """Whether the system finds a machine by its name or number."""
    try:
        return bool(socket.getaddrinfo(address, None))
    except OSError:
        return False


def is_of_others(error: BaseException) -> bool:
    """Whether an exception is about other processes: torch's own kinds, or gloo's by name."""
    names = {kind.__name__ for kind in type(error).__mro__}
    of_gloo = any(word in str(error) for word in ("gloo", "pair closure"))
    return bool(names & set(FROM_OTHERS)) or (isinstance(error, RuntimeError) and of_gloo)


def describe(error: BaseException) -> str:
    """Say that another process was lost, how that showed, and what to do."""
    text = str(error)
    found = ((re.search(pattern, text), say) for pattern, say in REASONS)
    reason = next((say(*match.groups()) for match, say in found if match), first_line(error))
    if on_one_machine():
        return f"another process was lost ({reason}); {same_command()} continues from the last checkpoint"
    return (
        f"another machine of this run was not reached ({reason}): its process has ended, or the network is "
        "cut; look at what it printed last. The last checkpoint is intact: "
        f"{same_command()} on every machine continues"
    )
