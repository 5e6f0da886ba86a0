"""What changes when a step is made, and the parts of a step: forward, backward, exchange, update."""

import math
from typing import Any

from tunekit.data.batches import Micro, Step
from tunekit.engine import coupling
from tunekit.engine.exchange import Exchange
from tunekit.fast import Fast
from tunekit.models.precision import Precision
from tunekit.models.sharding import is_sharded, whole
from tunekit.tasks.base import Inputs, Task


class Optimization:
    """A model in training: its task, optimizer, schedule, precision and devices.

    On a GPU with fused AdamW an update is `deferred`: whether its gradients are finite is decided on the
    device, and the host need not wait for it. Once they were not, no later update moves a weight.
    """

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
        self.model, self.sharded = placed(model, accelerator.device), is_sharded(model)
        self.scaler = torch.amp.GradScaler(precision.device, enabled=precision.scales)
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        fused = isinstance(optimizer, torch.optim.AdamW) and all(g["fused"] for g in optimizer.param_groups)
        self.fused = fused and not precision.scales
        self.deferred = self.fused and accelerator.device.type == "cuda"
        self.bad = torch.zeros((), device=accelerator.device)  # 1 once gradients were not finite
        shares = accelerator.num_processes > 1 and not self.sharded  # else the model sums them itself
        self.exchange = Exchange(self.parameters) if shares else None

    def gradients(self, step: Step) -> Any:
        """Sum the gradients of this process's micro-batches; return its part of the step's loss, shape ().

        Those of other processes are added in the last backward, and are complete when `exchanged` returns.
        """
        import torch

        if self.exchange:
            self.exchange.begin()
        if self.task.couples:
            return coupling.gradients(self, step)
        total = torch.zeros((), device=self.accelerator.device)
        for number, micro in enumerate(step.micros, 1):
            if self.exchange and number == len(step.micros):
                self.exchange.last()
            inputs, layout = self.placed(micro)
            with torch.enable_grad(), self.fast.active(layout):  # the backward may compute layers again
                loss = self.loss(inputs, layout) * (micro.count / max(1, step.total))
                self.scaler.scale(loss).backward()
            total += loss.detach()
        return total

    def placed(self, micro: Micro) -> tuple[Inputs, Any]:
        """A micro-batch's inputs on the device, with their random changes, and where its tokens are."""
        device = self.accelerator.device
        given = self.fast.widened(micro.inputs) if self.deferred else micro.inputs
        layout = self.fast.layout(given)
        inputs = {key: moved(value, device) for key, value in given.items()}
        if micro.keys is not None:
            inputs = dict(self.task.augment(inputs, micro.keys))
        return inputs, layout if device.type == "cpu" or layout is None else layout.on(device)

    def loss(self, inputs: Inputs, layout: Any) -> Any:
        """A batch's mean loss, shape (); 0 times it where it has no targets."""
        with self.precision.autocast(), self.fast.active(layout):
            return self.task.loss(self.model, inputs)

    @property
    def reads(self) -> bool:
        """Whether this process reads checkpoints: of whole models the first one does, and sends them."""
        return self.sharded or bool(self.accelerator.is_main_process)

    def exchanged(self, *, failed: bool) -> bool:
        """Wait for the sum of the gradients over all processes; tell whether any of them `failed`."""
        return self.exchange.finish(failed=failed) if self.exchange else failed

    def update(self) -> Any:
        """Clip the gradients and move the weights; return the gradients' norm before clipping, shape ().

        A norm that is not finite moves nothing; in fp16, where that happens, the loss is scaled less.
        """
        import torch

        if self.fused:
            norm = self.update_fused()
            if self.deferred or math.isfinite(norm):
                self.schedule.step()
            return norm
        self.scaler.unscale_(self.optimizer)
        norm = whole(torch.nn.utils.clip_grad_norm_(self.parameters, self.max_grad_norm))
        if math.isfinite(norm):
            self.scaler.step(self.optimizer)
            self.schedule.step()
        elif self.precision.scales:
            self.scaler.step(self.optimizer)  # skips
        self.scaler.update()
        return norm

    def update_fused(self) -> Any:
        """The same by fused AdamW, without asking the device anything; the gradients' norm, shape ().

        It divides gradients by `grad_scale` and skips everything where `found_inf` is 1, as for
        `torch.amp.GradScaler`: clipping then costs no pass over the gradients of its own.
        """
        import torch

        gradients = [p.grad for p in self.parameters if p.grad is not None]
        norm = whole(torch.nn.utils.get_total_norm(gradients))
        self.bad.copy_(torch.maximum(self.bad, (~norm.isfinite()).to(self.bad.dtype)))
        self.optimizer.grad_scale = (norm / self.max_grad_norm).clamp(min=1.0)
        self.optimizer.found_inf = self.bad
        self.optimizer.step()
        return norm

    def forget(self) -> None:
        """Drop all gradients."""
        self.optimizer.zero_grad(set_to_none=True)


def placed(model: Any, device: Any) -> Any:
    """A model on a device; a quantized one is there from the start, and must not be moved."""
    return model if getattr(model, "is_quantized", False) else model.to(device)


def moved(tensor: Any, device: Any) -> Any:
    """A tensor of the CPU on a device; a GPU fetches it by itself, from memory that stays in its place."""
    return (tensor.pin_memory() if device.type == "cuda" else tensor).to(device, non_blocking=True)
