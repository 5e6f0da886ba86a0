"""The commands that bring a run to the Hub."""

from pathlib import Path
from typing import Annotated

import typer

from tunekit.cli.app import AsJson, Debug, Quiet, begin
from tunekit.console import out, table


def push(
    run: Annotated[Path, typer.Argument(help="A finished run.")],
    repo: Annotated[str | None, typer.Argument(help="user/name; by default the recipe's hub.repo.")] = None,
    public: Annotated[bool, typer.Option("--public", help="Let everybody see it.")] = False,
    create_pr: Annotated[bool, typer.Option("--create-pr", help="Propose it as a pull request.")] = False,
    revision: Annotated[str | None, typer.Option(help="The branch to push to; by default main.")] = None,
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

    pushed = workflow.push(run, repo, public=public, create_pr=create_pr, revision=revision, dry_run=dry_run)
    rows = [[path, f"{size:,}"] for path, size in pushed.files.items()]
    place = pushed.pull_request or pushed.url or f"nothing pushed; these files would go to {pushed.repo}"
    out.result(pushed.document(), f"{table(['file', 'bytes'], rows)}\n{place}")
