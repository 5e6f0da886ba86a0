"""A process among others: it ends with its launcher, and leaves word of what went wrong."""

import ctypes
import json
import os
import signal
import sys
import time
import traceback
from functools import cache
from pathlib import Path

from tunekit.console import out, redact
from tunekit.errors import Diverged, EnvironmentFailure, InputError, Interrupted

LAUNCHER = "TUNEKIT_LAUNCHER"  # the id of the process of ours that started this one
WORD = "TORCHELASTIC_ERROR_FILE"  # where torch's launcher looks for what a process has to say
SET_PDEATHSIG = 1  # of Linux's prctl


class Unreached(EnvironmentFailure):
    """Another process of the run, or its machine, does not answer."""


@cache
def launcher() -> int | None:
    """The id of the launcher of ours that started this process; of what this one starts it is none."""
    given = os.environ.pop(LAUNCHER, None)
    return int(given) if given else None


def started_here() -> bool:
    """Whether `relaunched` started this process, and so shows its errors."""
    return launcher() is not None


def follow_launcher() -> None:
    """End with the launcher of ours that started this process, even when that is killed (on Linux)."""
    if not started_here() or sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != launcher():  # which ended before it could be asked for
        os.kill(os.getpid(), signal.SIGKILL)


def report(error: BaseException, message: str, code: int) -> None:
    """Say why this process fails, where that is not said elsewhere.

    Under torch's launcher word is left for it, and one of ours says it. What all processes of a run raise is
    said by the first one of each machine.
    """
    if WORD in os.environ:
        leave_word(error, message, code)
    everywhere = isinstance(error, InputError | Interrupted | Diverged | Unreached)
    if not message or started_here():  # nothing to add to what was printed; or the launcher says it
        return
    if os.environ.get("LOCAL_RANK", "0") == "0" or not everywhere:
        out.error(message)


def leave_word(error: BaseException, message: str, code: int) -> None:
    """Write down why this process fails, in the form that torch's launcher reads."""
    extra = {
        "timestamp": str(int(time.time())),  # seconds
        "moment": time.monotonic(),  # seconds, the same clock for all processes of a machine
        "unreached": isinstance(error, Unreached),
        "trace": redact("".join(traceback.format_exception(error))),
    }
    document = {"message": redact(message), "errorCode": code, "extraInfo": extra}
    Path(os.environ[WORD]).write_text(json.dumps({"message": document}), encoding="utf-8")
