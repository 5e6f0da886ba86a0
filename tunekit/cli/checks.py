"""The command that looks at a recipe before it is trained. What is heavy is imported inside."""

from pathlib import Path
from typing import Annotated

import typer

from tunekit.cli.app import AsJson, Debug, Offline, Overrides, Quiet, begin
from tunekit.console import out


def check(
    recipe: Annotated[str, typer.Argument(help="A recipe file, or the name of a shipped recipe.")],
    overrides: Overrides = None,
    step: Annotated[bool, typer.Option("--step/--no-step", help="Measure a real training step.")] = True,
    fix: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write the data without leaks and duplicates.")
    ] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(metavar="WHAT", help="With --fix: conflicts or near-duplicates, to leave them out too."),
    ] = None,
    offline: Offline = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Find what is wrong with a recipe and its data, and what training will cost, before it begins."""
    begin(as_json=as_json, quiet=quiet, offline=offline)
    from tunekit import examination

    report = examination.examine(recipe, *(overrides or []), step=step, fix=fix, also=also or [])
    out.result(report.document(), report.text())
    if report.code:
        raise typer.Exit(report.code)
