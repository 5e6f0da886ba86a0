"""Rows without their padding for a GPU: one after the other, with their bounds on the device.

Sizes are rounded up so that few different ones occur, and nothing in a step depends on numbers that only the
device knows: such a step can be recorded once and replayed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LEAST = 64  # tokens: sizes are multiples of this, or of an eighth of the power of two below them


@dataclass
class Segments:
    """A padded batch as rows one after the other. Copies of its first token fill up, as a last row unseen."""

    rows: int
    width: int  # padded length
    longest: int  # tokens that a row may have, the last included
    index: Any  # the place of each token among the padded ones, shape (tokens,); behind them all for copies
    bounds: Any  # where each row begins, and the last ends, shape (rows + 2,)

    def on(self, device: Any) -> "Segments":
        """The same on a device."""
        index, bounds = (
            each.pin_memory().to(device, non_blocking=True) for each in (self.index, self.bounds)
        )
        return Segments(self.rows, self.width, self.longest, index, bounds)

    def flatten(self, wide: Any) -> Any:
        """(rows * width, size) as (tokens, size)."""
        return wide.index_select(0, self.index.where(self.index < self.rows * self.width, self.index[0]))

    def pad(self, flat: Any) -> Any:
        """(tokens, size) as (rows * width, size), with zeros for padding; copies are lost."""
        wide = flat.new_zeros(self.rows * self.width + 1, flat.shape[-1])
        return wide.index_copy_(0, self.index, flat)[:-1]

    def silence(self, flat: Any) -> Any:
        """Zeros for the copies."""
        return flat * (self.index < self.rows * self.width)[:, None].to(flat.dtype)


def make_segments(mask: Any) -> Segments:
    """The segments of a batch that is padded on the right; mask of shape (rows, width), on the CPU."""
    import torch

    rows, width = mask.shape
    real = mask.reshape(-1).nonzero().squeeze(1)
    copies = rounded(len(real)) - len(real)
    index = torch.cat([real, real.new_full((copies,), rows * width)])
    lengths = torch.cat([mask.new_zeros(1), mask.sum(1), mask.new_full((1,), copies)])
    longest = max(width, LEAST, copies_at_most(len(index)))
    return Segments(rows, width, longest, index, lengths.cumsum(0).to(torch.int32))


def rounded(count: int) -> int:
    """A count rounded up to one of few."""
    step = copies_at_most(count)
    return -(-count // step) * step


def copies_at_most(count: int) -> int:
    """What counts of about this size are multiples of."""
    return int(max(LEAST, 2 ** (count.bit_length() - 4)))


def widened(inputs: Mapping[str, Any], fill: Mapping[str, int], longest: int) -> dict[str, Any]:
    """A batch whose padded sizes are multiples of `LEAST`, as far as the `longest` row of all allows.

    Only what has a place for each token grows, and labels, of which the filled ones count nowhere.
    """
    from torch.nn.functional import pad

    ids = inputs.get("input_ids")
    if ids is None:
        return dict(inputs)
    found = dict(inputs)
    for name, value in inputs.items():
        is_label = name == "labels" and value.ndim == 2 and not value.is_floating_point()
        if value.shape[:2] == ids.shape or is_label:
            most = longest if value.shape[1] == ids.shape[1] else value.shape[1] + LEAST
            size = max(value.shape[1], min(-(-value.shape[1] // LEAST) * LEAST, most))
            behind = (0, 0) * (value.ndim - 2)
            found[name] = pad(value, (*behind, 0, size - value.shape[1]), value=fill.get(name, 0))
    return found


def attended(
    query: Any, key: Any, value: Any, layout: Segments, causal: bool, scale: float, rate: float
) -> Any:
    """Attention inside each row; query, key and value have shape (tokens, heads, size)."""
    import torch

    if query.is_cuda and query.dtype in (torch.bfloat16, torch.float16):
        longest = layout.longest
        return torch.ops.aten._flash_attention_forward(
            query,
            key,
            value,
            layout.bounds,
            layout.bounds,
            longest,
            longest,
            rate,
            causal,
            False,
            scale=scale,
        )[0]
    return masked(query, key, value, layout, causal, scale, rate)


def masked(
    query: Any, key: Any, value: Any, layout: Segments, causal: bool, scale: float, rate: float
) -> Any:
    """The same with a mask of all tokens for all tokens: to try a model in full precision on a few rows."""
    import torch

    places = torch.arange(len(query), device=query.device)
    row = torch.bucketize(places, layout.bounds[1:], right=True)
    seen = row[:, None] == row[None]
    if causal:
        seen &= places[:, None] >= places[None]
    out = torch.nn.functional.scaled_dot_product_attention(
        *(each.transpose(0, 1)[None] for each in (query, key, value)),
        attn_mask=seen,
        dropout_p=rate,
        scale=scale,
    )
    return out[0].transpose(0, 1)
