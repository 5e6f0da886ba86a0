"""Weights and moments in few bits, as bitsandbytes keeps them, on the CPU, which it can use too."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tunekit import checkpoint
from tunekit.engine.state import moments, set_moments
from tunekit.models.quantization import weights_in
from tunekit.optim import make_optimizer
from tunekit.recipe import TrainSection

pytest.importorskip("bitsandbytes")


def make(seed: int) -> tuple[Any, Any]:
    """A model of which one matrix is large enough for moments in 8 bits, and its optimizer."""
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(128, 64), torch.nn.Linear(64, 2))
    return model, make_optimizer(TrainSection(optimizer="adamw-8bit", learning_rate=1e-2), model)


def step(model: Any, optimizer: Any, number: int) -> None:
    """Make a step on rows that follow from its number."""
    rows = torch.randn(8, 128, generator=torch.Generator().manual_seed(number))
    optimizer.zero_grad()
    model(rows).square().mean().backward()
    optimizer.step()


def test_moments_in_8_bits_continue_from_a_checkpoint(tmp_path: Path) -> None:
    model, optimizer = make(0)
    for number in range(3):
        step(model, optimizer, number)
    tensors, plain = moments(optimizer)
    assert torch.uint8 in {tensor.dtype for tensor in tensors.values()}
    saved = checkpoint.save(tmp_path, 3, {"optimizer": tensors}, {"optimizer": json.loads(json.dumps(plain))})
    again, other = make(1)
    again.load_state_dict(model.state_dict())
    set_moments(other, saved.tensors("optimizer"), saved.manifest()["state"]["optimizer"])
    for number in range(3, 6):
        step(model, optimizer, number)
        step(again, other, number)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))


@pytest.mark.parametrize("kind", ["Linear4bit", "Linear8bitLt"])
def test_packed_weights_are_counted_one_by_one(kind: str) -> None:
    import bitsandbytes

    settings = {"has_fp16_weights": False} if kind == "Linear8bitLt" else {}
    layer = getattr(bitsandbytes.nn, kind)(128, 64, bias=False, **settings).to("cpu")
    assert weights_in(layer.weight) == 128 * 64
