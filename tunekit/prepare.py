"""Before the first step: all that can be wrong is checked, then the parts of a run are put together."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunekit import checkpoint as checkpoints
from tunekit import metrics, tasks
from tunekit.console import out
from tunekit.data.batches import Steps
from tunekit.data.load import Data, load
from tunekit.data.windows import Encoded, encode
from tunekit.engine import Fitting, Optimization
from tunekit.environment import hush
from tunekit.errors import InputError, Problems
from tunekit.models.checkpoint import Checkpoint, inspect
from tunekit.models.load import load_model, load_processor, token_limit
from tunekit.models.precision import choose, use_fastest_exact_fp32
from tunekit.optim import make_optimizer, make_schedule
from tunekit.recipe import Recipe
from tunekit.run import Run, differences, hardware, versions
from tunekit.tasks.base import Task

GPU_BUDGET, GPU_OVERHEAD = 65536, 16384  # tokens per forward; tokens that a forward's start is worth


@dataclass(frozen=True)
class Prepared:
    """A recipe whose data and checkpoint have been looked at and fit together."""

    recipe: Recipe
    data: Data
    checkpoint: Checkpoint
    task: Task

    def identity(self) -> dict[str, Any]:
        """What must be the same for a run to be continued."""
        prints = {name: facts["sha256"] for name, facts in self.data.facts()["splits"].items()}
        kept = ("tunekit", "torch", "transformers", "tokenizers", "numpy")
        return {
            **self.recipe.resolved(),
            "rows of": prints,
            "version of": {name: versions()[name] for name in kept},
        }


def check(recipe: Recipe, run: Run, *, overwrite: bool) -> Prepared:
    """The cheap checks: output folder, data, checkpoint, and whether they fit together.

    Raises:
        InputError: with every problem found.
    """
    hush()
    kind, problems = tasks.find(recipe.task.name), Problems()
    data, checkpoint = None, None
    with problems.collect():
        run.check(overwrite=overwrite)
    with problems.collect():
        data = load(recipe.data, kind, recipe.task.options, recipe.train.seed)
    with problems.collect():
        checkpoint = inspect(recipe.model, kind)
    if checkpoint is not None:
        with problems.collect():
            processor = load_processor(checkpoint, kind, out.say)
            options = recipe.task.options.fitted(token_limit(checkpoint, processor))  # type: ignore[attr-defined]
    problems.raise_if_any()
    assert data is not None and checkpoint is not None
    prepared = Prepared(recipe, data, checkpoint, kind(options, processor, data.labels))
    if run.facts and not overwrite:
        refuse_changes(run, prepared)
    tell(data)
    return prepared


def already_finished(run: Run, recipe: Recipe, *, resume: str, overwrite: bool) -> bool:
    """Whether there is nothing left to do.

    Raises:
        InputError: another recipe made the run, or the user wants no run to be continued.
    """
    if overwrite or run.status == "new":
        return False
    if resume == "never":
        raise InputError(
            f"{run.path} already holds a run; choose another --output, or --overwrite to begin anew"
        )
    if run.status != "finished":
        return False
    before = {section: run.facts["identity"].get(section) for section in recipe.resolved()}
    changed = differences(before, recipe.resolved())
    if changed:
        raise InputError(changes(run, changed))
    out.say(f"{run.path} is already finished; --overwrite begins anew")
    return True


def changes(run: Run, changed: list[str]) -> list[str]:
    """Say that a run began differently, and in what."""
    return [
        f"run {run.path} began differently; choose another --output, or --overwrite to begin anew",
        *changed,
    ]


def refuse_changes(run: Run, prepared: Prepared) -> None:
    """Refuse to continue a run with other settings, rows or versions than it began with."""
    changed = differences(run.facts["identity"], prepared.identity()) if "identity" in run.facts else []
    if changed:
        raise InputError(changes(run, changed))


def tell(data: Data) -> None:
    """Say which column plays which role, how many rows there are, and what was left out."""
    mapping = ", ".join(f"{role} = {column}" for role, column in data.columns.items())
    sizes = ", ".join(f"{len(rows):,} {split}" for split, rows in data.splits.items())
    out.say(f"columns: {mapping}")
    out.say(f"rows: {sizes}" + (f"; {len(data.labels)} labels" if data.labels else ""))
    if data.skipped:
        out.warn(
            f"{len(data.skipped)} problems in rows that are left out (listed in run.json), such as "
            f"{data.skipped[0]}"
        )


def assemble(prepared: Prepared, run: Run, begin_from: Path | None) -> Fitting:
    """Load the model, encode the rows, and put together what trains."""
    from accelerate import Accelerator
    from accelerate.utils import set_seed

    recipe, section = prepared.recipe, prepared.recipe.train
    use_fastest_exact_fp32()
    accelerator = Accelerator()
    set_seed(section.seed)
    model = load_model(
        prepared.checkpoint,
        prepared.task,
        out.say,
        attention=recipe.model.attention,
        dropout=recipe.model.dropout,
    )
    encoded = encode(prepared.task, prepared.data.splits["train"], targets=True)
    steps = make_steps(prepared, encoded, accelerator)
    total = section.steps or math.ceil((section.epochs or 1) * steps.per_epoch)
    precision = choose(section.precision, accelerator.device.type, model)
    optimizer = make_optimizer(section, model.to(accelerator.device))
    optimization = Optimization(
        prepared.task,
        model,
        optimizer,
        make_schedule(section, optimizer, total),
        accelerator,
        precision,
        max_grad_norm=section.max_grad_norm,
    )
    set_seed(section.seed + accelerator.process_index)  # dropout differs between processes
    record(prepared, run, encoded, accelerator, precision.name)
    validation = prepared.data.splits.get("validation", [])
    metric = section.best or prepared.task.judged_by(prepared.task.options)[1][0]
    begin = chosen_checkpoint(begin_from) if begin_from else None
    fitting = Fitting(optimization, steps, validation, section, metric, reported(prepared), run, total)
    fitting.workers, fitting.begin_from = recipe.data.workers, begin
    return fitting


def make_steps(prepared: Prepared, encoded: Encoded, accelerator: Any) -> Steps:
    """The steps of the run, divided as the recipe and the device want it."""
    section = prepared.recipe.train
    steps = Steps(
        prepared.task,
        encoded,
        seed=section.seed,
        batch_size=section.batch_size,
        processes=accelerator.num_processes,
        process=accelerator.process_index,
    )
    if isinstance(section.micro_batch, int):
        steps.most = section.micro_batch
    if accelerator.device.type != "cpu":
        steps.budget, steps.overhead = GPU_BUDGET, GPU_OVERHEAD
    return steps


def reported(prepared: Prepared) -> list[str]:
    """The metrics to report beside the task's own: those asked for, and the one that picks the best."""
    names = list(prepared.recipe.metrics)
    best, known = prepared.recipe.train.best, metrics.MEASURES
    measure = known[prepared.task.judged_by(prepared.task.options)[0]]
    return [*names, best] if best in measure.names and best not in names else names


