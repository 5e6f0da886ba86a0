"""A run directory that only the first machine sees: the others are sent the checkpoint that they need."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tunekit import checkpoint
from tunekit.checkpoint import Saved
from tunekit.environment import on_one_machine

CHUNK = 2**26  # bytes of one message
MANIFEST = "manifest.json"


@contextmanager
def at_hand(saved: Saved, accelerator: Any) -> Iterator[None]:
    """Inside, a checkpoint of the first machine is on the disk of every one; copies are deleted after it."""
    if on_one_machine() or not lacking(saved, accelerator):
        yield
        return
    receives = accelerator.process_index > 0 and accelerator.local_process_index == 0 and not is_here(saved)
    beside = saved.path.with_name(f".tmp-{saved.path.name}-{os.getpid()}")
    if receives:
        checkpoint.make_private(beside)
    for name in told([*saved.manifest()["files"], MANIFEST] if accelerator.process_index == 0 else None):
        send(saved.path / name, beside / name if receives else None, accelerator)
    if receives:
        checkpoint.swap_in(beside, saved.path)
    accelerator.wait_for_everyone()
    yield
    accelerator.wait_for_everyone()
    if receives:
        checkpoint.delete(saved)


def lacking(saved: Saved, accelerator: Any) -> bool:
    """Whether any process does not see the checkpoint that the first one sees."""
    from accelerate.utils import gather_object

    first = told(saved.manifest() if accelerator.process_index == 0 else None)
    return not all(gather_object([is_here(saved) and saved.manifest() == first]))


def is_here(saved: Saved) -> bool:
    """Whether this process sees the checkpoint."""
    return (saved.path / MANIFEST).is_file()


def told(what: Any) -> Any:
    """What the first process gives, on all of them."""
    from accelerate.utils import broadcast_object_list

    box = [what]
    broadcast_object_list(box)
    return box[0]


def send(source: Path, target: Path | None, accelerator: Any) -> None:
    """Send a file of the first process to all; those with a target write it."""
    import torch
    from torch.distributed import broadcast

    first = accelerator.process_index == 0
    size = told(source.stat().st_size if first else None)
    with open(source if first else target or os.devnull, "rb" if first else "wb") as file:
        for begin in range(0, size, CHUNK):
            part = torch.zeros(min(CHUNK, size - begin), dtype=torch.uint8)  # bytes of the file
            if first:
                file.readinto(part.numpy())  # type: ignore[attr-defined]
            part = part.to(accelerator.device)
            broadcast(part, src=0)
            if target is not None:
                file.write(part.cpu().numpy().data)
