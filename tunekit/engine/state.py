"""What a run must remember to continue exactly: progress as JSON, weights and moments as tensors."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any

from tunekit.checkpoint import Saved
from tunekit.engine.optimization import Optimization
from tunekit.engine.randomness import random_state, set_random_state
from tunekit.engine.shards import is_part, read_parts
from tunekit.models.together import first_alone, from_first, send, tensors_from_first

INSIDE = "/"  # between the keys of a value that is in a dictionary of an optimizer's state


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


def set_weights(model: Any, saved: Saved) -> None:
    """Give a model a checkpoint's weights; one that is shared out reads each process's part."""
    import torch

    mine = weights(model)
    parts = {name: tensor for name, tensor in mine.items() if is_part(tensor)}
    whole = {name: tensor for name, tensor in mine.items() if name not in parts}
    if parts:
        read_parts(saved, "model", parts)
    found = saved.tensors("model", whole.keys()) if whole else {}
    with torch.no_grad():
        for name, tensor in whole.items():
            tensor.copy_(found[name])


def give_weights(optimization: Optimization, find: Callable[[], Saved]) -> None:
    """Give a model the weights of a checkpoint that those who read it can find."""
    with first_alone() if optimization.exchange else nullcontext():
        if optimization.reads:
            set_weights(optimization.model, find())
    if optimization.exchange:
        send(weights(optimization.model).values())


def moments(optimizer: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """An optimizer's state as tensors by `parameter.key`, and the rest as plain data."""
    import torch

    document = optimizer.state_dict()
    tensors: dict[str, Any] = {}
    plain: dict[str, Any] = {}
    for parameter, values in document["state"].items():
        for key, value in flat(values):
            (tensors if torch.is_tensor(value) else plain)[f"{parameter}.{key}"] = value
    return tensors, {"values": plain, "groups": document["param_groups"]}


def flat(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The values of a dictionary by key; of one inside it by both keys, as moments in 8 bits are kept."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from ((f"{key}{INSIDE}{name}", inner) for name, inner in flat(value))
        else:
            yield key, value


def read_moments(optimizer: Any, saved: Saved) -> dict[str, Any]:
    """The tensors of an optimizer's state in a checkpoint, shared out as its parameters are."""
    import torch

    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    if not any(map(is_part, parameters)):
        return saved.tensors("optimizer")
    parts, others = {}, set()
    for name, shape in saved.shapes("optimizer").items():
        parameter = parameters[int(name.split(".")[0])]
        if shape == tuple(parameter.shape) and is_part(parameter):
            parts[name] = torch.zeros_like(parameter, requires_grad=False)
        else:
            others.add(name)
    read_parts(saved, "optimizer", parts)
    return parts | saved.tensors("optimizer", others)


def set_moments(optimizer: Any, tensors: Mapping[str, Any], plain: Mapping[str, Any]) -> None:
    """Give an optimizer the state that `moments` took."""
    state: dict[int, dict[str, Any]] = {}
    for name, value in {**tensors, **plain["values"]}.items():
        parameter, key = name.split(".", 1)
        *outer, last = key.split(INSIDE)
        place = state.setdefault(int(parameter), {})
        for each in outer:
            place = place.setdefault(each, {})
        place[last] = value
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
    reads, optimizer = optimization.reads, optimization.optimizer
    give_weights(optimization, lambda: saved)
    document = saved.manifest()["state"] if reads else None
    tensors = read_moments(optimizer, saved) if reads else {}
    if optimization.exchange:
        document = from_first(document)
        tensors = tensors_from_first(tensors, optimization.accelerator.device)
    assert document is not None
    set_moments(optimizer, tensors, document["optimizer"])
    schedule = optimization.schedule
    schedule.load_state_dict({**schedule.state_dict(), **document["schedule"]})
    optimization.scaler.load_state_dict(document["scaler"])
    accelerator = optimization.accelerator
    if len(document["random"]) == accelerator.num_processes:
        set_random_state(document["random"][accelerator.process_index])
    return State.from_json(document["progress"])
