"""The command starts itself again, once for every device, under torch's elastic launcher."""

import os
import signal
import sys
import tempfile
from typing import Any

from tunekit.console import leave_closed_terminal, same_command
from tunekit.environment import process_index
from tunekit.errors import InputError, Interrupted
from tunekit.launch.agent import make_agent
from tunekit.launch.failures import Failed, failed
from tunekit.launch.workers import LAUNCHER, started_here

RESTARTS = 3  # after kills, by default
LOOPBACK = "lo" if sys.platform == "linux" else "lo0"
PASSED_ON = ("SIGTERM", "SIGINT", "SIGUSR1")  # to the processes
OF_TERMINALS = ("SIGHUP", "SIGQUIT")  # are passed on too, unless they are ignored, as under nohup


def relaunched(processes: str, restarts: int | None = None) -> bool:
    """Run the present command on several processes of this machine; False when one process is enough.

    A process that is killed lets all begin again from the last checkpoint, at most so many times; with
    `restarts` also a single one does.

    Raises:
        Failed: as the first process that failed did.
        InputError: the number of processes is none, or cannot be.
    """
    if started_here() or "RANK" in os.environ:
        check_alone(processes)
        return False
    count = wanted(processes)
    if count == 1 and not restarts:
        return False
    check_devices(count)
    prepare_environment(count)
    with tempfile.TemporaryDirectory(prefix="tunekit-processes-") as folder:
        launch(make_agent(count, RESTARTS if restarts is None else restarts, folder))
    return True


def wanted(processes: str) -> int:
    """The number of processes asked for; auto is one per GPU."""
    if processes != "auto":
        if not processes.isdecimal() or int(processes) < 1:
            raise InputError(f"--processes is {processes!r}; give a number of at least 1, or auto")
        return int(processes)
    return max(1, devices())


def devices() -> int:
    """How many GPUs, or the like, this process sees."""
    import torch

    return int(torch.accelerator.device_count()) if torch.accelerator.is_available() else 0


def check_alone(processes: str) -> None:
    """Refuse a number of processes where another launcher has already started them."""
    if processes != "auto" and not started_here():
        raise InputError(
            f"--processes is {processes!r}, but this is already process {process_index()} of "
            f"{os.environ.get('WORLD_SIZE', '1')} that another launcher started; leave --processes out"
        )


def check_devices(count: int) -> None:
    """Refuse more processes than GPUs where there are any."""
    found = devices()
    if 0 < found < count:
        raise InputError(
            f"--processes is {count}, but this machine shows {found} GPUs; give at most {found}, or auto"
        )


def prepare_environment(count: int) -> None:
    """Set what the processes inherit: threads, the loopback interface, and who shows their errors."""
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores() // count)))
    os.environ.setdefault("GLOO_SOCKET_IFNAME", LOOPBACK)
    others = [name for name in OF_TERMINALS if signal.getsignal(signal.Signals[name]) != signal.SIG_IGN]
    os.environ["TORCHELASTIC_SIGNALS_TO_HANDLE"] = ",".join([*PASSED_ON, *others])
    os.environ[LAUNCHER] = str(os.getpid())


def cores() -> int:
    """How many cores this process may use; where the system does not say, how many there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def launch(agent: Any) -> None:
    """Run the processes to their end.

    Raises:
        Failed: one failed, or a signal stopped them.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException

    try:
        result = agent.run()
    except SignalException as stopped:
        raise stopped_by(stopped.sigval, agent) from None
    if result.is_failed():
        raise failed(agent.first, agent.count, agent.restarted) from None


def stopped_by(number: signal.Signals, agent: Any) -> Failed:
    """What to raise when a signal was passed on and all processes have ended."""
    leave_closed_terminal()
    first = agent.first_to_fail()
    if first is not None and not first.killed and not first.unreached and first.message:
        return failed(first, agent.count, agent.restarted)
    text = f"{signal.Signals(number).name} received before anything was there to save, or twice"
    return Failed(f"{text}; {same_command()} begins again, or continues", Interrupted.exit_code)
