"""What can go wrong, and the exit code of each kind.

    TunekitError                1   a bug of ours, when nothing below fits
    ├── InputError              2   the recipe, the data or the checkpoint is wrong
    ├── EnvironmentFailure      3   disk, network, rights, a missing package
    ├── Diverged                4   the loss or a gradient is no longer a finite number
    └── Interrupted            75   stopped after saving; the same command continues

A message says what is wrong, where, what exists, and ends with what to do.
"""

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

MOST_SHOWN = 12  # problems on one screen


class TunekitError(Exception):
    """An error whose message is meant for the user."""

    exit_code = 1


class InputError(TunekitError):
    """The recipe, the data or the checkpoint is wrong; carries every problem found."""

    exit_code = 2

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))


class EnvironmentFailure(TunekitError):
    """The machine, the network or an account does not allow what was asked."""

    exit_code = 3


class Diverged(TunekitError):
    """Training produced a loss or a gradient that is not a finite number."""

    exit_code = 4


class Interrupted(TunekitError):
    """A signal stopped the run after everything needed to continue was saved."""

    exit_code = 75


class Problems:
    """Collects problems from several checks, so that the user sees all of them at once."""

    def __init__(self) -> None:
        self.found: list[str] = []

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Keep the problems of an `InputError` raised inside, and go on after the block."""
        try:
            yield
        except InputError as error:
            self.found += error.problems

    def raise_if_any(self) -> None:
        """Raise one `InputError` with everything collected."""
        if self.found:
            raise InputError(self.found)


def nearest(word: str, words: Iterable[str]) -> str:
    """Name the likeliest meant word as a clause, or nothing when none is near."""
    by_key = {key(w): w for w in words for key in (str.lower, str.strip, lambda w: w.strip().lower())}
    close = difflib.get_close_matches(word.strip().lower(), by_key, n=1, cutoff=0.6)
    return f"; did you mean {by_key[close[0]]!r}?" if close else ""


def listing(words: Iterable[object], most: int = 20) -> str:
    """List words for a message, cut after `most`."""
    shown = [str(word) for word in words]
    rest = f" and {len(shown) - most} more" if len(shown) > most else ""
    return ", ".join(shown[:most]) + rest if shown else "none"


def screenful(problems: Sequence[str]) -> str:
    """Lay out problems as one screen: a bullet each, cut with a count."""
    lines = [f"  - {problem}" for problem in problems[:MOST_SHOWN]]
    if len(problems) > MOST_SHOWN:
        lines.append(f"  ... and {len(problems) - MOST_SHOWN} more like these")
    return "\n".join(lines)


def advice_for_network(error: BaseException) -> str:
    """What to do when something could not be fetched."""
    return f"{first_line(error)}. Check the name and the network, or give a local folder instead"


def first_line(error: BaseException) -> str:
    """The first line of an exception's text, or its type when it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


# Exceptions of others, by the name of a class they descend from, so that no library is imported to ask.
FOREIGN: dict[str, tuple[int, Callable[[BaseException], str]]] = {
    "ConnectionError": (3, advice_for_network),
    "HfHubHTTPError": (3, advice_for_network),
    "OfflineModeIsEnabled": (3, advice_for_network),
    "LocalEntryNotFoundError": (3, advice_for_network),
    "PermissionError": (3, lambda e: f"{first_line(e)}. Choose a folder that you may write to"),
    "OSError": (3, lambda e: f"{first_line(e)}. Check the path, the free space and your rights"),
    "ModuleNotFoundError": (3, lambda e: f"{first_line(e)}. Install it with pip"),
    "KeyboardInterrupt": (130, lambda e: "stopped at once; nothing was saved since the last checkpoint"),
}


def explain(error: BaseException) -> tuple[str, int]:
    """The message and the exit code of any exception."""
    if isinstance(error, InputError):
        count = len(error.problems)
        head = "1 problem" if count == 1 else f"{count} problems"
        return f"{head} found, nothing was changed:\n{screenful(error.problems)}", error.exit_code
    if isinstance(error, TunekitError):
        return str(error), error.exit_code
    for kind in type(error).__mro__:
        if kind.__name__ in FOREIGN:
            code, message = FOREIGN[kind.__name__]
            return message(error), code
    return (
        f"internal error: {type(error).__name__}: {first_line(error)}. Run again with --debug and report it",
        1,
    )
