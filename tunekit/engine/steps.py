"""The loop: each step's gradients summed over its micro-batches and processes, then one update.

A step's loss is the mean over all its targets, wherever they are computed: a micro-batch's mean loss is
weighed by its share of the targets. So neither its cuts nor the number of processes changes the update.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tunekit.console import out
from tunekit.data.batches import Step, Steps
from tunekit.engine.compiling import Compiling
from tunekit.engine.optimization import Optimization
from tunekit.engine.randomness import random_state, set_random_state
from tunekit.engine.recording import Recorder
from tunekit.errors import Diverged, EnvironmentFailure, listing

MOST_ROWS_NAMED = 40


@dataclass(frozen=True)
class Progress:
    """One step that is done."""

    step: int  # steps done
    loss: Any  # on the device, shape (); its sum over processes is the step's loss
    learning_rate: float  # used in this step
    grad_norm: Any  # on the device, shape (); not finite where fp16 skipped the update
    rows: int


def run_steps(
    optimization: Optimization, steps: Steps, start: int, stop: int, workers: int, watch: "Watch"
) -> Iterator[Progress]:
    """Make the steps from `start` to before `stop`, and tell of each.

    Raises:
        Diverged: the loss or the gradients are not finite; the weights are those of the step before.
    """
    optimization.model.train()
    recorder, compiling = Recorder(optimization), Compiling(optimization)
    for prepared in steps.between(start, stop, workers):
        step = (
            steps[prepared.number] if workers and steps.shrunk else prepared
        )  # workers know of no shrinking
        if compiling.due(step.number - start, stop - step.number):
            recorder.clear()
        rate = optimization.schedule.get_last_lr()[0]
        optimization.forget()
        loss, norm = recorder.make(step) or make(optimization, steps, step)
        watch.add(Progress(step.number + 1, loss, rate, norm, len(step.rows)))
        yield watch.newest


def make(optimization: Optimization, steps: Steps, step: Step) -> tuple[Any, Any]:
    """Make a step; this process's part of its loss, and the norm of the gradients, shape () each."""
    compute = gradients_together if optimization.sharded else gradients_or_less
    loss = compute(optimization, steps, step)
    return loss, optimization.update()


class Watch:
    """Looks whether steps were finite: of deferred updates one step late, so that the device never waits."""

    def __init__(self, optimization: Optimization, steps: Steps) -> None:
        self.optimization, self.steps = optimization, steps
        self.unchecked: list[Progress] = []
        self.newest: Progress

    def add(self, progress: Progress) -> None:
        """Take a step that was begun, and look at those that must be done by now."""
        self.newest = progress
        self.unchecked.append(progress)
        self.check(but=1 if self.optimization.deferred else 0)

    def check(self, but: int = 0) -> None:
        """Look at all steps but the newest few.

        Raises:
            Diverged: one was not finite; no weight has moved since the step before it.
        """
        while len(self.unchecked) > but:
            progress = self.unchecked.pop(0)
            if not math.isfinite(progress.grad_norm):
                whole = float(self.optimization.accelerator.reduce(progress.loss, "sum"))
                if not self.optimization.precision.scales or not math.isfinite(whole):
                    raise Diverged(describe(self.steps, progress, whole))


def gradients_or_less(optimization: Optimization, steps: Steps, step: Step) -> Any:
    """A step's gradients over all processes, and this one's part of its loss.

    When memory runs out on any process, all make the same step again in smaller pieces, from the same random
    state, so that nothing of the first try is left.
    """
    before = random_state()
    while True:
        loss = gradients_unless_full(optimization, step)
        if not optimization.exchanged(failed=loss is None):
            return loss
        optimization.forget()
        if loss is None and not steps.shrink(step.micros):
            shorter = "lower task.max_length or " if hasattr(steps.task.options, "max_length") else ""
            raise EnvironmentFailure(
                f"a single window of {steps.encoded.lengths.max()} tokens does not fit into memory; "
                f"{shorter}choose a smaller model"
            )
        out.say(f"memory ran out in step {step.number + 1}, which is made again in smaller pieces")
        set_random_state(before)
        epoch = step.number // steps.per_epoch
        step.micros = [smaller for micro in step.micros for smaller in steps.divide(micro.windows, epoch)]


def gradients_together(optimization: Optimization, steps: Steps, step: Step) -> Any:
    """The same with a model that is shared out: every process makes as many forwards as the busiest.

    Raises:
        EnvironmentFailure: memory ran out. The others are in the middle of what they compute together, so
            the step cannot be made again.
    """
    from accelerate.utils.memory import should_reduce_batch_size

    device = optimization.accelerator.device
    most = highest(len(step.micros), device)
    idle = [steps.idle(step.number) for _ in range(most - len(step.micros))]
    step.micros = [*step.micros, *idle]
    try:
        return optimization.gradients(step)
    except RuntimeError as error:
        if not should_reduce_batch_size(error):
            raise
        widest = max(len(micro.windows) for micro in step.micros)
        raise EnvironmentFailure(
            f"memory ran out in step {step.number + 1}, which a model that is shared out cannot make again; "
            f"set train.micro_batch below {widest} (windows per forward now), and run the same command again"
        ) from None


def highest(mine: int, device: Any) -> int:
    """The highest of all processes' numbers."""
    import torch

    number = torch.tensor(mine, device=device)
    torch.distributed.all_reduce(number, torch.distributed.ReduceOp.MAX)
    return int(number)


def gradients_unless_full(optimization: Optimization, step: Step) -> Any:
    """The loss of a step whose gradients are computed, or None when memory ran out."""
    from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size

    try:
        return optimization.gradients(step)
    except RuntimeError as error:
        if not should_reduce_batch_size(error):
            raise
    clear_device_cache(garbage_collection=True)  # here, where the failed forward is no longer held
    return None


def any_process(optimization: Optimization, mine: bool) -> bool:
    """Whether something is so on any process."""
    import torch

    accelerator = optimization.accelerator
    if accelerator.num_processes == 1:
        return mine
    return bool(accelerator.reduce(torch.tensor(float(mine), device=accelerator.device), "sum") > 0)


def describe(steps: Steps, progress: Progress, loss: float) -> str:
    """Say where training diverged."""
    norm, rate = float(progress.grad_norm), progress.learning_rate
    return (
        f"step {progress.step} has loss {loss} and gradient norm {norm} at learning rate {rate:.3g}; "
        f"its rows are {listing(steps.places(progress.step - 1), MOST_ROWS_NAMED)}; "
        "the last checkpoint is intact: lower train.learning_rate, set train.precision=fp32, or look at "
        "these rows"
    )
