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
from tunekit.fast import Fast, keep_memory, plain, speed_up
from tunekit.identity import hardware, versions
from tunekit.models.base_card import base_card_facts
from tunekit.models.load import load_model
from tunekit.models.precision import Precision, choose, use_fastest_exact_fp32
from tunekit.models.weights import weight_files
from tunekit.optim import make_optimizer, make_schedule
from tunekit.prepare.check import Prepared
from tunekit.recipe import Recipe
from tunekit.run import Run
from tunekit.tasks.base import Task

TRIED = 3  # rows of different lengths that the faster ways are tried on
WHOLE = (
    10**6
)  # tokens that a forward's start is worth where there is no padding: no more forwards than must be
GPU_BUDGET, GPU_OVERHEAD = 65536, 16384  # tokens per forward; tokens that a forward's start is worth


def assemble(
    prepared: Prepared, run: Run, signals: StopSignals, begin_from: checkpoints.Saved | None
) -> Fitting:
    """Load the model, encode the rows, and put together what trains."""
    import torch
    from accelerate import Accelerator
    from accelerate.utils import set_seed

    recipe, section = prepared.recipe, prepared.recipe.train
    use_fastest_exact_fp32()
    keep_memory()
    accelerator = Accelerator(cpu=not torch.accelerator.is_available(), mixed_precision="no")
    set_seed(section.seed)
    prepared.task.learned = prepared.task.learn(prepared.data.splits["train"])
    model = load_model(
        prepared.checkpoint,
        prepared.task,
        out.say,
        attention=recipe.model.attention,
        dropout=recipe.model.dropout,
    )
    encoded = encode_once(prepared.task, prepared.data.splits["train"], prepared.data.prints["train"])
    steps = make_steps(prepared, encoded, accelerator)
    total = section.steps or math.ceil((section.epochs or 1) * steps.per_epoch)
    precision = choose(section.precision, accelerator.device.type, model)
    fast = choose_fast(prepared, model, steps, precision)
    optimizer = make_optimizer(section, model.to(accelerator.device))
    optimization = Optimization(
        prepared.task,
        model,
        optimizer,
        make_schedule(section, optimizer, total),
        accelerator,
        precision,
        max_grad_norm=section.max_grad_norm,
        fast=fast,
    )
    set_seed(section.seed + accelerator.process_index)  # dropout differs between processes
    record(prepared, run, encoded, accelerator, precision.name, fast.names)
    validation = prepared.data.splits.get("validation", [])
    metric = section.best or prepared.task.measure.reported[0]
    fitting = Fitting(
        optimization, steps, validation, section, metric, reported(recipe, prepared.task), run, total
    )
    fitting.workers, fitting.signals, fitting.begin_from = recipe.data.workers, signals, begin_from
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


def record(
    prepared: Prepared, run: Run, encoded: Encoded, accelerator: Any, precision: str, fast: list[str]
) -> None:
    """Write down what the run is made of."""
    weights, section = weight_files(prepared.checkpoint.folder), prepared.recipe.data
    run.record(
        versions=versions(),
        hardware=hardware(accelerator.device.type)
        | {"processes": accelerator.num_processes, "precision": precision, "fast": fast},
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
