"""The machines of a run must have the same settings, rows, checkpoint and versions."""

import socket
from collections.abc import Sequence
from typing import Any

from tunekit.data.remembered import about_tokenizer, has_fast_tokenizer
from tunekit.environment import local_index, on_one_machine
from tunekit.errors import InputError
from tunekit.identity import differences
from tunekit.models.adapted import fingerprints
from tunekit.prepare.check import Prepared

OWN = ("data", "metrics")  # sections that may name other paths on each machine; rows are compared themselves


def refuse_other_machines(prepared: Prepared) -> None:
    """Refuse, on all machines alike, to train where one has prepared something else than the first.

    Raises:
        InputError: one has; all differences are named.
    """
    import torch.distributed as group

    if on_one_machine() or not group.is_initialized():
        return
    mine = (socket.gethostname(), about(prepared)) if local_index() == 0 else None
    found: list[Any] = [None] * group.get_world_size()
    group.all_gather_object(found, mine)
    differing = compared(found)
    if differing:
        advice = "the machines of this run differ; give all the same recipe, data, checkpoint and packages"
        raise InputError([advice, *differing])


def about(prepared: Prepared) -> dict[str, Any]:
    """What decides a result, of what this machine has prepared."""
    whole, processor = prepared.identity(), prepared.task.processor
    kept = {section: value for section, value in whole.items() if section not in OWN}
    kept["model"] = {key: value for key, value in whole["model"].items() if key not in ("name", "revision")}
    kept["weights"] = fingerprints(prepared.checkpoint)
    kept["tokenizer"] = about_tokenizer(processor)[1] if has_fast_tokenizer(prepared.task) else None
    return kept


def compared(found: Sequence[tuple[str, dict[str, Any]] | None]) -> list[str]:
    """What each machine has otherwise than the first, given what the first process of each says of it."""
    assert found[0] is not None
    _, first = found[0]
    return [
        f"process {number} on {each[0]}: {line}"
        for number, each in enumerate(found)
        if each is not None
        for line in differences(first, each[1])
    ]
