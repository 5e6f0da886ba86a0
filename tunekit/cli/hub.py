"""The commands that have to do with the Hub."""

from pathlib import Path
from typing import Annotated

import typer

from tunekit.cli.app import AsJson, Debug, Offline, Output, Overrides, Quiet, RunOrModel, begin, interval
from tunekit.console import out, score, table


def push(
    run: Annotated[Path, typer.Argument(help="A finished run.")],
    repo: Annotated[str | None, typer.Argument(help="user/name; by default the recipe's hub.repo.")] = None,
    public: Annotated[bool, typer.Option("--public", help="Let everybody see it.")] = False,
    create_pr: Annotated[bool, typer.Option("--create-pr", help="Propose it as a pull request.")] = False,
    revision: Annotated[str | None, typer.Option(help="The branch to push to; by default main.")] = None,
    adapter: Annotated[
        bool,
        typer.Option("--adapter", help="Push the adapter alone, without the model that it is merged into."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the files and their sizes, push nothing.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Push a run's model, card, recipe and scores to the Hub, in one commit; private unless --public."""
    begin(as_json=as_json, quiet=quiet)
    from tunekit import workflow

    pushed = workflow.push(
        run,
        repo,
        public=public,
        create_pr=create_pr,
        revision=revision,
        adapter=adapter,
        dry_run=dry_run,
    )
    rows = [[path, f"{size:,}"] for path, size in pushed.files.items()]
    place = pushed.pull_request or pushed.url or f"nothing pushed; these files would go to {pushed.repo}"
    out.result(pushed.document(), f"{table(['file', 'bytes'], rows)}\n{place}")


def fetch(
    recipe: Annotated[str, typer.Argument(help="A recipe file, or the name of a shipped recipe.")],
    overrides: Overrides = None,
    offline: Offline = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Put all of the Hub that a recipe needs into the cache, so that it runs with --offline; list it."""
    begin(as_json=as_json, quiet=quiet, offline=offline)
    from tunekit import recipe as recipes

    settings = recipes.load(recipe, overrides or [], out.say)  # its errors come before anything heavy
    from tunekit import workflow

    files = workflow.fetch(settings)
    document = [{"of": f.of, "file": f.name, "bytes": f.bytes, "was_there": f.was_there} for f in files]
    rows = [[f"{f.of}: {f.name}", f"{f.bytes:,}", "was there" if f.was_there else "fetched"] for f in files]
    total = f"{sum(f.bytes for f in files):,} bytes in the cache"
    nothing = "nothing to fetch: the recipe names nothing on the Hub"
    text = f"{table(['file', 'bytes', ''], rows)}\n{total}" if files else nothing
    out.result({"files": document}, text)


def reproduce(
    run_or_model: RunOrModel,
    overrides: Overrides = None,
    evaluate_only: Annotated[
        bool, typer.Option("--evaluate-only", help="Score the model again, and do not train.")
    ] = False,
    output: Output = None,
    offline: Offline = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Make a finished run again, and say which metrics come out inside their recorded intervals."""
    begin(as_json=as_json, quiet=quiet, offline=offline)
    from tunekit.launch import relaunched

    if not evaluate_only and relaunched("auto"):
        return
    from tunekit import reproduction

    path, verdicts = reproduction.reproduce(
        run_or_model, *(overrides or []), evaluate_only=evaluate_only, output=output
    )
    found = [
        {"split": v.split, "metric": v.metric, **v.recorded.model_dump(), "now": v.value, "inside": v.inside}
        for v in verdicts
    ]
    rows = [
        [f"{v.split} {v.metric}", score(v.recorded.value), interval(v.recorded.model_dump()), score(v.value)]
        + ["inside" if v.inside else "outside"]
        for v in verdicts
    ]
    count = sum(v.inside for v in verdicts)
    text = table(["metric", "recorded", "95 % interval", "now", ""], rows)
    last = f"{count} of {len(verdicts)} metrics are inside their intervals: {path}"
    reproduced = count == len(verdicts)
    out.result({"run": str(path), "reproduced": reproduced, "metrics": found}, f"{text}\n{last}")
    if not reproduced:
        raise typer.Exit(1)
