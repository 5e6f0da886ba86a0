"""Pushing a run: whether it may go, what goes, and what to do when it did not arrive."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tunekit import recipe as recipes
from tunekit.console import out
from tunekit.errors import EnvironmentFailure, InputError
from tunekit.hub.files import gather
from tunekit.hub.rights import check_target
from tunekit.hub.sending import Pushed, send, sizes
from tunekit.hub.target import Target
from tunekit.network import refuse_offline
from tunekit.recipe import HubSection, Recipe
from tunekit.run import Run


def check_rights(section: HubSection) -> None:
    """Ask the Hub before training whether the run may be pushed where the recipe says.

    Raises:
        InputError: the repository is public, and the run was to be private.
        EnvironmentFailure: there is no token, it has no rights, or the Hub cannot be reached.
    """
    if section.repo:
        check_target(Target.of(section))


def finished_run(path: Path) -> tuple[Run, Recipe]:
    """A run that was made before, and its recipe.

    Raises:
        InputError: it is no run.
    """
    run = Run(path)
    if not run.facts or not (path / "recipe.yaml").is_file():
        raise InputError(f"{path} is no run (it has no run.json); give the folder that finetune wrote")
    return run, recipes.load(path / "recipe.yaml")


def push_if_named(run: Run, recipe: Recipe) -> None:
    """Push a run where its recipe names a repository."""
    if recipe.hub.repo and run.writes:
        pushed = push_run(run, recipe, recipe.hub)
        out.say(f"pushed to {pushed.pull_request or pushed.url}")


def push_run(run: Run, recipe: Recipe, section: HubSection, *, dry_run: bool = False) -> Pushed:
    """Push a run's files to the repository of a section; with `dry_run` only list them.

    Raises:
        InputError: no repository is named, or the run is not finished.
        EnvironmentFailure: the Hub cannot be reached or refuses it.
    """
    target = Target.of(section)
    items = gather(run, recipe, section)
    if dry_run:
        return Pushed(target.repo, sizes(items))
    with told_how_to_continue(run, target, alone=section.adapter):
        refuse_offline(f"pushing to {target.repo}")
        return send(items, target, out.say)


@contextmanager
def told_how_to_continue(run: Run, target: Target, *, alone: bool) -> Iterator[None]:
    """Add the command that pushes again to what went wrong: the run itself is whole."""
    try:
        yield
    except (InputError, EnvironmentFailure) as error:
        words = ["tunekit", "push", str(run.path), target.repo, *([] if target.private else ["--public"])]
        words += ["--create-pr"] * target.create_pr + ["--adapter"] * alone
        words += ["--revision", target.revision] if target.revision else []
        said = "; ".join(error.problems) if isinstance(error, InputError) else str(error)
        raise type(error)(
            f"{said}. The run is finished and whole; push it later: {shlex.join(words)}"
        ) from error
