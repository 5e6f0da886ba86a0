"""The report of a run: one file that a browser shows without a network."""

from collections.abc import Mapping

from tunekit.data.load import Rows
from tunekit.errors import EnvironmentFailure, TunekitError, first_line
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
        TunekitError: it could not be made, which is a bug of ours; the run is whole.
    """
    if not run.writes:
        return
    whole = (
        f"the run is finished and whole, and only its report is missing, which tunekit evaluate {run.path}"
    )
    try:
        write(run.path / NAME, run_page(Subject(run, recipe, task, splits)))
    except EnvironmentFailure as error:
        raise EnvironmentFailure(f"{error}: {whole} writes too") from error
    except Exception as error:  # of whatever kind: hours of training must not look lost
        problem = f"{type(error).__name__}: {first_line(error)}"
        raise TunekitError(f"{whole} may write; please report this ({problem})") from error
