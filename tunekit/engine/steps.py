"""The loop: each step's gradients summed over its micro-batches and processes, then one update.

A step's loss is the mean over all its targets, wherever they are computed: a micro-batch's mean loss is
weighed by its share of the targets. So neither its cuts nor the number of processes changes the update.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tunekit.data.batches import Micro, Step, Steps
from tunekit.engine.randomness import random_state, set_random_state
from tunekit.errors import Diverged, EnvironmentFailure, listing
from tunekit.models.precision import Precision
from tunekit.tasks.base import Task

MOST_ROWS_NAMED = 40


@dataclass(frozen=True)
class Progress:
    """One step that is done."""

    step: int  # steps done
    loss: Any  # on the device, shape (); its mean over processes is the step's loss
    learning_rate: float  # used in this step
    grad_norm: float
    rows: int
    tokens: int


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
    ) -> None:
        import torch

        self.task, self.optimizer, self.schedule = task, optimizer, schedule
        self.accelerator, self.precision = accelerator, precision
        self.max_grad_norm = max_grad_norm or math.inf
        self.plain = model.to(accelerator.device)  # without wrappers: what is evaluated and saved
        self.model = accelerator.prepare_model(self.plain) if accelerator.num_processes > 1 else self.plain
        self.scaler = torch.amp.GradScaler(precision.device, enabled=precision.scales)
        self.parameters = [p for p in self.plain.parameters() if p.requires_grad]

    def gradients(self, step: Step) -> Any:
        """Sum the gradients of a step's micro-batches; return their loss, shape ().

        The mean over processes, which their exchange computes, is undone by the factor `num_processes`.
        """
        import torch

        processes = self.accelerator.num_processes
        total = torch.zeros((), device=self.accelerator.device)
        for number, micro in enumerate(step.micros):
            last = number == len(step.micros) - 1
            weight = micro.count / step.total * processes
            with torch.enable_grad(), self.exchange(now=last):
                loss = self.loss(micro) * weight
                self.scaler.scale(loss).backward()
            total += loss.detach()
        return total

    def exchange(self, *, now: bool) -> Any:
        """Whether this backward exchanges gradients between processes."""
        from contextlib import nullcontext

        return nullcontext() if now else self.accelerator.no_sync(self.model)

    def loss(self, micro: Micro) -> Any:
        """A micro-batch's mean loss, shape (); 0 times it where it has no targets."""
        inputs = {
            key: value.to(self.accelerator.device, non_blocking=True) for key, value in micro.inputs.items()
        }
        with self.precision.autocast():
            return self.task.loss(self.model, inputs)

    def update(self) -> float:
        """Clip the gradients and move the weights; return the gradients' norm before clipping."""
        import torch

        self.scaler.unscale_(self.optimizer)
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.max_grad_norm)
        size = float(norm)
        if not math.isfinite(size) and not self.precision.scales:
            return size
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()
        return size

    def forget(self) -> None:
        """Drop all gradients."""
        self.optimizer.zero_grad(set_to_none=True)


def run_steps(
    optimization: Optimization, steps: Steps, start: int, stop: int, workers: int
) -> Iterator[Progress]:
    """Make the steps from `start` to before `stop`, and tell of each.

    Raises:
        Diverged: a loss or a gradient is not finite; the weights are those of the step before.
    """
    optimization.model.train()
    for step in steps.between(start, stop, workers):
        rate = optimization.schedule.get_last_lr()[0]
        optimization.forget()
        loss = gradients_or_less(optimization, steps, step)
        norm = optimization.update()
        if not math.isfinite(norm) and not optimization.precision.scales:
            raise Diverged(describe(steps, step, float(loss), norm, rate))
        yield Progress(step.number + 1, loss, rate, norm, len(step.rows), step.tokens)


def gradients_or_less(optimization: Optimization, steps: Steps, step: Step) -> Any:
    """A step's gradients; when memory runs out, the same step again in smaller pieces.

    The random state is set back before the second try, so that nothing of the first is left.
    """
    from accelerate.utils.memory import should_reduce_batch_size

    before = random_state()
    while True:
        try:
            return optimization.gradients(step)
        except RuntimeError as error:
            if not should_reduce_batch_size(error):
                raise
            optimization.forget()
            if not steps.shrink(step.micros):
                raise EnvironmentFailure(
                    f"a single window of {steps.encoded.lengths.max()} tokens does not fit into memory; "
                    "lower task.max_length or choose a smaller model"
                ) from None
        set_random_state(before)
        step.micros = [smaller for micro in step.micros for smaller in steps.divide(micro.windows)]


def describe(steps: Steps, step: Step, loss: float, norm: float, rate: float) -> str:
    """Say where training diverged."""
    return (
        f"step {step.number + 1} has loss {loss} and gradient norm {norm} at learning rate {rate:.3g}, "
        f"training rows {listing(sorted(step.rows.tolist()), MOST_ROWS_NAMED)} (from 0, after cuts); "
        "the last checkpoint is intact: lower train.learning_rate, set train.precision=fp32, "
        "or look at these rows"
    )
