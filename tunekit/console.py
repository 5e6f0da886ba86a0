"""What tunekit says: results to stdout, talk to stderr, through one object that tells no secrets."""

import json
import math
import os
import re
import shlex
import sys
import traceback
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any

TOKEN = re.compile(  # of the Hub, and of others that recipes and command lines come near
    r"(?<![A-Za-z0-9])(?:(?:hf|api_org)_[A-Za-z0-9]{16,}|gh[a-z]_[A-Za-z0-9]{20,}|github_pat_\w{20,}"
    r"|sk-(?:[a-z]+-)?[A-Za-z0-9]{20,})"
)
SECRET_NAME = re.compile(r"(?i)(?:^|_)(?:token|key|secret|password|passwd|credentials?)$")  # of a variable
HUGE = 1e9  # from here on a score is told by its power of ten
SHORTEST_SECRET = 12  # characters: a shorter value is too common in other texts


class Console:
    """Results go to stdout and talk to stderr, so that `--json` can be piped."""

    def __init__(self) -> None:
        self.json = False
        self.quiet = False
        self.speaks = True  # False on all processes of a run but the first

    def say(self, text: str) -> None:
        """Tell something that is good to know."""
        if self.speaks and not self.quiet:
            print(redact(text), file=sys.stderr, flush=True)

    def warn(self, text: str) -> None:
        """Tell something that the user should act on."""
        if self.speaks:
            print(f"warning: {redact(text)}", file=sys.stderr, flush=True)

    def error(self, text: str) -> None:
        """Tell why the command failed."""
        print(f"error: {redact(text)}", file=sys.stderr, flush=True)

    def trace(self) -> None:
        """Show how the exception that is being handled came about."""
        print(redact(traceback.format_exc()), file=sys.stderr, end="", flush=True)

    def result(self, document: dict[str, Any], text: str) -> None:
        """Give the command's result: a JSON document with `--json`, else text."""
        if self.speaks:
            print(redact(as_json(document) if self.json else text), flush=True)

    def live(self) -> "Live | Silent":
        """A line that changes in place on a terminal, and is silent elsewhere."""
        return Live() if self.speaks and not self.quiet and sys.stderr.isatty() else Silent()


def leave_closed_terminal() -> None:
    """Write to nowhere from now on where the terminal is closed: an error there would stop what goes on."""
    for place in (1, 2):  # stdout and stderr
        try:
            os.write(place, b"")  # which fails on a closed terminal alone
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), place)


def redact(text: str) -> str:
    """A text with *** for everything in it that is, or looks like, a token or password."""
    secrets = (
        value
        for name, value in os.environ.items()
        if SECRET_NAME.search(name) and len(value) >= SHORTEST_SECRET
    )
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return TOKEN.sub("***", text)


class Silent(nullcontext["Silent"]):
    """Stands in for `Live` where nobody watches."""

    def __enter__(self) -> "Silent":
        return self

    def update(self, text: str, done: float) -> None:
        """Show nothing."""


class Live(AbstractContextManager["Live"]):
    """One line of progress, drawn by rich."""

    def __init__(self) -> None:
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, Progress, TextColumn

        columns = (
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.description}"),
        )
        self.progress = Progress(*columns, console=RichConsole(stderr=True), transient=True)
        self.bar = self.progress.add_task("", total=1.0)

    def __enter__(self) -> "Live":
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def update(self, text: str, done: float) -> None:
        """Show a line of text beside a bar that is filled to the share `done`."""
        self.progress.update(self.bar, description=text, completed=done)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Plain text columns: the first to the left, the others to the right."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = []
    for row in [header, *rows]:
        cells = [
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def as_json(document: Any, indent: int | None = None) -> str:
    """JSON that every reader takes: a number that is not finite, such as NaN, is null."""
    try:
        return json.dumps(document, indent=indent, ensure_ascii=False, allow_nan=False)
    except ValueError:
        return json.dumps(finite(document), indent=indent, ensure_ascii=False)


def finite(document: Any) -> Any:
    """Plain data with None for every number that is not finite."""
    if isinstance(document, float):
        return document if math.isfinite(document) else None
    if isinstance(document, dict):
        return {key: finite(value) for key, value in document.items()}
    return list(map(finite, document)) if isinstance(document, list | tuple) else document


def score(value: float | None) -> str:
    """A metric's value as text; a dash where it is no finite number."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.4f}" if abs(value) < HUGE else f"{value:.3e}"


def duration(seconds: float) -> str:
    """Seconds as people say them: 42 s, 3 min 10 s, 2 h 05 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def command_line() -> str:
    """The command that was given, without anything that looks like a token."""
    words = ["tunekit", *sys.argv[1:]] if Path(sys.argv[0]).name in ("tunekit", "__main__.py") else ["python"]
    return redact(shlex.join(words))


def same_command() -> str:
    """What the user gives again to continue: the same command, but for options that begin anew."""
    words, anew = [*sys.argv[1:], ""], []
    if "--overwrite" in words:
        anew.append("--overwrite")
    if "--resume=never" in words or ("--resume", "never") in pairwise(words):
        anew.append("--resume never")
    return f"the same command without {' and '.join(anew)}" if anew else "the same command"


out = Console()
