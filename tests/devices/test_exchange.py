"""The exchange of gradients: no copies, a fixed order, and a step that fails leaves nobody waiting."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from tunekit.engine.exchange import Exchange


@pytest.fixture(autouse=True)
def group() -> Iterator[None]:
    """A group of one process."""
    import torch.distributed as group

    group.init_process_group("gloo", store=group.HashStore(), rank=0, world_size=1)
    yield
    group.destroy_process_group()


def make(size: int = 400) -> tuple[Any, Any, Exchange]:
    """A model of four layers of which the second is not used, an input, and the exchange of its gradients."""
    torch.manual_seed(0)
    layers = torch.nn.ModuleList(torch.nn.Linear(8, 8) for _ in range(4))
    exchange = Exchange(list(layers.parameters()), size)
    return layers, torch.randn(5, 8), exchange


def loss(layers: Any, inputs: Any) -> Any:
    """A loss of all layers but the second."""
    for number in (0, 2, 3):
        inputs = layers[number](inputs).tanh()
    return inputs.square().sum()


def test_gradients_are_those_of_two_backwards_together() -> None:
    layers, inputs, exchange = make()
    loss(layers, inputs).backward()
    loss(layers, 2 * inputs).backward()
    wanted = [None if p.grad is None else p.grad.clone() for p in layers.parameters()]
    exchange.begin()
    loss(layers, inputs).backward()
    exchange.last()
    loss(layers, 2 * inputs).backward()
    assert not exchange.finish(failed=False)
    for parameter, gradient in zip(layers.parameters(), wanted, strict=True):
        assert (parameter.grad is None) == (gradient is None)
        assert gradient is None or torch.equal(parameter.grad, gradient)


def test_gradients_are_views_of_their_buckets() -> None:
    layers, inputs, exchange = make()
    exchange.begin()
    loss(layers, inputs).backward()
    held = {bucket.flat.untyped_storage().data_ptr() for bucket in exchange.buckets}
    used = [p.grad for p in layers[0].parameters()]
    assert all(gradient.untyped_storage().data_ptr() in held for gradient in used)


def test_buckets_leave_during_the_last_backward_in_their_order() -> None:
    layers, inputs, exchange = make()
    sent: list[int] = []
    exchange.begin()
    exchange.last()
    layers[0].weight.register_hook(lambda _: sent.append(exchange.next))
    loss(layers, inputs).backward()
    assert 0 < sent[0] < len(exchange.buckets)  # those of the last layers have left before the first's came
    exchange.finish(failed=False)
    assert all(bucket.sent is not None for bucket in exchange.buckets)


def test_a_step_that_failed_anywhere_is_made_again_from_zeros() -> None:
    layers, inputs, exchange = make()
    exchange.begin()
    loss(layers, inputs).backward()
    assert exchange.finish(failed=True)
    exchange.begin()
    exchange.last()
    loss(layers, inputs).backward()
    assert not exchange.finish(failed=False)
    again = layers[3].weight.grad.clone()
    layers.zero_grad()
    loss(layers, inputs).backward()
    assert torch.equal(again, layers[3].weight.grad)


def test_a_gradient_that_changes_after_it_left_is_an_error() -> None:
    layers, inputs, exchange = make()
    exchange.begin()
    exchange.last()
    loss(layers, inputs).backward()
    with pytest.raises(RuntimeError, match="second backward"):
        loss(layers, inputs).backward()
    exchange.finish(failed=True)
