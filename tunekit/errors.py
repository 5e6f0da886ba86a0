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
LONGEST = 600  # characters of one problem
LONGEST_PATH = 300
LONGEST_WORD = 60  # characters of a name or value inside a problem


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
        self.groups: list[list[str]] = []  # of one check each
        self.failures: list[EnvironmentFailure] = []

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Keep what an `InputError` or `EnvironmentFailure` raised inside says, and go on after the block."""
        try:
            yield
        except InputError as error:
            self.groups.append(error.problems)
        except EnvironmentFailure as error:
            self.failures.append(error)

    @property
    def found(self) -> list[str]:
        """Every problem, the shortest group first: a thousand bad rows must not push one bad folder away."""
        groups = sorted([*self.groups, *([str(failure)] for failure in self.failures)], key=len)
        return [problem for group in groups for problem in group]

    def raise_if_any(self) -> None:
        """Raise one `InputError` with everything collected; of failures alone, one `EnvironmentFailure`."""
        if self.groups:
            raise InputError(self.found)
        if len(self.failures) > 1:
            raise EnvironmentFailure("\n".join(map(str, self.failures)))
        if self.failures:
            raise self.failures[0]


def nearest(word: str, words: Iterable[str]) -> str:
    """Name the likeliest meant word as a clause, or nothing when none is near.

    Near is a word spelled alike (`trian`), one inside the given (`num_epochs`), or one it abbreviates (`lr`).
    """
    by_key = {key(w): w for w in words for key in (str.lower, str.strip, lambda w: w.strip().lower())}
    given = word.strip().lower()[:LONGEST_WORD]
    close = difflib.get_close_matches(given, by_key, n=1, cutoff=0.6)
    close += sorted((key for key in by_key if len(key) > 3 and key in given), key=len, reverse=True)
    close += [key for key in by_key if "_" in key and initials(key) == given]
    return f"; did you mean {by_key[close[0]]!r}?" if close else ""


def initials(name: str) -> str:
    """The first letters of a name's parts: `lr` for `learning_rate`."""
    return "".join(part[:1] for part in name.split("_"))


def listing(words: Iterable[object], most: int = 20) -> str:
    """List words for a message, cut after `most`; spaces around a word are made visible by quotes."""
    shown = [cut(word if word and word == word.strip() else repr(word)) for word in map(str, words)]
    rest = f" and {len(shown) - most} more" if len(shown) > most else ""
    return ", ".join(shown[:most]) + rest if shown else "none"


def cut(text: str, most: int = LONGEST_WORD) -> str:
    """A text on one line, cut where it is long."""
    lines = text.splitlines()
    line = text if len(lines) < 2 else " ".join(line.strip() for line in lines)
    return line if len(line) <= most else f"{line[: most - 3]}..."


def screenful(problems: Sequence[str]) -> str:
    """Lay out problems as one screen: a bullet each, cut with a count."""
    lines = [f"  - {cut(problem, LONGEST)}" for problem in problems[:MOST_SHOWN]]
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
    "TransportError": (3, advice_for_network),  # of httpx
    "OfflineModeIsEnabled": (3, advice_for_network),
    "LocalEntryNotFoundError": (3, advice_for_network),
    "PermissionError": (3, lambda e: f"{first_line(e)}. Choose another place, or ask for the rights to it"),
    "OSError": (3, lambda e: f"{first_line(e)}. Check the path, the free space and your rights"),
    "ModuleNotFoundError": (3, lambda e: f"{first_line(e)}. Install it with pip"),
    "UnpicklingError": (
        2,
        lambda e: (
            "a .bin file is damaged, or holds more than tensors, which is never read; give a checkpoint "
            "with safetensors"
        ),
    ),
    "KeyboardInterrupt": (130, lambda e: "stopped at once; nothing was saved since the last checkpoint"),
}


def explain(error: BaseException) -> tuple[str, int]:
    """The message and the exit code of any exception."""
    if isinstance(error, InputError):
        count = len(error.problems)
        head = "1 problem" if count == 1 else f"{count} problems"
        return f"{head} found:\n{screenful(error.problems)}", error.exit_code
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
