"""The stages of each command, in order. Start reading here."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tunekit import embedding, evaluation
from tunekit import recipe as recipes
from tunekit.before import score_before
from tunekit.card import card, check_card
from tunekit.checkpoint import Saved
from tunekit.comparison import Comparison, check_systems, compare_predictions, has_predictions, keep_judge
from tunekit.console import out
from tunekit.data.load import Data
from tunekit.data.streams import stream
from tunekit.engine import StopSignals, fit
from tunekit.environment import configure, hush, process_index
from tunekit.finish import finish
from tunekit.hub import Pushed, check_rights, finished_run, push_if_named, push_run
from tunekit.hub.fetch import File, fetch_all
from tunekit.hub.lock import lock_of
from tunekit.launch import check_place, found_by_first, together
from tunekit.models.finetuned import find_folder, load_task, load_weights
from tunekit.models.precision import use_fastest_exact_fp32
from tunekit.models.several import alone, find_adapter, load_several
from tunekit.prepare import (
    Once,
    Prepared,
    already_finished,
    assemble,
    check,
    named_checkpoint,
    prepared_once,
    refuse_other_machines,
    reported,
)
from tunekit.prepare.check import refuse_several
from tunekit.recipe import Recipe
from tunekit.report import write_report
from tunekit.report.comparison import page as comparison_page
from tunekit.rescore import names_data, placed_beside, recipe_for, rows_to_score, score_folder
from tunekit.run import Run, check_links, choose, write
from tunekit.tasks.base import Task
from tunekit.tracking import followed

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
    check_place()
    out.speaks = out.speaks and process_index() == 0
    settings = recipe if isinstance(recipe, Recipe) else recipes.load(recipe, overrides, out.say)
    refuse_several(settings)
    stem = name or (settings.task.name if isinstance(recipe, Recipe) else Path(recipe).stem)
    run = choose(f"{stem}-{settings.fingerprint[:8]}", output, resume, overwrite=overwrite)
    run.facts, begun = found_by_first(run.facts)
    if begun:  # by an earlier start of this command, which did what the options say
        resume, overwrite = "auto", False
    with StopSignals(at_once=True), prepared_once() as once:
        begin_from = named_checkpoint(resume)
        finished = once.idle or already_finished(run, settings, resume=resume, overwrite=overwrite)
        prepared = None if finished else prepare(settings, run, once, overwrite=overwrite, dry_run=dry_run)
    if dry_run and not finished:
        return run
    if prepared is not None:
        train(prepared, run, begin_from, once, overwrite=overwrite)
    push_if_named(run, settings)
    return run


def prepare(settings: Recipe, run: Run, once: Once, *, overwrite: bool, dry_run: bool) -> Prepared:
    """Check all that can be checked, and leave what is prepared to the other processes of this machine."""
    check_card(settings.hub)
    prepared = check(settings, run, overwrite=overwrite, known=once.data)
    if run.writes:
        check_rights(settings.hub)
    if run.status == "new":
        out.say(MORE)
    if not dry_run:
        once.share(prepared.task, prepared.data)
    return prepared


def train(
    prepared: Prepared,
    run: Run,
    begin_from: Saved | None = None,
    once: Once | None = None,
    *,
    overwrite: bool = False,
) -> None:
    """Train what has been checked, evaluate it, and write what a run leaves."""
    with run.lock(), StopSignals() as signals, together():
        refuse_other_machines(prepared)
        run.begin(prepared.rerunnable, overwrite=overwrite)
        with run.kept():
            fitting = assemble(prepared, run, signals, begin_from, once)
            with followed(run, prepared.recipe):
                score_before(fitting, prepared.data.splits)
                fit(fitting)
                finish(fitting, prepared.recipe.task.name, prepared.data.splits)
            if run.writes:
                run.write_card(card(run, prepared.rerunnable))
        write_report(run, prepared.rerunnable, fitting.optimization.task, prepared.data.splits)


def push(
    run: str | Path,
    repo: str | None = None,
    *,
    public: bool = False,
    revision: str | None = None,
    create_pr: bool = False,
    adapter: bool = False,
    dry_run: bool = False,
) -> Pushed:
    """Push a finished run to the Hub in one commit, and verify that it arrived.

    What is not given is as the run's recipe says. With `adapter`, or for the adapter's folder of a run, the
    adapter alone is pushed. With `dry_run` nothing leaves this machine.

    Raises:
        InputError: the run is not finished, or the repository is wrong for it.
        EnvironmentFailure: the Hub cannot be reached or refuses it; the same call continues.
    """
    configure()
    path = Path(run)
    if path.name == "adapter" and (path.parent / "run.json").is_file():
        path, adapter = path.parent, True
    finished, recipe = finished_run(path)
    given = {"repo": repo, "revision": revision, "private": False if public else None}
    hub = recipe.hub.changed({**given, "create_pr": create_pr or None, "adapter": adapter or None})
    return push_run(finished, recipe, hub, dry_run=dry_run)


def evaluate(
    run_or_model: str | Path,
    *overrides: str,
    split: str | None = None,
    output: str | Path | None = None,
    adapters: Sequence[str] = (),
) -> tuple[Path, dict[str, Any]]:
    """Score a split with a finished model; write metrics and predictions, return where, and the metrics.

    The model is a run, a folder, or `user/name[@revision]` of the Hub, scored by the recipe beside it.
    By default the split is test where there is one, else validation, of the run's own data. Scores of other
    data, named by overrides, go to a folder of their own. With `adapters` the model's own adapter and these
    are scored on the same rows: the metrics are then by adapter.
    """
    configure()
    hush()
    use_fastest_exact_fp32()
    path = Path(run_or_model)
    folder = find_adapter(str(path)) if adapters else find_folder(path)
    target = Path(output) if output else score_folder(path, folder, overrides)
    check_links(target)
    recipe = recipe_for(path, folder, overrides)
    _, task = load_task(folder)
    lock = None if names_data(overrides) else lock_of(path, folder)
    name, data = rows_to_score(recipe, task, split, before=lock.data.model_dump() if lock else None)
    if not adapters:
        return target, score(Run(target), recipe, name, task, load_weights(folder, task), data)
    found = {
        each.name: score(Run(place), recipe, name, each.task, each.model, data)
        for each, place in placed_beside(target, load_several([str(path), *adapters]))
    }
    return target, found


def score(run: Run, recipe: Recipe, split: str, task: Task, model: Any, data: Data) -> dict[str, Any]:
    """Score a split with a model into a folder; the metrics by split."""
    rows = data.splits[split]
    scores = evaluation.evaluate(task, model, rows, further=reported(recipe, task))
    out.say(f"{scores.truncated:,} of {len(rows):,} rows lose a part to truncation")
    run.write_scores(split, scores, evaluation.baselines(task, rows))
    keep_judge(run.path, recipe.task.name, task)
    write_report(run, recipe, task, data.splits)
    return {split: run.metrics()[split]}


def compare(
    systems: Sequence[str | Path],
    *overrides: str,
    split: str | None = None,
    metric: str | None = None,
    task: str | None = None,
    output: str | Path | None = None,
) -> Comparison:
    """Compare systems with the first on the examples that both answered; `output` gets a page about it.

    A system is a run, a file of predictions, a model folder, or `user/name[@revision]` of the Hub. What has
    no predictions is scored first; with overrides, which name the data, everything is. The split is by
    default test where all have it, else validation. `task` says what files of other tools are.

    Raises:
        InputError: there is nothing to compare, or it is not comparable.
    """
    configure()
    names = check_systems(systems, overrides, output)
    paths = [
        evaluate(path, *overrides, split=split)[0] if overrides or not has_predictions(path) else path
        for path in map(Path, systems)
    ]
    found = compare_predictions(paths, names, split=split, metric=metric, task=task)
    if output is not None:
        write(Path(output), comparison_page(found))
    return found


def fetch(recipe: str | Path | Recipe, *overrides: str) -> list[File]:
    """Put all of the Hub that a recipe needs into the cache; return every file of it there.

    Raises:
        InputError: the recipe is wrong, or names what does not exist.
        EnvironmentFailure: something can neither be fetched nor found in the cache; all of it is named.
    """
    configure()
    return fetch_all(recipe if isinstance(recipe, Recipe) else recipes.load(recipe, overrides, out.say))


def predict(
    run_or_model: str | Path,
    source: str = "-",
    columns: Mapping[str, str] | None = None,
    adapters: Sequence[str] = (),
    **written: str | None,
) -> Iterator[dict[str, Any]]:
    """Answer rows: `{"id": .., "prediction": ..}` for each, in order.

    They come from a file, `written` with a `separator` and in an `encoding`, from - for standard input, or
    from `user/name[@revision][:split]` of the Hub. With `adapters` the model's own adapter and these answer
    each row in turn, and answers name theirs.
    """
    configure()
    hush()
    use_fastest_exact_fp32()
    several = load_several([str(run_or_model), *adapters]) if adapters else [alone(Path(run_or_model))]
    for rows in stream(source, several[0].task, columns, **written):
        answers = [evaluation.predict(each.task, each.model, rows) for each in several]
        for row, *found in zip(rows, *answers, strict=True):
            for each, answer in zip(several, found, strict=True):
                name = {"adapter": each.name} if adapters else {}
                yield {"id": row["id"], **name, "prediction": answer}


def embed(
    model: str | Path,
    source: str = "-",
    output: str | Path = "vectors.npy",
    columns: Mapping[str, str] | None = None,
    *,
    half: bool = False,
    written: Mapping[str, str | None] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Turn texts into vectors, in a .npy or .parquet file; return what was written, and how.

    The model is a checkpoint's folder, `user/name[@revision]` of the Hub, or a finished run. Options are
    `pooling`, `normalize`, `prefix` and `max_length`, by default what the checkpoint says. A file is
    `written` with a `separator` and in an `encoding`, as for `predict`.

    Raises:
        InputError: something given is wrong; nothing was written.
    """
    configure()
    hush()
    use_fastest_exact_fp32()
    embedding.check_output(Path(output), source)
    task, network = embedding.open_encoder(str(model), options, out.say)
    dtype = "float16" if half else "float32"
    return embedding.write_vectors(task, network, source, Path(output), columns, dtype, written).document()
