"""The stages of each command, in order. Start reading here."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tunekit import checks, evaluation
from tunekit import recipe as recipes
from tunekit.card import card, check_card
from tunekit.checkpoint import Saved
from tunekit.console import out
from tunekit.data.streams import stream
from tunekit.engine import Fitting, StopSignals, fit
from tunekit.environment import configure, hush, process_index
from tunekit.finish import finish
from tunekit.hub import Pushed, check_rights, finished_run, push_if_named, push_run
from tunekit.hub.fetch import File, fetch_all
from tunekit.hub.lock import lock_of
from tunekit.launch import together, told_by_first
from tunekit.models.finetuned import find_folder, load_task, load_weights
from tunekit.models.precision import use_fastest_exact_fp32
from tunekit.prepare import Prepared, already_finished, assemble, check, named_checkpoint, reported
from tunekit.recipe import Recipe
from tunekit.rescore import names_data, recipe_for, rows_to_score, score_folder
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
    out.speaks = out.speaks and process_index() == 0
    settings = recipe if isinstance(recipe, Recipe) else recipes.load(recipe, overrides, out.say)
    stem = name or (settings.task.name if isinstance(recipe, Recipe) else Path(recipe).stem)
    run = choose(f"{stem}-{settings.fingerprint[:8]}", output, resume, overwrite=overwrite)
    run.facts = told_by_first(run.facts)
    begin_from = named_checkpoint(resume)
    if already_finished(run, settings, resume=resume, overwrite=overwrite):
        push_if_named(run, settings)
        return run
    check_card(settings.hub)
    prepared = check(settings, run, overwrite=overwrite)
    if run.writes:
        check_rights(settings.hub)
    if run.status == "new":
        out.say(MORE)
    if dry_run:
        return run
    train(prepared, run, begin_from, overwrite=overwrite)
    push_if_named(run, settings)
    return run


def train(prepared: Prepared, run: Run, begin_from: Saved | None = None, *, overwrite: bool = False) -> None:
    """Train what has been checked, evaluate it, and write what a run leaves."""
    with run.lock(), StopSignals() as signals, together():
        run.begin(prepared.rerunnable, overwrite=overwrite)
        with run.kept():
            fitting = assemble(prepared, run, signals, begin_from)
            fit(fitting)
            finish(fitting, prepared.recipe.task.name, prepared.data.splits)
            if run.writes:
                run.write_card(card(run, prepared.rerunnable))


def push(
    run: str | Path,
    repo: str | None = None,
    *,
    public: bool = False,
    revision: str | None = None,
    create_pr: bool = False,
    dry_run: bool = False,
) -> Pushed:
    """Push a finished run to the Hub in one commit, and verify that it arrived.

    What is not given is as the run's recipe says. With `dry_run` nothing leaves this machine.

    Raises:
        InputError: the run is not finished, or the repository is wrong for it.
        EnvironmentFailure: the Hub cannot be reached or refuses it; the same call continues.
    """
    configure()
    finished, recipe = finished_run(Path(run))
    given = {"repo": repo, "revision": revision, "private": False if public else None}
    hub = recipe.hub.changed({**given, "create_pr": create_pr or None})
    return push_run(finished, recipe, hub, dry_run=dry_run)


def evaluate(
    run_or_model: str | Path, *overrides: str, split: str | None = None, output: str | Path | None = None
) -> tuple[Path, dict[str, Any]]:
    """Score a split with a finished model; write metrics and predictions, return where, and the metrics.

    The model is a run, a folder, or `user/name[@revision]` of the Hub, scored by the recipe beside it.
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
    lock = None if names_data(overrides) else lock_of(path, folder)
    name, data = rows_to_score(recipe, task, split, before=lock.data.model_dump() if lock else None)
    rows = data.splits[name]
    scores = evaluation.evaluate(task, load_weights(folder, task), rows, further=reported(recipe, task))
    out.say(f"{scores.truncated:,} of {len(rows):,} rows lose a part to truncation")
    scored = Run(target)
    scored.write_scores(name, scores, evaluation.baselines(task, rows))
    return target, {name: scored.metrics()[name]}


def fetch(recipe: str | Path | Recipe, *overrides: str) -> list[File]:
    """Put all of the Hub that a recipe needs into the cache; return every file of it there.

    Raises:
        InputError: the recipe is wrong, or names what does not exist.
        EnvironmentFailure: something can neither be fetched nor found in the cache; all of it is named.
    """
    configure()
    return fetch_all(recipe if isinstance(recipe, Recipe) else recipes.load(recipe, overrides, out.say))


def predict(
    run_or_model: str | Path, source: str = "-", columns: Mapping[str, str] | None = None
) -> Iterator[dict[str, Any]]:
    """Answer rows: `{"id": .., "prediction": ..}` for each, in order.

    They come from a file, from - for standard input, or from `user/name[@revision][:split]` of the Hub.
    """
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
        subject.ask_hub = check_rights
        report.findings += checks.find_all(subject)
        if folder is not None:
            report.fixed = checks.fix(subject, folder, also)
    return report
