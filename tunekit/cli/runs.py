"""The commands that make and use runs. What is heavy is imported inside."""

import sys
from collections.abc import Callable
from contextlib import nullcontext
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tunekit.cli.app import (
    AsJson,
    Debug,
    Offline,
    Output,
    Overrides,
    Quiet,
    RunOrModel,
    begin,
    show,
    show_several,
)
from tunekit.console import as_json as to_json
from tunekit.console import out, score, table
from tunekit.errors import InputError

if TYPE_CHECKING:
    from tunekit.recipe import Recipe
Separator = Annotated[
    str | None,
    typer.Option(help="What separates columns; by default as in the model's own data, else , or a tab."),
]
Encoding = Annotated[
    str | None, typer.Option(help="Of a text file; by default UTF-8, else as in the model's own data.")
]
Adapters = Annotated[
    list[str] | None,
    typer.Option(help="A further adapter on the same checkpoint: run, folder or user/name; repeatable."),
]


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
    seeds: Annotated[
        int | None,
        typer.Option(metavar="N", help="Make N runs that differ in their seed, and report the spread."),
    ] = None,
    restarts: Annotated[
        int | None,
        typer.Option(min=0, help="How often a killed process lets all continue; 3 with several, 0 with one."),
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="How long processes wait for each other; 600.")
    ] = None,
    push: Annotated[
        str | None, typer.Option("--push", metavar="REPO", help="Push the finished run to user/name.")
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Check, train, evaluate and save, as a recipe says; the same command continues an interrupted run."""
    begin(as_json=as_json, quiet=quiet, offline=offline)
    from tunekit import recipe as recipes
    from tunekit.launch import relaunched, set_patience, started_here

    set_patience(timeout)
    overrides = [*(overrides or []), *([f"hub.repo={push}"] if push else [])]
    overrides += [f"train.seeds={seeds}"] if seeds is not None else []
    said: Callable[[str], None] = (lambda _: None) if started_here() else out.say  # the launcher has said it
    settings = recipes.load(recipe, overrides, said)  # its errors come before anything heavy is imported
    from tunekit.engine import StopSignals

    if dry_run:
        out.say(settings.to_yaml().rstrip())
    with StopSignals(at_once=True):  # while libraries are imported
        if not dry_run and relaunched(processes, restarts):
            return
        from tunekit import workflow

    given: dict[str, Any] = {"name": Path(recipe).stem, "output": output, "resume": resume}
    given["overwrite"] = overwrite
    if settings.train.seeds > 1:
        make_seeds(settings, given, dry_run=dry_run)
        return
    run = workflow.finetune(settings, **given, dry_run=dry_run)
    show(str(run.path), "checked" if dry_run else run.status, {} if dry_run else run.metrics(), run.facts)


def make_seeds(settings: "Recipe", given: dict[str, Any], *, dry_run: bool) -> None:
    """Make a recipe's runs of several seeds and print their spread; with `dry_run` check the first alone."""
    from tunekit import seeds as several
    from tunekit import workflow

    if dry_run:
        first = workflow.finetune(several.apart(settings)[0], **given, dry_run=True)
        show(str(first.path), "checked", {}, {})
        return
    found = several.finetune_seeds(settings, **given)
    rows = [
        [f"{split} {name}", score(each.mean), score(each.spread), f"{each.low:.4f} to {each.high:.4f}"]
        + [f"{min(each.values):.4f} to {max(each.values):.4f}"]
        for split, metrics in found.metrics.items()
        for name, each in metrics.items()
    ]
    text = table(["metric", "mean", "spread", "95 % interval of the mean", "lowest and highest"], rows)
    by = f", best on validation by {found.metric}: {found.best_run}" if found.metric else ""
    document = {"run": str(found.path), "status": "finished", **found.facts()}
    out.result(document, f"{text}\n{len(found.seeds)} runs finished in {found.path}{by}")


def evaluate(
    run_or_model: RunOrModel,
    overrides: Overrides = None,
    split: Annotated[
        str | None, typer.Option(help="The split to score; by default test, else validation.")
    ] = None,
    adapter: Adapters = None,
    output: Output = None,
    offline: Offline = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Score a split with a finished model; write metrics and predictions."""
    begin(as_json=as_json, quiet=quiet, offline=offline)
    from tunekit import workflow

    target, metrics = workflow.evaluate(
        run_or_model, *(overrides or []), split=split, output=output, adapters=adapter or []
    )
    if adapter:
        show_several(str(target), metrics)
    else:
        show(str(target), "finished", metrics, {})


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
    adapter: Adapters = None,
    output: Output = None,
    column: Annotated[
        list[str] | None, typer.Option(help="ROLE=COLUMN, where it cannot be inferred.")
    ] = None,
    separator: Separator = None,
    encoding: Encoding = None,
    offline: Offline = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Answer rows: one JSON line for each, in order."""
    begin(as_json=True, quiet=quiet, offline=offline)
    from tunekit import workflow
    from tunekit.data.manner import checked

    if output:
        check_file(output, source)
    written = checked(separator, encoding)
    columns = roles_and_columns(column or [])
    answers = workflow.predict(run_or_model, source, columns, adapter or [], **written)
    first = list(islice(answers, 1))  # what is wrong shows before anything is written
    with output.open("w", encoding="utf-8") if output else nullcontext(sys.stdout) as file:
        for answer in chain(first, answers):
            file.write(to_json(answer) + "\n")


def check_file(output: Path, source: str) -> None:
    """Refuse a file that cannot be written, or that is read."""
    if output.is_dir() or not output.parent.is_dir():
        raise InputError(f"--output {output} is a folder, or in a folder that is not there; name another")
    if Path(source).exists() and output.resolve() == Path(source).resolve():
        raise InputError(f"--output {output} is the input itself; name another file")


def roles_and_columns(pairs: list[str]) -> dict[str, str]:
    """ROLE=COLUMN arguments by role."""
    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        raise InputError(f"--column {wrong[0]!r} is no ROLE=COLUMN; write for example --column text=review")
    return dict(pair.split("=", 1) for pair in pairs)
