"""Drawing the next token at random, in such a way that a row's text does not depend on its batch."""

import hashlib
from typing import Any


def sampler(temperature: float, top_p: float, seed: int, pad: int) -> list[Any]:
    """What draws tokens in `generate`, which then takes the likeliest; nothing where that is wanted.

    The largest of logits plus Gumbel noise is a draw from their softmax. The noise of a row follows from the
    seed and the tokens so far alone, which padding on the left is no part of.
    """
    if temperature == 0:
        return []
    import torch
    from transformers import LogitsProcessor, TemperatureLogitsWarper, TopPLogitsWarper

    class Noise(LogitsProcessor):  # type: ignore[misc]
        """Gumbel noise for each row."""

        def __call__(self, input_ids: Any, scores: Any) -> Any:
            rows = [noise(row.tolist(), seed, pad, scores.shape[-1]) for row in input_ids]
            return scores + torch.stack(rows).to(scores)

    nucleus = [TopPLogitsWarper(top_p)] if top_p < 1 else []
    return [TemperatureLogitsWarper(temperature), *nucleus, Noise()]


def noise(tokens: list[int], seed: int, pad: int, size: int) -> Any:
    """Gumbel noise for the token behind some others, shape (size,)."""
    import torch

    begin = next((place for place, token in enumerate(tokens) if token != pad), len(tokens))
    digest = hashlib.sha256(str([seed, *tokens[begin:]]).encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") % 2**63)
    return -torch.empty(size).exponential_(generator=generator).log()
