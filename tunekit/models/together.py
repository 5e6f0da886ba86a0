"""What the processes of a run tell each other, beside tensors."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cache
from threading import Event, Thread
from typing import Any

from tunekit.errors import InputError

PATIENCE = "TUNEKIT_TIMEOUT"  # variable: seconds that processes wait for each other
USUAL = 600.0  # seconds
LONG = timedelta(days=1)
BEAT = 1.0  # seconds between two signs of life


def patience() -> timedelta:
    """How long processes wait for each other before one is given up.

    Raises:
        InputError: the variable TUNEKIT_TIMEOUT, which `--timeout` sets, is no number above 0.
    """
    given = os.environ.get(PATIENCE, str(USUAL))
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 10**7:
        raise InputError(f"the time-out is {given!r} (--timeout, {PATIENCE}); give seconds above 0")
    return timedelta(seconds=seconds)


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
        group.barrier(beside(group.group.WORLD, LONG))


@contextmanager
def first_alone() -> Iterator[None]:
    """Inside, the first process does something for which the others wait, however long that takes.

    It gives signs of life meanwhile, so that they notice within the usual time when it is lost.
    """
    import torch.distributed as group

    if not group.is_initialized() or group.get_world_size() == 1:
        yield
        return
    aside = beside(group.group.WORLD, patience())
    if group.get_rank() > 0:
        yield
        while not sign(aside, done=False):
            pass
        return
    done = Event()
    beating = Thread(target=beat, args=(aside, done), daemon=True)
    beating.start()
    try:
        yield
    finally:
        done.set()
        beating.join()
    sign(aside, done=True)


def beat(aside: Any, done: Event) -> None:
    """Give signs of life until all is done; what goes wrong shows again with the last one."""
    with suppress(RuntimeError):
        while not done.wait(BEAT):
            sign(aside, done=False)


def sign(aside: Any, *, done: bool) -> bool:
    """Whether the first process, which says it, is done."""
    import torch
    import torch.distributed as group

    told = torch.tensor([done])
    group.broadcast(told, 0, group=aside)
    return bool(told)


@cache
def beside(_: Any, timeout: timedelta) -> Any:
    """The processes of a group once more, with another time-out; made once for each."""
    import torch.distributed as group

    return group.new_group(backend="gloo", timeout=timeout)


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