def chosen_checkpoint(path: Path) -> checkpoints.Saved:
    """A checkpoint that the user names; a damaged one is refused, not replaced by another.

    Raises:
        InputError: it is no checkpoint, or damaged.
    """
    match = checkpoints.NAME.fullmatch(path.name)
    saved = checkpoints.Saved(path, int(match[1])) if match else None
    wrong = checkpoints.damage(saved) if saved else "its name is not step-NUMBER"
    if saved is None or wrong:
        raise InputError(f"--resume {path}: {wrong}; name another checkpoint, or use --resume auto")
    return saved


def record(prepared: Prepared, run: Run, encoded: Encoded, accelerator: Any, precision: str) -> None:
    """Write down what the run is made of."""
    folder = Path(prepared.checkpoint.name)
    weights = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("*.bin")) if folder.is_dir() else []
    run.record(
        versions=versions(),
        hardware=hardware(accelerator.device.type)
        | {"processes": accelerator.num_processes, "precision": precision},
        seed=prepared.recipe.train.seed,
        data=prepared.data.facts(),
        windows={"train": encoded.facts()},
        labels=list(prepared.data.labels),
        checkpoint={
            "name": prepared.recipe.model.name,
            "commit": prepared.checkpoint.commit,
            "sha256": {path.name: checkpoints.sha256(path) for path in weights},
        },
        identity=prepared.identity(),
    )
    if encoded.cut:
        rows = len(encoded.first) - 1
        out.warn(
            f"{encoded.cut:,} of {rows:,} training rows ({encoded.cut / rows:.1%}) are longer than "
            f"{prepared.task.options.max_length} tokens and lose their end"
        )
    out.say(f"training on {accelerator.num_processes} x {accelerator.device.type} in {precision}")
