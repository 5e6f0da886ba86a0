"""A finished run made again, and held against what it recorded."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tunekit import evaluation
from tunekit.data.load import load
from tunekit.environment import configure, hush
from tunekit.evaluation import BEFORE
from tunekit.hub.lock import Score
from tunekit.hub.reproducing import Original, Verdict, judge, original
from tunekit.models.finetuned import load_task, load_weights
from tunekit.models.precision import use_fastest_exact_fp32
from tunekit.prepare import already_finished, check, reported
from tunekit.recipe import Recipe
from tunekit.rescore import names_data
from tunekit.run import Run, check_links, choose
from tunekit.workflow import train


def reproduce(
    run_or_model: str | Path,
    *overrides: str,
    evaluate_only: bool = False,
    output: str | Path | None = None,
) -> tuple[Path, list[Verdict]]:
    """Make a finished run again, or only its scores; say of each metric whether it comes out as recorded.

    The run is one here, or `user/name[@revision]` of the Hub. What is made goes to a folder of its own, which
    is returned with the verdicts.

    Raises:
        InputError: it cannot be made again, or the rows are other ones, and no others were asked for.
    """
    configure()
    hush()
    first = original(run_or_model, weights=evaluate_only)
    settings, others = first.recipe(overrides, trains=not evaluate_only), names_data(overrides)
    make = score_again if evaluate_only else train_again
    path, metrics = make(first, settings, output, others=others)
    recorded = of_the_model(first.scores) if evaluate_only else first.scores
    return path, list(judge(recorded, metrics))


def of_the_model(scores: Mapping[str, Mapping[str, Score]]) -> dict[str, dict[str, Score]]:
    """Scores without those of the checkpoint that was trained, which a finished model does not have."""
    return {
        split: {name: score for name, score in found.items() if not name.startswith(f"{BEFORE}_")}
        for split, found in scores.items()
    }


def train_again(
    first: Original, settings: Recipe, output: str | Path | None, *, others: bool
) -> tuple[Path, dict[str, Any]]:
    """Train as a run did, or continue to; return where, and the metrics."""
    run = choose(f"{first.name}-{settings.fingerprint[:8]}", output, "auto", overwrite=False)
    first.refuse_place(run.path)
    if not already_finished(run, settings, resume="auto", overwrite=False):
        prepared = check(settings, run, overwrite=False)
        first.check_rows(prepared.data.facts()["splits"], list(first.lock.data.splits), others=others)
        train(prepared, run)
    first.check_weights(run.facts["checkpoint"]["sha256"])
    return run.path, run.metrics()


def score_again(
    first: Original, settings: Recipe, output: str | Path | None, *, others: bool
) -> tuple[Path, dict[str, Any]]:
    """Score the model of a run on the splits that it has scores of; return where, and the metrics."""
    use_fastest_exact_fp32()
    again = Run(Path(output or Path("evaluations") / first.name))
    check_links(again.path)
    first.refuse_place(again.path)
    _, task = load_task(first.folder)
    data = load(settings.data, type(task), task.options, settings.data_seed, task.processor)
    first.check_rows(data.facts()["splits"], list(first.scores), others=others)
    splits = [split for split in first.scores if split in data.splits]
    model = load_weights(first.folder, task)
    for split in splits:
        rows = data.splits[split]
        scores = evaluation.evaluate(task, model, rows, further=reported(settings, task))
        again.write_scores(split, scores, evaluation.baselines(task, rows))
    return again.path, {split: again.metrics()[split] for split in splits}
