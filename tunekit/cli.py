"""The command line: one short function per command. What is heavy is imported inside."""

import json
import re
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from itertools import chain, islice, takewhile
from pathlib import Path
from typing import Annotated, Any

import typer

from tunekit import commands
from tunekit.console import as_json as to_json
from tunekit.console import duration, out, score, table
from tunekit.errors import InputError, Interrupted, explain
from tunekit.options import (
    AsJson,
    Debug,
    Offline,
    Output,
    Overrides,
    Quiet,
    RunOrModel,
    begin,
    interval,
)

app = typer.Typer(
    name="tunekit",
    help="Fine-tune pretrained checkpoints on the classic tasks, from a YAML recipe.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command()
def finetune(
    recipe: Annotated[str, typer.Argument(help="A recipe file, or the name of a shipped recipe.")],
    overrides: Overrides = None,
    output: Output = None,
    resume: Annotated[str, typer.Option(help="auto, never, or the path of a run or checkpoint.")] = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Begin a run anew.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check, show the resolved recipe, write nothing.")
    ] = False,
    offline: Offline = False,
    processes: Annotated[
        str, typer.Option(help="Processes on this machine, or auto for one per GPU.")
    ] = "auto",
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Check, train, evaluate and save, as a recipe says; the same command continues an interrupted run."""
    begin(as_json=as_json, quiet=quiet, offline=offline)
    from tunekit import recipe as recipes
    from tunekit.launch import relaunched

    settings = recipes.load(
        recipe, overrides or [], out.say
    )  # its errors come before anything heavy is imported
    if dry_run:
        out.say(settings.to_yaml().rstrip())
    elif relaunched(processes):
        return
    from tunekit import workflow

    run = workflow.finetune(
        settings, name=Path(recipe).stem, output=output, resume=resume, overwrite=overwrite, dry_run=dry_run
    )
    show(str(run.path), "checked" if dry_run else run.status, {} if dry_run else run.metrics(), run.facts)


@app.command()
def evaluate(
    run_or_model: RunOrModel,
    overrides: Overrides = None,
    split: Annotated[
        str | None, typer.Option(help="The split to score; by default test, else validation.")
    ] = None,
    output: Output = None,
    offline: Offline = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Score a split with a finished model; write metrics and predictions."""
    begin(as_json=as_json, quiet=quiet, offline=offline)
    from tunekit import workflow

    target, metrics = workflow.evaluate(run_or_model, *(overrides or []), split=split, output=output)
    show(str(target), "finished", metrics, {})


@app.command()
def predict(
    run_or_model: RunOrModel,
    source: Annotated[
        str,
        typer.Option(
            "--input",
            "-i",
            help="A file of rows, a picture, a folder of pictures, - for standard input, or "
            "user/name[@revision][:split] for a data set of the Hub, streamed.",
        ),
    ] = "-",
    output: Output = None,
    column: Annotated[
        list[str] | None, typer.Option(help="ROLE=COLUMN, where it cannot be inferred.")
    ] = None,
    offline: Offline = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Answer rows: one JSON line for each, in order."""
    begin(as_json=True, quiet=quiet, offline=offline)
    from tunekit import workflow

    if output and Path(source).exists() and output.resolve() == Path(source).resolve():
        raise InputError(f"--output {output} is the input itself; name another file")
    answers = workflow.predict(run_or_model, source, roles_and_columns(column or []))
    first = list(islice(answers, 1))  # what is wrong shows before anything is written
    with output.open("w", encoding="utf-8") if output else nullcontext(sys.stdout) as file:
        for answer in chain(first, answers):
            file.write(to_json(answer) + "\n")


for command in (commands.fetch, commands.reproduce):
    app.command()(command)


@app.command()
def doctor(
    recipe: Annotated[
        str, typer.Option("--resume", metavar="RECIPE", help="Prove that its runs survive being killed.")
    ],
    overrides: Overrides = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Keep the trial's runs in this folder.")
    ] = None,
    offline: Offline = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Prove on a few steps of a recipe that a killed run ends with the bytes of a whole one."""
    begin(as_json=as_json, quiet=quiet, offline=offline)
    from tunekit import doctor as trial
    from tunekit import recipe as recipes

    proof = trial.prove_resume(recipes.load(recipe, overrides or [], out.say), output)
    document = {"exact": proof.exact, "resumed_at": proof.resumed_at, "files": proof.files}
    rows = [[name, "equal" if equal else "differs"] for name, equal in proof.files.items()]
    out.result(document, f"{table(['file', 'killed and whole'], rows)}\n{trial.verdict(proof)}")
    if not proof.exact:
        raise typer.Exit(1)


@app.command()
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


@app.command()
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
    found = {name: (kinds.find(name).__doc__ or "").splitlines()[0] for name in kinds.names()}
    out.result({"tasks": found}, two_columns(found))


@app.command()
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


def show(run: str, status: str, metrics: dict[str, Any], facts: dict[str, Any]) -> None:
    """Print the result of a run: its metrics with their intervals, how long it took, and where it is."""
    seconds = facts.get("timings", {}).get("total")
    document = {"run": run, "status": status, "metrics": metrics, "seconds": seconds}
    rows = [
        [f"{split} {name}", score(each["value"]), interval(each), str(each["n"])]
        for split, scores in metrics.items()
        for name, each in scores.items()
    ]
    lines = [table(["metric", "value", "95 % interval", "n"], rows)] if rows else []
    took = f" in {duration(seconds)}" if seconds else ""
    out.result(document, "\n".join([*lines, f"{status}{took}: {run}"]))


def roles_and_columns(pairs: list[str]) -> dict[str, str]:
    """ROLE=COLUMN arguments by role."""
    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        raise InputError(f"--column {wrong[0]!r} is no ROLE=COLUMN; write for example --column text=review")
    return dict(pair.split("=", 1) for pair in pairs)


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


def main() -> None:
    """Run a command; every error ends as one message and its exit code."""
    try:
        code = app(standalone_mode=False)
    except SystemExit:
        raise
    except BaseException as error:
        if "--debug" in sys.argv:
            out.trace()
        usage = getattr(error, "format_message", None)  # an error of the command line itself
        message, code = (usage(), 2) if usage else explain(error)
        if out.speaks or not isinstance(
            error, InputError | Interrupted
        ):  # which all processes of a run raise
            out.error(message)
    sys.exit(code if isinstance(code, int) else 0)
