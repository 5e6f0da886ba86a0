"""Steps recorded as CUDA graphs: a GPU then makes a whole step, update included, at one call.

A step of a base-size model on short rows is more than a thousand small kernels, and to ask for each from
Python takes several times as long as to compute it. A step of a shape that has not occurred is made as usual;
the second is recorded, and replayed from then on. Dropout draws new masks at every replay.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tunekit.data.batches import Step
from tunekit.engine.optimization import Optimization

MOST = 96  # shapes that are recorded


@dataclass
class Recorded:
    """One shape of a step: where its inputs go, and where its results come out."""

    graph: Any
    inputs: Mapping[str, Any]
    layout: Any
    loss: Any  # shape ()
    norm: Any  # shape ()


class Recorder:
    """The recorded steps of a run."""

    def __init__(self, optimization: Optimization) -> None:
        self.optimization = optimization
        self.works = optimization.deferred and optimization.accelerator.num_processes == 1
        self.works = self.works and not optimization.task.writes  # what it learns has no fixed shape
        again = getattr(optimization.model, "is_activation_checkpointing", False)
        self.works = self.works and not again  # what is computed again looks at the state of randomness
        self.works = self.works and not optimization.task.couples
        self.clear()

    def clear(self) -> None:
        """Forget all recordings, as when the model computes in another way."""
        import torch

        self.seen: set[Any] = set()
        self.recorded: dict[Any, Recorded] = {}
        self.pool = torch.cuda.graph_pool_handle() if self.works else None
        groups = self.optimization.optimizer.param_groups
        self.rates = [self.optimization.bad.new_zeros(()) for _ in groups] if self.works else []

    def make(self, step: Step) -> tuple[Any, Any] | None:
        """Make a step whose shape occurred before; its loss and gradient norm, or None where it is new."""
        if not self.works or len(step.micros) != 1 or step.micros[0].count != step.total:
            return None
        inputs, layout = self.optimization.placed(step.micros[0])
        key = shape_of(inputs, layout)
        if key not in self.seen:
            self.seen.add(key)
            return None
        room = len(self.recorded) < MOST
        if key not in self.recorded and not (room and self.record(key, inputs, layout)):
            return None
        recorded = self.recorded[key]
        fill(recorded, inputs, layout)
        for rate, group in zip(self.rates, self.optimization.optimizer.param_groups, strict=True):
            rate.fill_(group["lr"])
        recorded.graph.replay()
        self.optimization.schedule.step()
        return recorded.loss.clone(), recorded.norm.clone()

    def record(self, key: Any, inputs: Mapping[str, Any], layout: Any) -> bool:
        """Record a step of a shape; where the model does what cannot be recorded, no more is tried."""
        import torch

        generator = torch.cuda.default_generators[torch.cuda.current_device()]
        before, optimizer = generator.clone_state(), self.optimization.optimizer
        self.optimization.forget()
        graph = torch.cuda.CUDAGraph()
        rates = [group["lr"] for group in optimizer.param_groups]
        for group, rate in zip(optimizer.param_groups, self.rates, strict=True):
            group["lr"], group["capturable"] = rate, True
        try:
            with torch.cuda.graph(graph, pool=self.pool):
                loss = self.optimization.loss(inputs, layout)
                loss.backward()
                norm = self.optimization.update_fused()
        except RuntimeError:
            self.works = False
            self.recorded.clear()  # their memory too, which may be what was short
            generator.graphsafe_set_state(before)  # else it would wait for the recording to end
        finally:
            for group, value in zip(optimizer.param_groups, rates, strict=True):
                group["lr"], group["capturable"] = value, False
            self.optimization.forget()
        if self.works:
            self.recorded[key] = Recorded(graph, inputs, layout, loss.detach(), norm)
        return self.works


def shape_of(inputs: Mapping[str, Any], layout: Any) -> Any:
    """What must be equal for a recording to fit."""
    shapes = tuple((name, tuple(value.shape), value.dtype) for name, value in inputs.items())
    return shapes, layout and (len(layout.index), layout.longest)


def fill(recorded: Recorded, inputs: Mapping[str, Any], layout: Any) -> None:
    """Put a step's inputs where its recording reads them."""
    for name, value in inputs.items():
        recorded.inputs[name].copy_(value)
    if layout is not None:
        recorded.layout.index.copy_(layout.index)
        recorded.layout.bounds.copy_(layout.bounds)
