"""tunekit's side of benchmarks/speed.py: its own commands, with clocks around the engine's methods."""

import time
from pathlib import Path
from typing import Any

import quality
import speed_work
from speed_job import Job, Measured

TRAIN_ONLY = ["data.splits={train: train.jsonl}", "data.validation_share=0"]
PICTURES_ONLY = ["data.splits={train: train}", "data.validation_share=0"]


class Enough(Exception):
    """What was to be measured is measured; the rest of the run is not needed."""


def overrides(job: Job, *further: str) -> list[str]:
    """The settings that both tools share, for the shipped recipe; all else is as it ships."""
    task = job.workload.task
    train = f"""
        batch_size={task.batch_size} learning_rate={job.learning_rate} schedule=linear warmup=0
        optimizer=adamw seed={job.seed} weight_decay={quality.WEIGHT_DECAY}
        max_grad_norm={quality.MAX_GRAD_NORM}
    """
    shared = [f"train.{setting}" for setting in train.split()]
    options = task.options.format(task.max_length).split()
    return [f"model={job.model}", f"data={job.data}", *options, *shared, *further]


def train(job: Job) -> Measured:
    """Time the steps after the first ones, from the end of one to the end of another."""
    import tunekit
    from tunekit.engine import Fitting

    stamps: list[float] = []
    kept: list[Any] = []
    fitting_class: Any = Fitting
    note = Fitting.note

    def stamped(fitting: Any, progress: Any) -> None:
        note(fitting, progress)
        stamps.append(time.time())
        if len(stamps) == job.warm + job.steps:
            kept.append(fitting)
            raise Enough

    fitting_class.note = stamped
    rows = PICTURES_ONLY if job.workload.data == "pictures" else TRAIN_ONLY
    settings = overrides(job, *rows, "train.epochs=null", f"train.steps={job.warm + job.steps}")
    try:
        tunekit.finetune(job.workload.task.recipe, *settings, output=job.output)
    except Enough:
        return job.training(stamps, windows_of(kept[0], job))
    raise RuntimeError("training ended before all its steps were made")


def windows_of(fitting: Any, job: Job) -> list[tuple[int, int]]:
    """The lengths of the windows in the timed steps."""
    steps = fitting.steps
    numbers = range(job.warm, job.warm + job.steps)
    windows = [window for number in numbers for window in steps.encoded.of_rows(steps.rows_of(number))]
    return [speed_work.lengths_of(steps.encoded.windows[window].inputs) for window in windows]


def evaluate(job: Job) -> Measured:
    """Time an evaluation of encoded rows with its metrics, after a step that moves nothing and a warm-up."""
    import tunekit
    from tunekit.engine import Fitting

    fitting_class: Any = Fitting
    score = Fitting.score
    found: Measured = {}

    def timed(fitting: Any, rows: Any, encoded: Any = None, *, tune: bool = False) -> Any:
        score(fitting, rows[: job.warm_rows], tune=tune)
        task, counts = fitting.optimization.task, list[int]()
        decode = task.decode

        def counted(row: Any, windows: Any) -> Any:
            ids = windows[0].outputs["tokens"].tolist() if task.writes else []
            counts.append(speed_work.written(ids, task.processor.eos_token_id))
            return decode(row, windows)

        task.decode = counted
        start = time.time()
        scores = score(fitting, rows, encoded, tune=tune)
        seconds, tokens = time.time() - start, sum(counts)
        metric = scores.metrics[job.workload.task.metric].value
        found.update(seconds=seconds, rows=len(rows), written=tokens, metric=metric)
        raise Enough

    fitting_class.score = timed
    settings = overrides(job, "train.epochs=null", "train.steps=1")
    try:
        tunekit.finetune(job.workload.task.recipe, *settings, output=job.output)
    except Enough:
        return found
    raise RuntimeError("training ended without an evaluation")


def whole(job: Job) -> Measured:
    """Fine-tune as the recipe ships, with evaluations, checkpoints and the tried export."""
    import tunekit

    epochs = job.workload.task.epochs
    run = tunekit.finetune(
        job.workload.task.recipe,
        *overrides(job, f"train.epochs={epochs}", "train.early_stopping=null"),
        output=job.output,
    )
    written = time.time()
    log = quality.read_rows(Path(run.path) / "log.jsonl")
    scores = [row["validation"] for row in log if "validation" in row]
    return {
        "finished": written,
        "rows": len(quality.read_rows(Path(job.data) / "train.jsonl")),
        "metric": scores[-1][job.workload.task.metric],
        "timings": run.facts["timings"],
    }
