"""The parts of a run, put together: model, windows, steps, optimizer and precision."""

import math
from typing import Any

import numpy as np

from tunekit import checkpoint as checkpoints
from tunekit.console import out
from tunekit.data.batches import Steps, pad_token_of
from tunekit.data.hub import commit_of
from tunekit.data.remembered import encode_once
from tunekit.data.sources import on_hub
from tunekit.data.windows import Encoded
from tunekit.engine import Fitting, Optimization, StopSignals
from tunekit.engine.optimization import placed
from tunekit.fast import Fast, keep_memory, plain, speed_up
from tunekit.fast.compiled import layers_of
from tunekit.identity import hardware, versions
from tunekit.models.adapters import merges
from tunekit.models.base_card import base_card_facts
from tunekit.models.load import load_model
from tunekit.models.precision import Precision, choose, use_fastest_exact_fp32
from tunekit.models.sharding import choose_sharding, shard
from tunekit.models.weights import weight_files
from tunekit.optim import make_optimizer, make_schedule
from tunekit.prepare.check import Prepared
from tunekit.prepare.once import Once
from tunekit.prepare.resuming import refuse_other_base
from tunekit.prepare.trained import choose_trained, shares, tell
from tunekit.recipe import Recipe
from tunekit.run import Run
from tunekit.tasks.base import Task

TRIED = 3  # rows of different lengths that the faster ways are tried on
WHOLE = (
    10**6
)  # tokens that a forward's start is worth where there is no padding: no more forwards than must be
GPU_BUDGET, GPU_OVERHEAD = 65536, 16384  # tokens per forward; tokens that a forward's start is worth


def assemble(
    prepared: Prepared,
    run: Run,
    signals: StopSignals,
    begin_from: checkpoints.Saved | None,
    once: Once | None = None,
) -> Fitting:
    """Load the model, encode the rows where that was not done `once`, and put together what trains."""
    import torch
    from accelerate import Accelerator
    from accelerate.utils import set_seed

    recipe, section = prepared.recipe, prepared.recipe.train
    use_fastest_exact_fp32()
    keep_memory()
    accelerator = Accelerator(cpu=not torch.accelerator.is_available(), mixed_precision="no")
    once = once or Once()
    accelerator.wait_for_everyone()
    once.clear()
    set_seed(section.seed)
    if once.encoded is None:
        prepared.task.learned = prepared.task.learn(prepared.data.splits["train"])
    model = load_model(
        prepared.checkpoint,
        prepared.task,
        out.say,
        attention=recipe.model.attention,
        dropout=recipe.model.dropout,
        bits=recipe.adapter.bits if recipe.adapter else None,
    )
    model, adapter = choose_trained(recipe, model, prepared.task, prepared.checkpoint)
    encoded = once.encoded or encode_once(
        prepared.task, prepared.data.splits["train"], prepared.data.prints["train"]
    )
    steps = make_steps(prepared, encoded, accelerator)
    total = section.steps or math.ceil((section.epochs or 1) * steps.per_epoch)
    precision = choose(section.precision, accelerator.device.type, model)
    in_place = adapter is None or merges(adapter)  # the faster ways know of no virtual tokens
    fast = choose_fast(prepared, model, steps, precision) if in_place else plain()
    optimization = optimizing(prepared, model, accelerator, precision, fast, total)
    set_seed(section.seed + accelerator.process_index)  # dropout differs between processes
    refuse_other_base(run, prepared.checkpoint, model)
    record(prepared, run, encoded, optimization)
    run.record(weights=shares(model))
    tell(run.facts["weights"])
    validation = prepared.data.splits.get("validation", [])
    metric = section.best or prepared.task.measure.reported[0]
    fitting = Fitting(
        optimization, steps, validation, section, metric, reported(recipe, prepared.task), run, total
    )
    fitting.adapter = adapter
    fitting.workers, fitting.signals, fitting.begin_from = recipe.data.workers, signals, begin_from
    fitting.readings |= once.readings
    return fitting


