"""The stages of each command, in order. Start reading here."""

import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tunekit import checks, evaluation
from tunekit import recipe as recipes
from tunekit.card import card
from tunekit.console import out
from tunekit.data.streams import stream
from tunekit.engine import Fitting, StopSignals, fit
from tunekit.environment import configure, hush
from tunekit.finish import finish
from tunekit.models.finetuned import find_folder, load_task, load_weights
from tunekit.models.precision import use_fastest_exact_fp32
from tunekit.prepare import already_finished, assemble, check, named_checkpoint
from tunekit.recipe import Recipe
from tunekit.recipe.sections import HubSection
from tunekit.rescore import in_run, names_data, recipe_for, rows_to_score, score_folder
from tunekit.run import Run, check_links, choose

MORE = "tunekit check also looks for duplicates, leaks and what limits cut off, and measures a step"


def finetune(
    recipe: str | Path | Recipe,
    *overrides: str,
    name: str | None = None,
    output: str | Path | None = None,
    resume: str = "auto",
    overwrite: bool = False,
    dry_run: bool = False,
) -> Run:
    """Fine-tune as a recipe says, evaluate, and return the run directory.

    An unfinished run in the same place is continued, a finished one is returned as it is. `name` begins the
    name of the default output directory.

    Raises:
        InputError: something given is wrong; nothing was written.
        Interrupted: a signal came; the same call continues.
        Diverged: the loss or a gradient is not finite.
    """
    configure()
    settings = recipe if isinstance(recipe, Recipe) else recipes.load(recipe, overrides, out.say)
    stem = name or (settings.task.name if isinstance(recipe, Recipe) else Path(recipe).stem)
    run = choose(f"{stem}-{settings.fingerprint[:8]}", output, resume, overwrite=overwrite)
    begin_from = named_checkpoint(resume)
    if already_finished(run, settings, resume=resume, overwrite=overwrite):
        return run
    prepared = check(settings, run, overwrite=overwrite)
    if run.status == "new":
        out.say(MORE)
    if dry_run:
        return run
    with run.lock(), StopSignals() as signals:
        run.begin(prepared.rerunnable, overwrite=overwrite)
        with run.kept():
            fitting = assemble(prepared, run, signals, begin_from)
            fit(fitting)
            finish(fitting, settings.task.name, prepared.data.splits)
            run.write_card(card(run, settings))
    return run


def evaluate(
    run_or_model: str | Path, *overrides: str, split: str | None = None, output: str | Path | None = None
) -> tuple[Path, dict[str, Any]]:
    """Score a split with a finished model; write metrics and predictions, return where, and the metrics.

    By default the split is test where there is one, else validation, of the run's own data. Scores of other
    data, named by overrides, go to a folder of their own.
    """
    configure()
    hush()
    use_fastest_exact_fp32()
    path = Path(run_or_model)
    folder = find_folder(path)
    target = Path(output) if output else score_folder(path, folder, overrides)
    check_links(target)
    recipe = recipe_for(path, folder, overrides)
    _, task = load_task(folder)
    before = Run(path).facts["data"] if in_run(path, folder) and not names_data(overrides) else None
    name, data = rows_to_score(recipe, task, split, before=before)
    rows = data.splits[name]
    scores = evaluation.evaluate(task, load_weights(folder, task), rows, further=recipe.metrics)
    out.say(f"{scores.truncated:,} of {len(rows):,} rows lose a part to truncation")
    scored = Run(target)
    scored.write_scores(name, scores, evaluation.baselines(task, rows))
    return target, {name: scored.metrics()[name]}


def predict(
    run_or_model: str | Path, source: str = "-", columns: Mapping[str, str] | None = None
) -> Iterator[dict[str, Any]]:
    """Answer rows from a file, or - for standard input: `{"id": .., "prediction": ..}` for each, in order."""
    configure()
    hush()
    use_fastest_exact_fp32()
    folder = find_folder(Path(run_or_model))
    _, task = load_task(folder)
    model = load_weights(folder, task)
    for rows in stream(source, task, columns):
        for row, answer in zip(rows, evaluation.predict(task, model, rows), strict=True):
            yield {"id": row["id"], "prediction": answer}


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
        subject.ask_hub = hub_question()
        report.findings += checks.find_all(subject)
        if folder is not None:
            report.fixed = checks.fix(subject, folder, also)
    return report


def hub_question() -> Callable[[HubSection], None] | None:
    """What refuses a repository that this account cannot push to; None where nothing is pushed."""
    if importlib.util.find_spec("tunekit.hub") is None:
        return None
    hub = importlib.import_module("tunekit.hub")
    return lambda section: hub.check_target(hub.Target.of(section))
