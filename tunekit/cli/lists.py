"""The commands that tell what there is."""

import json
import re
from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path
from typing import Annotated

import typer

from tunekit.cli.app import AsJson, Debug, Quiet, begin
from tunekit.console import out, table


def recipes(
    name: Annotated[str | None, typer.Argument(help="The recipe to print.")] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """List the shipped recipes, or print one."""
    begin(as_json=as_json, quiet=quiet)
    from tunekit import recipe

    if name is None:
        shipped = {each: summary(path) for each, path in recipe.shipped().items()}
        out.result({"recipes": shipped}, two_columns(shipped))
    else:
        text = recipe.find(name).read_text()
        out.result({"name": name, "recipe": text}, text.rstrip())


def tasks(
    families: Annotated[
        bool, typer.Option("--families", help="Show which family of models can do which task.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """List the tasks."""
    begin(as_json=as_json, quiet=quiet)
    from tunekit import tasks as kinds

    if families:
        show_families()
        return
    found = {name: (kinds.find(name).__doc__ or "").splitlines()[0] for name in kinds.every()}
    out.result({"tasks": found}, two_columns(found))


def schema(as_json: AsJson = False, quiet: Quiet = False, debug: Debug = False) -> None:
    """Print the JSON Schema of a recipe, for editors."""
    begin(as_json=as_json, quiet=quiet)
    from tunekit.recipe.schema import schema as make_schema

    print(json.dumps(make_schema(), indent=2))


def show_families() -> None:
    """Print the head that each family of models has for each task."""
    from tunekit.models.families import table as able

    found = able()
    names = list(next(iter(found.values())))
    rows = [
        [family, *((heads[name] or "-").removeprefix("AutoModelFor") for name in names)]
        for family, heads in found.items()
    ]
    out.result({"families": found}, table(["family", *names], rows))


def two_columns(texts: Mapping[str, str]) -> str:
    """A line for each name, with its text beside it."""
    width = max(map(len, texts)) + 2
    return "\n".join(f"{name:<{width}}{text}" for name, text in texts.items())


def summary(path: Path) -> str:
    """The beginning of a recipe's head comment, up to what explains it in brackets or behind a semicolon."""
    lines = [line.lstrip("# ").strip() for line in path.read_text().splitlines() if line.startswith("#")]
    start = next(i for i, line in enumerate(lines) if line and not line.startswith("yaml-language-server"))
    paragraph = " ".join(takewhile(bool, lines[start:]))
    return re.split(r" \(|;|\. |\.$", paragraph)[0]
