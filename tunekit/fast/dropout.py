"""Dropout on CPUs: 16 random bits an element in place of a number drawn for each.

torch draws a dropout mask from its serial generator, at 6 to 7 ns an element on AMD and Intel alike. Bits of
64-bit numbers cost 1 ns, come from the same generator, and so follow the same seed. The rate is rounded to
1/65536.
"""

from typing import Any

STEPS = 65536  # values of 16 bits


def make_mask(like: Any, rate: float) -> Any:
    """What dropout multiplies with, in the shape and type of `like`: 0 at the rate, else 1 over the rest."""
    import torch

    dropped = round(rate * STEPS)
    count = like.numel()
    bits = torch.empty((count + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
    kept = bits.view(torch.int16)[:count].view(like.shape) >= dropped - STEPS // 2
    return kept.to(like.dtype).mul_(STEPS / (STEPS - dropped))


def drop(x: Any, rate: float) -> Any:
    """Dropout of a tensor on the CPU."""
    return x * make_mask(x, rate) if rate > 0 else x


def replace_dropout(model: Any) -> None:
    """Let all dropout layers of a model draw their masks so; nothing else of them changes."""
    import torch

    class BitDropout(torch.nn.Dropout):  # type: ignore[misc]
        """Dropout by random bits."""

        def forward(self, x: Any) -> Any:
            return drop(x, self.p) if self.training else x

    for module in model.modules():
        if type(module) is torch.nn.Dropout and not module.inplace:
            module.__class__ = BitDropout
