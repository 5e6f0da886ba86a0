"""The report of a run: one file that a browser shows without a network."""

from collections.abc import Mapping

from tunekit.data.load import Rows
from tunekit.errors import EnvironmentFailure
from tunekit.recipe import Recipe
from tunekit.report.page import run_page
from tunekit.report.subject import Subject
from tunekit.run import Run, write
from tunekit.tasks.base import Task

__all__ = ["NAME", "write_report"]

NAME = "report.html"


def write_report(run: Run, recipe: Recipe, task: Task, splits: Mapping[str, Rows]) -> None:
    """Write the report of a run into it, or that of scores into their folder; `splits` are the rows read.

    Raises:
        EnvironmentFailure: it could not be written; the run is whole.
    """
    if not run.writes:
        return
    text = run_page(Subject(run, recipe, task, splits))
    try:
        write(run.path / NAME, text)
    except EnvironmentFailure as error:
        raise EnvironmentFailure(
            f"{error}: the run is finished and whole, only its report is missing, which "
            f"tunekit evaluate {run.path} writes too"
        ) from error
