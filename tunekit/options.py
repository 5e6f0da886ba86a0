"""What the commands have in common: options, and how they begin and show numbers."""

from pathlib import Path
from typing import Annotated, Any

import typer

from tunekit.console import out
from tunekit.environment import configure, process_index

Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Recipe keys to override.")
]
RunOrModel = Annotated[
    str,
    typer.Argument(
        metavar="RUN_OR_MODEL", help="A run directory, a model folder, or user/name[@revision] of the Hub."
    ),
]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Where to write.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but results, warnings and errors.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]
Offline = Annotated[bool, typer.Option("--offline", help="Use no network.")]


def begin(*, as_json: bool, quiet: bool = False, offline: bool = False) -> None:
    """Set up how to talk, and what the libraries may do."""
    out.json, out.quiet = as_json, quiet
    out.speaks = process_index() == 0
    configure(offline=offline)


def interval(score: dict[str, Any]) -> str:
    """A metric's interval as text."""
    return "" if score["low"] is None else f"{score['low']:.4f} to {score['high']:.4f}"
