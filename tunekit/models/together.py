"""What the processes of a run tell each other, beside tensors."""

from typing import Any


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