def optimizing(
    prepared: Prepared, model: Any, accelerator: Any, precision: Precision, fast: Fast, total: int
) -> Optimization:
    """The parts of a step, of which there are `total`, with the model where it is computed."""
    recipe, section = prepared.recipe, prepared.recipe.train
    optimizer = make_optimizer(section, arranged(model, recipe, accelerator, fast))
    schedule, most = make_schedule(section, optimizer, total), section.max_grad_norm
    return Optimization(
        prepared.task, model, optimizer, schedule, accelerator, precision, max_grad_norm=most, fast=fast
    )


def arranged(model: Any, recipe: Recipe, accelerator: Any, fast: Fast) -> Any:
    """A model on this process's device, whole or in part."""
    wanted = recipe.train.shard
    if wanted == "auto" and not recipe.can_share:
        wanted = "off"
    if choose_sharding(wanted, model, accelerator.device, accelerator.num_processes):
        fast.compile = False  # what is compiled would be computed with weights that are not there yet
        shard(model, layers_of(model), accelerator.device)
    return placed(model, accelerator.device)


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
        steps.budget, steps.overhead, steps.augments = GPU_BUDGET, GPU_OVERHEAD, False
    return steps


def choose_fast(prepared: Prepared, model: Any, steps: Steps, precision: Precision) -> Fast:
    """The faster ways of the recipe, the device and the model, tried on the shortest rows on the CPU."""
    section, cpu = prepared.recipe.train, precision.device == "cpu"
    kernels = precision.device == "cuda" and precision.name != "fp32"  # which its attention does not know
    fast = try_ways(prepared, model, steps, kernels=kernels) if section.fast and (cpu or kernels) else plain()
    if fast.unpadded and cpu:
        steps.overhead = WHOLE
    fast.compile = section.compile
    fast.longest, fast.pad_token = int(steps.encoded.lengths.max()), pad_token_of(prepared.task.processor)
    return fast


def try_ways(prepared: Prepared, model: Any, steps: Steps, *, kernels: bool) -> Fast:
    """The faster ways that leave the model's answers to the shortest rows as they are."""
    _, shortest = np.unique(steps.encoded.lengths, return_index=True)
    sample, task = steps.collate(shortest[:TRIED]), prepared.task
    return speed_up(
        model,
        lambda: task.loss(model, sample),
        sample.get("attention_mask"),
        own_attention=prepared.recipe.model.attention is not None,
        kernels=kernels,
    )


def reported(recipe: Recipe, task: Task) -> list[str]:
    """The metrics to report beside the task's own: those asked for, and the one that picks the best."""
    names, best = list(recipe.metrics), recipe.train.best
    return [*names, best] if best in task.measure.names and best not in names else names


def record(prepared: Prepared, run: Run, encoded: Encoded, optimization: Optimization) -> None:
    """Write down what the run is made of."""
    accelerator, precision = optimization.accelerator, optimization.precision.name
    if not run.writes:
        run.record(identity=prepared.identity())
        return
    weights, section = weight_files(prepared.checkpoint.folder), prepared.recipe.data
    run.record(
        versions=versions(),
        hardware=hardware(accelerator.device.type)
        | {
            "processes": accelerator.num_processes,
            "shard": "full" if optimization.sharded else "off",
            "precision": precision,
            "fast": optimization.fast.names,
        },
        seed=prepared.recipe.train.seed,
        data=prepared.data.facts()
        | {"from_hub": on_hub(section), "commit": commit_of(section) if on_hub(section) else None},
        windows={"train": encoded.facts()},
        labels=list(prepared.data.labels),
        head=prepared.task.head,
        checkpoint={
            "name": prepared.recipe.model.name,
            "commit": prepared.checkpoint.commit,
            "sha256": {path.name: checkpoints.sha256(path) for path in weights},
            **base_card_facts(prepared.checkpoint.folder),
        },
        identity=prepared.identity(),
    )
    rows, cut = len(encoded.first) - 1, encoded.cut
    share = f"{cut:,} rows ({cut / rows:.1%}) lose a part to truncation"
    lost = f"; {encoded.lost:,} rows have no window with their whole answer" if encoded.lost else ""
    out.say(f"training windows: {len(encoded.windows):,}; {share}{lost}")
    out.say(f"training on {accelerator.num_processes} x {accelerator.device.type} in {precision}")
