"""What a run must remember to continue exactly: progress as JSON, weights and moments as tensors."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from tunekit.checkpoint import Saved
from tunekit.engine.optimization import Optimization
from tunekit.engine.randomness import random_state, set_random_state


@dataclass
class Best:
    """The best evaluation so far."""

    metric: str
    value: float
    step: int
    decision: dict[str, Any] = field(default_factory=dict)  # the task's, by which it scored that


@dataclass
class State:
    """How far a run is."""

    step: int = 0  # steps done
    losses: list[float] = field(default_factory=list)  # of the steps since the last log row
    log_rows: int = 0
    evaluated: int = 0  # the last step that was evaluated
    best: Best | None = None
    stale: int = 0  # evaluations since the best
    over: bool = False  # early stopping has ended training
    pieces: Any = None  # how steps are divided since memory ran out: most, budget, True

    def as_json(self) -> dict[str, Any]:
        """Plain data for a manifest."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "State":
        """The state that `as_json` gave."""
        best = document["best"]
        return cls(**{**document, "best": Best(**best) if best else None})


def weights(model: Any) -> dict[str, Any]:
    """What training can change: its parameters and persistent buffers, each once even where layers share it.

    Frozen weights are those of the checkpoint that a run begins from, which is the same when it continues.
    """
    kept = model.state_dict().keys()
    buffers = {name: buffer for name, buffer in model.named_buffers() if name in kept}
    return {name: p.detach() for name, p in model.named_parameters() if p.requires_grad} | buffers


def set_weights(model: Any, tensors: Mapping[str, Any]) -> None:
    """Copy weights that `weights` gave into a model."""
    import torch

    with torch.no_grad():
        for name, tensor in weights(model).items():
            tensor.copy_(tensors[name])


def moments(optimizer: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """An optimizer's state as tensors by `parameter.key`, and the rest as plain data."""
    import torch

    document = optimizer.state_dict()
    tensors: dict[str, Any] = {}
    plain: dict[str, Any] = {}
    for parameter, values in document["state"].items():
        for key, value in values.items():
            (tensors if torch.is_tensor(value) else plain)[f"{parameter}.{key}"] = value
    return tensors, {"values": plain, "groups": document["param_groups"]}


def set_moments(optimizer: Any, tensors: Mapping[str, Any], plain: Mapping[str, Any]) -> None:
    """Give an optimizer the state that `moments` took."""
    state: dict[int, dict[str, Any]] = {}
    for name, value in {**tensors, **plain["values"]}.items():
        parameter, key = name.split(".", 1)
        state.setdefault(int(parameter), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": plain["groups"]})


def snapshot(state: State, optimization: Optimization) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Everything a checkpoint holds: tensors by file, and plain data. All processes must take part."""
    from accelerate.utils import gather_object

    tensors, plain = moments(optimization.optimizer)
    schedule = {k: v for k, v in optimization.schedule.state_dict().items() if k != "lr_lambdas"}
    document = {
        "progress": state.as_json(),
        "optimizer": plain,
        "schedule": schedule,
        "scaler": optimization.scaler.state_dict(),
        "random": gather_object([random_state()]),  # of every process
    }
    return {"model": weights(optimization.model), "optimizer": tensors}, document


def restore(saved: Saved, optimization: Optimization) -> State:
    """Set everything back to a checkpoint; return the progress it was made at.

    On another number of processes the random states are not those of an uninterrupted run.
    """
    document = saved.manifest()["state"]
    set_weights(optimization.model, saved.tensors("model"))
    set_moments(optimization.optimizer, saved.tensors("optimizer"), document["optimizer"])
    schedule = optimization.schedule
    schedule.load_state_dict({**schedule.state_dict(), **document["schedule"]})
    optimization.scaler.load_state_dict(document["scaler"])
    accelerator = optimization.accelerator
    if len(document["random"]) == accelerator.num_processes:
        set_random_state(document["random"][accelerator.process_index])
    return State.from_json(document["progress"])
