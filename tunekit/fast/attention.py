"""Attention for training on CPUs: plain products in groups of rows, with its own backward.

torch's fused attention on CPUs leaves its fast path as soon as there is dropout, and its backward in bf16 is
slow for short rows. Here scores are made, dropped and multiplied in place, for rows without their padding.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from tunekit.fast import products, segments
from tunekit.fast.layout import MASKED, Layout
from tunekit.fast.segments import Segments

NAME = "tunekit"
CALLS: ContextVar[list[str] | None] = ContextVar("calls", default=None)


@contextmanager
def counted(calls: list[str]) -> Iterator[None]:
    """Compute by these products inside the block, also outside training, and note each call."""
    token = CALLS.set(calls)
    try:
        yield
    finally:
        CALLS.reset(token)


def register() -> None:
    """Make the attention known to transformers, with the masks that its own fused attention gets."""
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, make_mask)


def make_mask(**given: Any) -> Any:
    """The mask of transformers' own fused attention; None where nothing is hidden.

    transformers 5.17 makes one of all tokens while a GPU records, and attention is then slow.
    """
    from transformers.masking_utils import sdpa_mask

    skips, hidden = given.get("allow_is_bidirectional_skip"), ("attention_mask", "local_size")
    if skips and all(given.get(name) is None for name in hidden):
        return None
    return sdpa_mask(**given)


def keep_uncompiled() -> None:
    """Let compiled layers call the attention as it is: its rows differ from step to step."""
    import torch
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, torch.compiler.disable(attend))


def attend(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    position_bias: Any = None,
    layout: Layout | Segments | None = None,
    **options: Any,
) -> tuple[Any, None]:
    """What transformers asks of an attention: query, key and value have shape (rows, heads, tokens, size).

    With a layout there is one row, which holds the tokens of all rows. Outside training, and on GPUs, it is
    torch's own where there is none.
    """
    unusual = [name for name in ("softcap", "s_aux", "cache") if options.get(name) is not None]
    calls = CALLS.get()
    if calls is not None:
        calls.append(type(module).__name__)
    alone = layout is None and (query.device.type != "cpu" or (calls is None and not module.training))
    if alone or (unusual and layout is None):
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        return sdpa_attention_forward(  # type: ignore[no-any-return]
            module,
            query,
            key,
            value,
            attention_mask,
            dropout=dropout,
            scaling=scaling,
            is_causal=is_causal,
            position_bias=position_bias,
            **options,
        )
    if unusual:
        raise ValueError(f"attention options {unusual} are not known")
    causal = bool(getattr(module, "is_causal", False) if is_causal is None else is_causal)
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    query, key, value = alike(query, key, value)
    if layout is None:
        if attention_mask is None and causal and query.shape[2] > 1:
            attention_mask = causal_mask(query.shape[2], key.shape[2], query)
        elif attention_mask is not None and attention_mask.requires_grad:  # it holds a bias that is learned
            position_bias = attention_mask if position_bias is None else position_bias + attention_mask
            attention_mask = None
        out = products.padded().apply(
            query, key, value, additive(attention_mask, query), position_bias, scale, dropout
        )
        return out.transpose(1, 2), None
    flat = [each[0].transpose(0, 1) for each in (query, key, value)]  # (tokens, heads, size)
    if isinstance(layout, Segments):
        if position_bias is not None:
            raise ValueError("rows one after the other know of no bias by position")
        q, k, v = flat
        return segments.attended(q, k, v, layout, causal, scale, dropout)[None], None
    return products.flat().apply(*flat, position_bias, layout, causal, scale, dropout)[None], None


def alike(query: Any, key: Any, value: Any) -> tuple[Any, Any, Any]:
    """The three in the precision of autocast, with as many heads for keys as for queries."""
    import torch

    device = query.device.type
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
        query, key, value = (each.to(dtype) for each in (query, key, value))
    repeats = query.shape[1] // key.shape[1]
    if repeats > 1:
        key, value = (each.repeat_interleave(repeats, dim=1) for each in (key, value))
    return query, key, value


def additive(mask: Any, like: Any) -> Any:
    """A mask as what is added to scores; None stays None."""
    import torch

    if mask is None or mask.dtype != torch.bool:
        return mask
    return torch.zeros(mask.shape, dtype=like.dtype).masked_fill_(~mask, MASKED)


def causal_mask(queries: int, keys: int, like: Any) -> Any:
    """What is added to scores so that no token sees a later one, shape (queries, keys)."""
    import torch

    return torch.full((queries, keys), MASKED, dtype=like.dtype).triu_(1)
