"""torch's elastic agent, which starts the processes, watches them and starts them again after an accident."""

import logging
import signal
import sys
import uuid
from collections.abc import Sequence
from typing import Any

from tunekit.console import out
from tunekit.launch.failures import Failure, first_of, is_accident, sentence

GRACE = 600  # seconds that processes may take to save before they are killed
AT_ONCE = 5  # seconds that killed ones may take
HERE = "127.0.0.1"


def make_agent(count: int, restarts: int, folder: str, words: Sequence[str] = ()) -> Any:
    """An agent for so many processes of Python; others than the first print into `folder`.

    Their words are those of the present command, if no others are given.
    """
    from torch.distributed.elastic.agent.server.api import WorkerSpec
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, Std
    from torch.distributed.elastic.rendezvous import RendezvousParameters, registry

    meeting = RendezvousParameters("c10d", f"{HERE}:0", uuid.uuid4().hex, 1, 1, local_addr=HERE)
    spec = WorkerSpec(
        role="tunekit",
        local_world_size=count,
        entrypoint=sys.executable,
        args=("-u", *(words or ("-m", "tunekit", *sys.argv[1:]))),
        rdzv_handler=registry.get_rendezvous_handler(meeting),
        max_restarts=restarts,
        local_addr=HERE,
    )
    others = dict.fromkeys(range(1, count), Std.ALL)
    kind = agent_kind()
    hush()
    return kind(spec=spec, logs_specs=DefaultLogsSpecs(log_dir=folder, redirects=others))


def hush() -> None:
    """Let torch's launcher be silent: this one speaks for it. Its loggers have levels of their own."""
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("torch.distributed.elastic"):
            logging.getLogger(name).setLevel(logging.CRITICAL)


def agent_kind() -> type[Any]:
    """The class of the agent, made here so that torch is imported only when it is needed."""
    from torch.distributed.elastic.agent.server.local_elastic_agent import LocalElasticAgent

    return type("Agent", (Ways, LocalElasticAgent), {})


class Ways:
    """Ways of the agent: restarts only after accidents, and ends processes as runs want to be ended."""

    first: Failure | None = None  # the cause of the last failure
    _remaining_restarts: int  # this and what follows are torch's
    _worker_group: Any
    _pcontext: Any

    @property
    def count(self) -> int:
        """How many processes there are."""
        return int(self._worker_group.spec.local_world_size)

    @property
    def restarted(self) -> int:
        """How often all processes were started again."""
        return int(self._worker_group.spec.max_restarts - self._remaining_restarts)

    def _monitor_workers(self, worker_group: Any) -> Any:
        """Look at the processes; after a failure that is no accident there are no restarts left."""
        result = super()._monitor_workers(worker_group)  # type: ignore[misc]
        if result.is_failed():
            before, self.first = self.first, first_of(result.failures, self._pcontext.stderrs)
            if not is_accident(self.first, before):
                self.allow_no_more()
            elif self._remaining_restarts > 0:
                tell_restart(
                    sentence(self.first, self.count), self.restarted + 1, worker_group.spec.max_restarts
                )
        return result

    def allow_no_more(self) -> None:
        """Restart no more, and count no restarts that were not made."""
        self._worker_group.spec.max_restarts -= self._remaining_restarts
        self._remaining_restarts = 0

    def _shutdown(self, death_sig: signal.Signals = signal.SIGTERM, *_: Any, **__: Any) -> None:
        """End the processes by a signal and give them time to save; a second interrupt does not wait."""
        from torch.distributed.elastic.multiprocessing.api import SignalException

        while self._pcontext is not None:
            try:
                self._pcontext.close(death_sig, GRACE)
                return
            except SignalException as again:
                death_sig = again.sigval
                if death_sig == signal.SIGINT:
                    self._pcontext.close(signal.SIGKILL, AT_ONCE)
                    raise

    def first_to_fail(self) -> Failure | None:
        """The cause of the failure of processes that a signal has ended, if any failed."""
        from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

        context = self._pcontext
        found = {
            rank: ProcessFailure(rank, each.proc.pid, each.proc.returncode, context.error_files[rank])
            for rank, each in (context.subprocess_handlers if context else {}).items()
            if each.proc.poll()
        }
        return first_of(found, context.stderrs) if found else None


def tell_restart(what: str, number: int, most: int) -> None:
    """Say that all processes begin again."""
    out.warn(f"{what}; all processes begin again from the last checkpoint ({number} of {most})")
