"""Signals that ask a run to stop: they set a flag, and the loop stops where it can be continued."""

import os
import signal
from threading import current_thread, main_thread
from types import FrameType
from typing import Any, Self

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


class StopSignals:
    """While active, SIGTERM, SIGINT and SIGUSR1 only set `received`; a second SIGINT aborts at once.

    So does SIGHUP, which comes when a terminal is closed, unless it is ignored, as under nohup.

    In a thread, as frameworks around a run use, nothing is changed: Python gives signals to the main one.
    """

    def __init__(self) -> None:
        self.received: str | None = None
        self.process = os.getpid()
        self.before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if current_thread() is main_thread():
            nohup = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
            stopping = STOPPING if nohup else (*STOPPING, signal.SIGHUP)
            self.before = {each: signal.signal(each, self.handle) for each in stopping}
        return self

    def __exit__(self, *_: object) -> None:
        for each, handler in self.before.items():
            signal.signal(each, handler)

    def handle(self, number: int, _: FrameType | None) -> None:
        """Note the signal. Workers, which inherit this, leave on SIGTERM and ignore the rest."""
        if os.getpid() != self.process:
            if number == signal.SIGTERM:
                os._exit(0)
            return
        if number == signal.SIGINT and self.received == "SIGINT":
            raise KeyboardInterrupt
        self.received = signal.Signals(number).name
