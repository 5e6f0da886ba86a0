"""Steps whose rows are held against each other: the loss is one of the whole step, and no sum over its parts.

Every forward is made once without a graph, and what it gives is shared between processes. The loss of all of
that, and its gradient with respect to each row of it, are then known everywhere; with them every forward is
made again and taken back, one after the other. So the gradient is that of the undivided step, in the memory
of one forward. The last forward keeps its graph: a step of a single one is made once.

Source: Gao, Zhang, Han, Callan (2021), "Scaling Deep Contrastive Learning Batch Size under Memory Limited
Setup".
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tunekit.data.batches import Micro, Step
from tunekit.engine.randomness import random_state, set_random_state

if TYPE_CHECKING:
    from tunekit.engine.optimization import Optimization

ELSEWHERE = "CUDA out of memory. It ran out on another process, in the same step"


def gradients(optimization: "Optimization", step: Step) -> Any:
    """Add the gradients of a step of coupled rows; return this process's part of its loss, shape ().

    Raises:
        RuntimeError: memory ran out here or on another process, and on all of them nothing more was tried.
    """
    states, parts, layouts = represented(optimization, step.micros)
    after = random_state()
    whole = together(optimization, step, parts)
    loss, pull = pulled(optimization, step, whole)
    for number, micro in reversed(list(enumerate(step.micros))):
        if not parts[number].requires_grad:
            set_random_state(states[number])  # the same dropout as at first
            parts[number], layouts[number] = represent(optimization, micro)
        if optimization.exchange and number == 0:
            optimization.exchange.last()
        with optimization.fast.active(layouts[number]):  # the backward may compute layers again
            parts[number].backward(pulls_of(step, micro, pull, parts[number]))
    set_random_state(after)
    return loss / optimization.accelerator.num_processes


def represented(
    optimization: "Optimization", micros: Sequence[Micro]
) -> tuple[list[dict[str, Any]], list[Any], list[Any]]:
    """The random states before forwards, what these give, and where tokens are; the last keeps its graph.

    Raises:
        RuntimeError: memory ran out on some process.
    """
    import torch
    from accelerate.utils.memory import should_reduce_batch_size

    states, parts, layouts, full = list[dict[str, Any]](), list[Any](), list[Any](), None
    try:
        for micro in micros:
            states.append(random_state())
            with torch.set_grad_enabled(micro is micros[-1]):
                part, layout = represent(optimization, micro)
            parts.append(part)
            layouts.append(layout)
    except RuntimeError as error:
        if not should_reduce_batch_size(error):
            raise
        full = str(error)
    if optimization.accelerator.num_processes > 1:  # the others would wait for this one's rows
        ran_out = torch.tensor(float(full is not None), device=optimization.accelerator.device)
        anywhere = bool(optimization.accelerator.reduce(ran_out, "sum") > 0)
        full = full or (ELSEWHERE if anywhere else None)
    if full:
        raise RuntimeError(full)
    return states, parts, layouts


def represent(optimization: "Optimization", micro: Micro) -> tuple[Any, Any]:
    """What a forward gives of its windows, shape (windows, ...), and where their tokens are."""
    inputs, layout = optimization.placed(micro)
    with optimization.precision.autocast(), optimization.fast.active(layout):
        return optimization.task.represent(optimization.model, inputs), layout


def together(optimization: "Optimization", step: Step, parts: Sequence[Any]) -> Any:
    """What all forwards of all processes gave, by window, shape (windows of the step, ...)."""
    import torch

    whole = parts[0].new_zeros((len(whole_of(step).windows), *parts[0].shape[1:]))
    with torch.no_grad():
        for micro, part in zip(step.micros, parts, strict=True):
            if micro.count:  # a stand-in belongs to no step
                whole[places(step, micro)] = part.detach()
    if optimization.accelerator.num_processes > 1:
        whole = optimization.accelerator.reduce(whole, "sum")
    return whole


def pulled(optimization: "Optimization", step: Step, whole: Any) -> tuple[Any, Any]:
    """The loss of a step, shape (), and its gradient by window, scaled for the precision."""
    import torch

    device = optimization.accelerator.device
    inputs = {key: value.to(device) for key, value in whole_of(step).inputs.items()}
    with torch.enable_grad():
        loss = optimization.task.step_loss(whole.requires_grad_(), inputs)
        (pull,) = torch.autograd.grad(optimization.scaler.scale(loss), whole)
    return loss.detach(), pull


def pulls_of(step: Step, micro: Micro, pull: Any, part: Any) -> Any:
    """The gradients of a forward's windows; none where these only stand in."""
    return pull[places(step, micro)] if micro.count else part.detach() * 0


def places(step: Step, micro: Micro) -> Any:
    """Where the windows of a forward are among those of the step."""
    import torch

    return torch.from_numpy(whole_of(step).windows.searchsorted(micro.windows))


def whole_of(step: Step) -> Any:
    """All windows of a step."""
    assert step.whole is not None
    return step.whole
