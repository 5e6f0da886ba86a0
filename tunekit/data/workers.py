"""Items prepared ahead by worker processes that may die or hang, which then costs one clear error."""

import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import Any

from tunekit.errors import EnvironmentFailure

PATIENCE = 600  # seconds that a worker may take for an item


def prepared_ahead(items: Any, numbers: range, workers: int, describe: Callable[[int], str]) -> Iterator[Any]:
    """`items[number]` for each number, in order, made by `workers` processes.

    `describe` says of a number what was prepared, for the error.

    Raises:
        EnvironmentFailure: a worker has died or no longer answers; all of them are gone then.
    """
    import torch

    loader = torch.utils.data.DataLoader(
        items,
        sampler=numbers,
        batch_size=None,
        collate_fn=as_it_is,
        num_workers=workers,
        generator=torch.Generator(),  # of its own, so that nothing here moves the global one
    )
    before = set(multiprocessing.active_children())
    with deaths_unheard():
        prepared = iter(loader)
    ours = [child for child in multiprocessing.active_children() if child not in before]
    for number in numbers:
        late = threading.Event()
        try:
            with ended_when_late(ours, late):
                item = next(prepared)
        except (RuntimeError, OSError, EOFError) as error:
            if not late.is_set() and not is_of_a_dead_worker(error):
                raise
            end(ours)
            what = f"does not answer for {PATIENCE} seconds" if late.is_set() else "has died"
            raise EnvironmentFailure(
                f"a worker process {what} while {describe(number)}; the last checkpoint is intact: run the "
                "same command again, with data.workers=0 if memory is short or it happens again"
            ) from None
        yield item


@contextmanager
def ended_when_late(workers: list[BaseProcess], late: threading.Event) -> Iterator[None]:
    """End workers when the block takes too long, and set `late`.

    Whoever waits for one of them then wakes up, in whatever call; DataLoader's own timeout does not help
    where a worker that has answered must still hand over the memory of a tensor.
    """

    def give_up() -> None:
        late.set()
        end(workers)

    timer = threading.Timer(PATIENCE, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def deaths_unheard() -> Iterator[None]:
    """Keep torch from raising a worker's death in the middle of whatever runs: who waits for it finds out."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGCHLD) or signal.SIG_DFL
    yield
    signal.signal(signal.SIGCHLD, before)


def is_of_a_dead_worker(error: Exception) -> bool:
    """Whether an error comes of a worker that is no more, not of what a worker did."""
    if isinstance(error, RuntimeError):
        return "DataLoader worker (pid" in str(error)
    return "in DataLoader worker process" not in str(error)  # which torch adds to errors of workers


def end(workers: list[BaseProcess]) -> None:
    """End workers; one that hangs heeds nothing less than a kill."""
    for worker in workers:
        worker.kill()


def as_it_is(item: Any) -> Any:
    """Keep an item as it is; DataLoader would change its arrays."""
    return item
