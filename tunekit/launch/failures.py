"""Which process of a run failed first, and what its launcher says of it."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunekit.console import same_command
from tunekit.errors import TunekitError, cut

BUG = 1  # exit code of an error that nobody foresaw; hardware that fails shows as one too
ENVIRONMENT = 3
PATIENT = 20  # seconds; torch's launcher gives others 30 to end after a failure
LAST_LINES = 3  # of what a process printed


@dataclass(frozen=True)
class Failure:
    """Why one process failed."""

    rank: int
    code: int  # exit code; minus the signal that killed it
    message: str = ""  # its own word, where it left one
    trace: str = ""
    unreached: bool = False  # it only missed others
    when: tuple[float, float] = (0.0, 0.0)  # seconds: of the clock, and where it left word more finely

    @property
    def killed(self) -> bool:
        """Whether a signal killed it."""
        return self.code < 0

    def order(self, earliest: float) -> tuple[Any, ...]:
        """Sorts what began it all before what followed from it, given when the first process ended.

        Errors with a word of their own come before signals, then silent exits, then those that only missed
        another; last those that the launcher ended by SIGTERM, or by SIGKILL when they did not heed it.
        """
        late = self.code == -signal.SIGKILL and self.when[0] - earliest > PATIENT
        ended = late or self.code == -signal.SIGTERM
        kind = 4 if ended else 3 if self.unreached else 1 if self.killed else 0 if self.trace else 2
        return (kind, self.when, self.rank)


class Failed(TunekitError):
    """Processes of this run failed; says what the first had to say, and exits as it did."""

    def __init__(self, message: str, code: int) -> None:
        self.exit_code = code
        super().__init__(message)


def first_of(failures: Mapping[int, Any], printed: Mapping[int, str | None]) -> Failure:
    """The failure that the others followed from, of torch's by rank; `printed` are files of their stderr."""
    found = [read(rank, each, printed) for rank, each in failures.items()]
    earliest = min(each.when[0] for each in found)
    return min(found, key=lambda each: each.order(earliest))


def read(rank: int, failure: Any, printed: Mapping[int, str | None]) -> Failure:
    """A failure as torch's launcher saw it, with the word that the process left, or what it printed last."""
    word = failure.error_file_data.get("message")
    if not isinstance(word, dict):
        said = last_printed(printed.get(failure.local_rank))
        return Failure(rank, failure.exitcode, said, when=(float(failure.timestamp), 0.0))
    extra = word.get("extraInfo", {})
    return Failure(
        rank,
        int(word.get("errorCode", failure.exitcode)),  # also of one that was ended while it was leaving
        str(word.get("message", "")),
        str(extra.get("trace", "")),
        bool(extra.get("unreached")),
        (float(failure.timestamp), float(extra.get("moment", 0.0))),
    )


def last_printed(path: str | None) -> str:
    """The last lines that a process printed, where they went to a file and not to the terminal."""
    if not path or not Path(path).is_file():
        return ""
    lines = Path(path).read_text(errors="replace").strip().splitlines()
    return "; ".join(line.strip() for line in lines[-LAST_LINES:])


def is_accident(failure: Failure, before: Failure | None) -> bool:
    """Whether the same may go well the next time: a kill, or an unforeseen error that is not the last one."""
    if failure.killed:
        return True
    return failure.code == BUG and bool(failure.trace) and (not before or before.message != failure.message)


def sentence(failure: Failure, count: int) -> str:
    """Say what happened to a process, without what to do."""
    if not failure.killed:
        return failure.message
    number = -failure.code
    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    text = f"process {failure.rank} of {count} was killed by {name}"
    if number == signal.SIGKILL:
        return f"{text}, as Linux does when memory runs out (dmesg tells)"
    return text + (f"; it printed last: {cut(failure.message, 300)}" if failure.message else "")


def failed(failure: Failure, count: int, restarts: int) -> Failed:
    """The exception that ends a launcher as its first failing process ended, with its sentence."""
    if not failure.killed:
        raised = Failed(failure.message, failure.code)
        if failure.trace:
            raised.add_note(f"in process {failure.rank}:\n{failure.trace}")
        return raised
    again = f" after {restarts} restarts" if restarts > 1 else " after a restart" if restarts else ""
    starved = failure.code == -signal.SIGKILL
    advice = "give the machine more memory or lower train.micro_batch; " if starved else ""
    what = f"{sentence(failure, count)}{again}"
    return Failed(f"{what}; {advice}{same_command()} continues from the last checkpoint", ENVIRONMENT)
