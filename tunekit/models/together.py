"""What the processes of a run tell each other, beside tensors."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import cache
from typing import Any

PATIENCE = timedelta(days=1)


def on_first(mine: Any) -> list[Any] | None:
    """Everybody's object, in the order of processes, on the first process; None on the others."""
    import torch.distributed as group

    first = group.get_rank() == 0
    found: list[Any] | None = [None] * group.get_world_size() if first else None
    group.gather_object(mine, found)
    return found


def from_first(mine: Any) -> Any:
    """The first process's object, on all."""
    from accelerate.utils import broadcast_object_list

    told = [mine]
    broadcast_object_list(told)
    return told[0]


def wait_for_first() -> None:
    """Wait for what the first process does alone, however long that takes; its death is noticed at once."""
    import torch.distributed as group

    if group.is_initialized() and group.get_world_size() > 1:
        group.barrier(patient_group(group.group.WORLD))


@cache
def patient_group(_: Any) -> Any:
    """All processes of the group that is given, as one that waits for long; made once."""
    import torch.distributed as group

    return group.new_group(backend="gloo", timeout=PATIENCE)


def send(tensors: Iterable[Any]) -> None:
    """Write the first process's tensors over those of all others."""
    import torch.distributed as group

    for tensor in tensors:
        held = tensor.contiguous()
        group.broadcast(held, 0)
        if held is not tensor:
            tensor.copy_(held)


def tensors_from_first(mine: Mapping[str, Any], device: Any) -> dict[str, Any]:
    """The first process's tensors by name, on the CPU of all; they are sent one by one over a device."""
    import torch

    found = {}
    for name, shape, kind in from_first([(key, each.shape, each.dtype) for key, each in mine.items()]):
        sent = mine[name].to(device) if name in mine else torch.empty(shape, dtype=kind, device=device)
        send([sent])
        found[name] = sent.cpu()
    return found
