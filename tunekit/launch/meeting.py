"""How the processes of a run find each other, also when some of them are started again.

torch's elastic launcher keeps one store over its restarts, in which the addresses of dead processes stay.
So the first process names a fresh part of the store, and all others must have heard of it from that one.
"""

import time
import uuid
from datetime import timedelta
from typing import Any

PAUSE = 0.02  # seconds between two looks


def meet(patience: timedelta) -> Any:
    """A store that all processes of the run share, and no earlier ones; returns when all are there."""
    import torch.distributed as group

    store, index, count = next(iter(group.rendezvous("env://", timeout=patience)))
    name = welcome(store, count, patience) if index == 0 else introduce(store, index)
    return group.PrefixStore(f"tunekit/{name}", store)


def introduce(store: Any, index: int) -> str:
    """Tell the first process that this one is there; the name of the part of the store that it answers."""
    me = uuid.uuid4().hex
    store.set(f"tunekit/hello/{index}", me)
    name = str(store.get(f"tunekit/welcome/{me}").decode())
    store.set(f"tunekit/{name}/heard/{index}", "")
    return name


def welcome(store: Any, count: int, patience: timedelta) -> str:
    """Answer whoever says hello until all others have heard the name of this start; return the name.

    Raises:
        DistStoreError: some did not come in time.
    """
    from torch.distributed import DistStoreError

    name, end = uuid.uuid4().hex, time.monotonic() + patience.total_seconds()
    waiting = set(range(1, count))
    while waiting:
        for index in [each for each in waiting if store.check([f"tunekit/hello/{each}"])]:
            store.set(f"tunekit/welcome/{store.get(f'tunekit/hello/{index}').decode()}", name)
        waiting = {each for each in waiting if not store.check([f"tunekit/{name}/heard/{each}"])}
        if waiting and time.monotonic() > end:
            raise DistStoreError(f"{count - len(waiting)}/{count} clients joined")
        time.sleep(PAUSE if waiting else 0)
    return name
