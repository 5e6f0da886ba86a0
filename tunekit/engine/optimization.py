"""What changes when a step is made, and the parts of a step: forward, backward, exchange, update."""

import math
from typing import Any

from tunekit.data.batches import Micro, Step
from tunekit.engine import coupling
from tunekit.fast import Fast
from tunekit.models.precision import Precision
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
        self.model = model.to(accelerator.device)
        self.scaler = torch.amp.GradScaler(precision.device, enabled=precision.scales)
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        fused = isinstance(optimizer, torch.optim.AdamW) and all(g["fused"] for g in optimizer.param_groups)
        self.fused = fused and not precision.scales
        self.deferred = self.fused and accelerator.device.type == "cuda"
        self.bad = torch.zeros((), device=accelerator.device)  # 1 once gradients were not finite

    def gradients(self, step: Step) -> Any:
        """Sum the gradients of this process's micro-batches; return its part of the step's loss, shape ()."""
        import torch

        if self.task.couples:
            return coupling.gradients(self, step)
        total = torch.zeros((), device=self.accelerator.device)
        for micro in step.micros:
            with torch.enable_grad():
                loss = self.loss(*self.placed(micro)) * (micro.count / max(1, step.total))
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

    def exchange(self) -> None:
        """Sum the gradients over all processes, in one message."""
        import torch

        gradients = [p.grad for p in self.parameters if p.grad is not None]
        together = self.accelerator.reduce(torch.cat([each.flatten() for each in gradients]), "sum")
        for each, part in zip(gradients, together.split([g.numel() for g in gradients]), strict=True):
            each.copy_(part.view_as(each))

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
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.max_grad_norm)
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
        norm = torch.nn.utils.get_total_norm(gradients)
        self.bad.copy_(torch.maximum(self.bad, (~norm.isfinite()).to(self.bad.dtype)))
        self.optimizer.grad_scale = (norm / self.max_grad_norm).clamp(min=1.0)
        self.optimizer.found_inf = self.bad
        self.optimizer.step()
        return norm

    def forget(self) -> None:
        """Drop all gradients."""
        self.optimizer.zero_grad(set_to_none=True)


def moved(tensor: Any, device: Any) -> Any:
    """A tensor of the CPU on a device; a GPU fetches it by itself, from memory that stays in its place."""
    return (tensor.pin_memory() if device.type == "cuda" else tensor).to(device, non_blocking=True)
