"""The stages of each command, in order. Start reading here."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tunekit import evaluation
from tunekit import recipe as recipes
from tunekit.card import card, check_template
from tunekit.console import out
from tunekit.data.streams import stream
from tunekit.engine import StopSignals, fit
from tunekit.environment import configure, hush
from tunekit.finish import finish
from tunekit.models.finetuned import find_folder, load_task, load_weights
from tunekit.models.precision import use_fastest_exact_fp32
from tunekit.prepare import already_finished, assemble, check, named_checkpoint
from tunekit.recipe import Recipe
from tunekit.rescore import in_run, names_data, recipe_for, rows_to_score, score_folder
from tunekit.run import Run, check_links, choose


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
    template = Path(settings.hub.card).expanduser() if settings.hub.card else None
    if template:
        check_template(template)
    prepared = check(settings, run, overwrite=overwrite)
    if dry_run:
        return run
    with run.lock(), StopSignals() as signals:
        run.begin(prepared.rerunnable, overwrite=overwrite)
        with run.kept():
            fitting = assemble(prepared, run, signals, begin_from)
            fit(fitting)
            finish(fitting, settings.task.name, prepared.data.splits)
            if run.writes:
                run.write_card(card(run, prepared.rerunnable, template))
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
