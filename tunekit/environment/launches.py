"""Which launch a process belongs to, and whether it is started again in it, as launchers tell it."""

import hashlib
import os
import socket


def launch_names() -> list[str]:
    """Names that the launch of this process keeps over its restarts, and that no other launch has."""
    return [*by_agent(), *by_slurm()]


def earlier_starts() -> set[str]:
    """The names of launches that have started this process before."""
    again = by_agent() if restarts("TORCHELASTIC_RESTART_COUNT") else []
    return {*again, *(by_slurm() if restarts("SLURM_RESTART_COUNT") else [])}


def restarts(variable: str) -> int:
    """How often a launcher has started its processes again, by its variable."""
    given = os.environ.get(variable, "")
    return int(given) if given.isdecimal() else 0


def by_agent() -> list[str]:
    """The name of torch's elastic agent, which is the parent of the processes that it starts."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return []
    import psutil

    parent = psutil.Process(os.getppid())
    return [hashed(socket.gethostname(), str(parent.pid), str(parent.create_time()))]


def by_slurm() -> list[str]:
    """The name of a SLURM job's step, which a job that was put back into the queue has again."""
    if "SLURM_JOB_ID" not in os.environ:
        return []
    return [hashed("slurm", os.environ["SLURM_JOB_ID"], os.environ.get("SLURM_STEP_ID", ""))]


def hashed(*words: str) -> str:
    """A short name of words that nobody needs to read."""
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:16]
