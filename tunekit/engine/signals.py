"""Signals that ask a run to stop: they set a flag, and the loop stops where it can be continued."""

import os
import signal
from threading import current_thread, main_thread
from types import FrameType
from typing import Any, Self

from tunekit.console import leave_closed_terminal
from tunekit.errors import Interrupted

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


class StopSignals:
    """While active, SIGTERM, SIGINT and SIGUSR1 only set `received`; a second SIGINT aborts at once.

    So does SIGHUP, which comes when a terminal is closed, unless it is ignored, as under nohup.

    With `at_once`, before there is anything to save, they raise, and SIGINT does what it always does.
    In a thread, as frameworks around a run use, nothing is changed: Python gives signals to the main one.
    """

    def __init__(self, *, at_once: bool = False) -> None:
        self.at_once = at_once
        self.received: str | None = None
        self.process = os.getpid()
        self.before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if current_thread() is main_thread():
            nohup = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
            stopping = {*STOPPING, *(() if nohup else (signal.SIGHUP,))}
            stopping -= {signal.SIGINT} if self.at_once else set()
            self.before = {each: signal.signal(each, self.handle) for each in stopping}
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for each, handler in self.before.items():
            signal.signal(each, handler)
        if kind is None:
            self.end()  # where some library has swallowed what was raised

    def handle(self, number: int, _: FrameType | None) -> None:
        """Note the signal. Workers, which inherit this, leave on SIGTERM and ignore the rest.

        Raises:
            Interrupted: there is nothing to save yet.
        """
        if os.getpid() != self.process:
            if number == signal.SIGTERM:
                os._exit(0)
            return
        if number == signal.SIGINT and self.received == "SIGINT":
            raise KeyboardInterrupt
        if number == signal.SIGHUP:
            leave_closed_terminal()
        self.received = signal.Signals(number).name
        self.end()

    def end(self) -> None:
        """With `at_once`, end where a signal came.

        Raises:
            Interrupted: one came.
        """
        if self.at_once and self.received:
            text = f"{self.received} received before there was anything to save"
            raise Interrupted(f"{text}; the same command begins again, or continues")
