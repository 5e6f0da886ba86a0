"""A model whose weights are shared out over processes by FSDP2: each layer is put together when it is needed.

Every process keeps its part of the weights, gradients and moments, in fp32. What is computed with a layer is
computed by all at the same time, so all must make the same number of forwards.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tunekit.console import out
from tunekit.errors import InputError

COPIES = 4  # weights, gradients and two moments, all of them in fp32
SHARE = 0.6  # of a device's memory that these may take; the rest is for what a forward leaves


def choose_sharding(wanted: str, model: Any, device: Any, processes: int) -> bool:
    """Whether a model is shared out.

    Raises:
        InputError: it should be, and its forwards do not always take the same layers.
    """
    if processes == 1:
        if wanted == "full":
            out.say("train.shard=full changes nothing on one process, which has the whole model")
        return False
    if wanted == "off" or (wanted == "auto" and not too_large(model, device)):
        return False
    skips = [name for name, value in model.config.to_dict().items() if "layerdrop" in name and value]
    if skips:
        raise InputError(
            f"train.shard=full cannot be used with a model that skips layers at random ({skips[0]} in its "
            "config.json); set train.shard=off"
        )
    out.say(f"each of {processes} processes has its part of the model (train.shard=full)")
    return True


def too_large(model: Any, device: Any) -> bool:
    """Whether weights, gradients and moments leave a GPU too little memory to train."""
    import torch

    if device.type != "cuda":
        return False
    copies = {True: COPIES, False: 1}  # what does not train has no gradients and moments
    size = sum(each.numel() * 4 * copies[each.requires_grad] for each in model.parameters())  # bytes
    return bool(size > SHARE * torch.cuda.get_device_properties(device).total_memory)


def shard(model: Any, layers: Iterable[Any], device: Any) -> None:
    """Share a model out over all processes: a unit for each layer, and one for what is left.

    Gradients are summed and not averaged: each process's loss counts for its share of a step's targets.
    """
    from torch.distributed import get_world_size
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method

    mesh = init_device_mesh(device.type, (get_world_size(),))
    for unit in (*layers, model):
        unit.register_forward_hook(own)
        fully_shard(unit, mesh=mesh)
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)
    if hasattr(model, "generate"):  # it calls more than the model's own forward
        register_fsdp_forward_method(model, "generate")
    model._is_fsdp_managed_module = True  # transformers then lets processes write equally many tokens


def own(_: Any, __: Any, output: Any) -> Any:
    """What a unit gives, as no view of anything: FSDP2 hears of a backward by hooks that a view can lose."""
    import torch

    if isinstance(output, dict):
        for name, each in output.items():
            output[name] = own(None, None, each)
        return output
    if type(output) is tuple:
        return tuple(own(None, None, each) for each in output)
    return output.clone() if torch.is_tensor(output) and output._is_view() else output


@contextmanager
def put_back(model: Any) -> Iterator[None]:
    """After a block of forwards without a backward, nothing of a model stays put together."""
    try:
        yield
    finally:
        if is_sharded(model):
            model.reshard()


def is_sharded(model: Any) -> bool:
    """Whether a model is shared out."""
    return bool(getattr(model, "_is_fsdp_managed_module", False))


def whole(tensor: Any) -> Any:
    """A tensor put together from all processes' parts; one that is whole is returned as it is."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def whole_weights(model: Any, *, wanted: bool) -> Mapping[str, Any] | None:
    """All weights of a model that is shared out, put together one by one, on the CPU where they are `wanted`.

    All processes must take part. Names of one weight share it. None for any other model.
    """
    if not is_sharded(model):
        return None
    found: dict[str, Any] = {}
    known: dict[int, Any] = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in known:
            together = whole(tensor.detach())
            known[id(tensor)] = together.cpu() if wanted else None
        found[name] = known[id(tensor)]
    return found if wanted else None
