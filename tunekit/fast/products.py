"""Attention as plain products with a backward of its own, for padded rows and for flat ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from tunekit.fast.dropout import make_mask
from tunekit.fast.layout import Layout


@dataclass
class Kept:
    """What the backward of one product needs, each of shape (rows, heads, queries, keys)."""

    probabilities: Any
    mask: Any  # of dropout; None without


def attended(q: Any, k: Any, v: Any, added: Sequence[Any], rate: float) -> tuple[Any, Kept]:
    """Attention of rows of one length, shape (rows, heads, tokens, size), and what its backward needs.

    The queries are scaled already: there are fewer of them than of scores.
    """
    scores = q.matmul(k.transpose(-1, -2))
    for each in added:
        if each is not None:
            scores.add_(each)
    probabilities = scores.softmax(-1)
    mask = make_mask(probabilities, rate) if rate > 0 else None
    dropped = probabilities if mask is None else probabilities * mask
    return dropped.matmul(v), Kept(probabilities, mask)


def differentiated(out: Any, q: Any, k: Any, v: Any, kept: Kept, scale: float) -> tuple[Any, Any, Any, Any]:
    """The gradients of q, k, v and of what was added to the scores, given that of the output.

    The queries are scaled, and their gradient is that of the queries before.
    """
    import torch

    p, mask = kept.probabilities, kept.mask
    wide = out.matmul(v.transpose(-1, -2))
    if mask is not None:
        wide.mul_(mask)
    scores = torch._softmax_backward_data(wide, p, -1, p.dtype)
    dropped = p if mask is None else p * mask
    d_v = dropped.transpose(-1, -2).matmul(out)
    d_q = scores.matmul(k).mul_(scale)
    d_k = scores.transpose(-1, -2).matmul(q)
    return d_q, d_k, d_v, scores


def summed_to(gradient: Any, like: Any) -> Any:
    """A gradient summed over what was repeated to add `like`."""
    return gradient.sum_to_size(like.shape).to(like.dtype)


@cache
def padded() -> Any:
    """Attention of padded rows as a differentiable function, made when torch is there."""
    import torch

    class Padded(torch.autograd.Function):  # type: ignore[misc]
        """Attention of padded rows, shape (rows, heads, tokens, size)."""

        @staticmethod
        def forward(ctx: Any, q: Any, k: Any, v: Any, mask: Any, bias: Any, scale: float, rate: float) -> Any:
            q = q * scale
            out, kept = attended(q, k, v, (bias, mask), rate)
            ctx.save_for_backward(q, k, v, kept.probabilities, kept.mask, bias)
            ctx.scale = scale
            return out

        @staticmethod
        def backward(ctx: Any, d_out: Any) -> Any:
            q, k, v, probabilities, mask, bias = ctx.saved_tensors
            d_q, d_k, d_v, scores = differentiated(d_out, q, k, v, Kept(probabilities, mask), ctx.scale)
            d_bias = summed_to(scores, bias) if ctx.needs_input_grad[4] else None
            return d_q, d_k, d_v, None, d_bias, None, None

    return Padded


@cache
def flat() -> Any:
    """Attention of rows one after the other as a differentiable function."""
    import torch

    class Flat(torch.autograd.Function):  # type: ignore[misc]
        """Attention of rows one after the other, shape (tokens, heads, size)."""

        @staticmethod
        def forward(
            ctx: Any,
            q: Any,
            k: Any,
            v: Any,
            bias: Any,
            layout: Layout,
            causal: bool,
            scale: float,
            rate: float,
        ) -> Any:
            out = layout.unwritten(q)
            kept = []
            for group in layout.groups:
                queries, keys, values = (group.pad(each) for each in (q, k, v))
                queries.mul_(scale)
                wide, found = attended(queries, keys, values, group.added(q, bias, causal), rate)
                group.unpad(wide, out)
                kept += [queries, keys, values, found.probabilities, found.mask]
            ctx.save_for_backward(bias, *kept)
            ctx.layout, ctx.scale = layout, scale
            return out

        @staticmethod
        def backward(ctx: Any, d_out: Any) -> Any:
            bias, *kept = ctx.saved_tensors
            gradients = [ctx.layout.unwritten(d_out) for _ in range(3)]
            d_bias = torch.zeros_like(bias) if ctx.needs_input_grad[3] else None
            each_of = (kept[number::5] for number in range(5))
            for group, queries, keys, values, p, mask in zip(ctx.layout.groups, *each_of, strict=True):
                wide = group.silence(group.pad(d_out))
                *found, scores = differentiated(wide, queries, keys, values, Kept(p, mask), ctx.scale)
                for each, whole in zip(found, gradients, strict=True):
                    group.unpad(each, whole)
                if d_bias is not None:
                    part = d_bias[:, :, : group.longest, : group.longest]
                    part += summed_to(scores, part)
            return *gradients, d_bias, None, None, None, None

    return Flat
