"""The loop: each step's gradients summed over its micro-batches and processes, then one update.

A step's loss is the mean over all its targets, wherever they are computed: a micro-batch's mean loss is
weighed by its share of the targets. So neither its cuts nor the number of processes changes the update.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tunekit.console import out
from tunekit.data.batches import Micro, Step, Steps
from tunekit.engine.randomness import random_state, set_random_state
from tunekit.errors import Diverged, EnvironmentFailure, listing
from tunekit.fast import Fast
from tunekit.models.precision import Precision
from tunekit.tasks.base import Task

MOST_ROWS_NAMED = 40


@dataclass(frozen=True)
class Progress:
    """One step that is done."""

    step: int  # steps done
    loss: Any  # on the device, shape (); its sum over processes is the step's loss
    learning_rate: float  # used in this step
    grad_norm: float  # not finite where fp16 skipped the update
    rows: int


class Optimization:
    """Everything that changes when a step is made."""

    def __init__(
        self,
        task: Task,
        model: Any,
        optimizer: Any,
        schedule: Any,
        accelerator: Any,
        precision: Precision,
        *,
        max_grad_norm: float | None,
        fast: Fast,
    ) -> None:
        import torch

        self.task, self.optimizer, self.schedule = task, optimizer, schedule
        self.accelerator, self.precision = accelerator, precision
        self.max_grad_norm, self.fast = max_grad_norm or math.inf, fast
        self.model = model.to(accelerator.device)
        self.scaler = torch.amp.GradScaler(precision.device, enabled=precision.scales)
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]

    def gradients(self, step: Step) -> Any:
        """Sum the gradients of this process's micro-batches; return its part of the step's loss, shape ()."""
        import torch

        total = torch.zeros((), device=self.accelerator.device)
        for micro in step.micros:
            with torch.enable_grad():
                loss = self.loss(micro) * (micro.count / max(1, step.total))
                self.scaler.scale(loss).backward()
            total += loss.detach()
        return total

    def exchange(self) -> None:
        """Sum the gradients over all processes, in one message."""
        import torch

        gradients = [p.grad for p in self.parameters if p.grad is not None]
        together = self.accelerator.reduce(torch.cat([each.flatten() for each in gradients]), "sum")
        for each, part in zip(gradients, together.split([g.numel() for g in gradients]), strict=True):
            each.copy_(part.view_as(each))

    def loss(self, micro: Micro) -> Any:
        """A micro-batch's mean loss, shape (); 0 times it where it has no targets."""
        inputs = {
            key: value.to(self.accelerator.device, non_blocking=True) for key, value in micro.inputs.items()
        }
        with self.precision.autocast(), self.fast.active(inputs):
            return self.task.loss(self.model, inputs)

    def update(self) -> float:
        """Clip the gradients and move the weights; return the gradients' norm before clipping.

        A norm that is not finite moves nothing; in fp16, where that happens, the loss is scaled less.
        """
        import torch

        self.scaler.unscale_(self.optimizer)
        norm = float(torch.nn.utils.clip_grad_norm_(self.parameters, self.max_grad_norm))
        if math.isfinite(norm):
            self.scaler.step(self.optimizer)
            self.schedule.step()
        elif self.precision.scales:
            self.scaler.step(self.optimizer)  # skips
        self.scaler.update()
        return norm

    def forget(self) -> None:
        """Drop all gradients."""
        self.optimizer.zero_grad(set_to_none=True)


def run_steps(
    optimization: Optimization, steps: Steps, start: int, stop: int, workers: int
) -> Iterator[Progress]:
    """Make the steps from `start` to before `stop`, and tell of each.

    Raises:
        Diverged: the loss or the gradients are not finite; the weights are those of the step before.
    """
    optimization.model.train()
    for prepared in steps.between(start, stop, workers):
        step = (
            steps[prepared.number] if workers and steps.shrunk else prepared
        )  # workers know of no shrinking
        rate = optimization.schedule.get_last_lr()[0]
        optimization.forget()
        loss = gradients_or_less(optimization, steps, step)
        norm = optimization.update()
        if not math.isfinite(norm):
            whole = float(optimization.accelerator.reduce(loss, "sum"))
            if not optimization.precision.scales or not math.isfinite(whole):
                raise Diverged(describe(steps, step, whole, norm, rate))
        yield Progress(step.number + 1, loss, rate, norm, len(step.rows))


def gradients_or_less(optimization: Optimization, steps: Steps, step: Step) -> Any:
    """A step's gradients over all processes, and this one's part of its loss.

    When memory runs out on any process, all make the same step again in smaller pieces, from the same random
    state, so that nothing of the first try is left.
    """
    before = random_state()
    while True:
        loss = gradients_unless_full(optimization, step)
        if not any_process(optimization, loss is None):
            break
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
    if optimization.accelerator.num_processes > 1:
        optimization.exchange()
    return loss


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


def describe(steps: Steps, step: Step, loss: float, norm: float, rate: float) -> str:
    """Say where training diverged."""
    return (
        f"step {step.number + 1} has loss {loss} and gradient norm {norm} at learning rate {rate:.3g}; "
        f"its rows are {listing(steps.places(step.number), MOST_ROWS_NAMED)}; the last checkpoint is intact: "
        "lower train.learning_rate, set train.precision=fp32, or look at these rows"
    )
