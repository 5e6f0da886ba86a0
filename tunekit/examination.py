"""A recipe and its data, looked at for all that can be known before training."""

from collections.abc import Sequence
from pathlib import Path

from tunekit import checks
from tunekit import recipe as recipes
from tunekit.console import out
from tunekit.engine import Fitting, StopSignals
from tunekit.environment import configure
from tunekit.hub import check_rights
from tunekit.prepare import assemble, check
from tunekit.run import Run


def examine(
    recipe: str | Path,
    *overrides: str,
    step: bool = True,
    fix: str | Path | None = None,
    also: Sequence[str] = (),
) -> checks.Report:
    """Look at a recipe and its data for all that can be known before training; errors are findings too.

    With `step` a real training step is measured. With `fix` the data are written to that folder without leaks
    and duplicates, and without what `also` names.

    Raises:
        InputError: the folder to write to is not empty.
    """
    configure()
    report = checks.Report(str(recipe))
    folder = Path(fix) if fix is not None else None
    checks.check_request(folder, also)
    with report.collect():
        settings = recipes.load(recipe, overrides, out.say)
        run = Run(Path("runs") / f"{Path(recipe).stem}-{settings.fingerprint[:8]}", writes=False)
        prepared = check(settings, run, overwrite=True)
        report.rows = {split: len(rows) for split, rows in prepared.data.splits.items()}

        def put_together() -> Fitting:
            """The parts of a run that is not begun."""
            return assemble(prepared, run, StopSignals(), None)

        subject = checks.Subject(**vars(prepared), put_together=put_together if step else None)
        subject.ask_hub = check_rights
        report.findings += checks.find_all(subject)
        if folder is not None:
            report.fixed = checks.fix(subject, folder, also)
    return report
