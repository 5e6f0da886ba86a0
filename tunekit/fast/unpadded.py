"""Encoders and decoders without padding: between the first and the last layer there are only real tokens."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from tunekit.fast.layout import Layout, make_layout
from tunekit.fast.segments import Segments, make_segments


class Unpadded:
    """Takes the padding of a batch away before a stack's first layer, and brings it back behind the last.

    The rows are then in groups that plain products take, or, with `segments`, as a GPU's kernels take them.
    """

    def __init__(self, stack: Any, *, segments: bool = False) -> None:
        self.stack, self.layers, self.segments = stack, find_layers(stack), segments
        self.layout: Layout | Segments | None = None
        self.taken: dict[int, Any] = {}  # what was flattened already, by the id of what it was made from
        self.handles = [each.register_forward_pre_hook(self.before, with_kwargs=True) for each in self.layers]
        self.handles.append(self.layers[-1].register_forward_hook(self.behind))

    def remove(self) -> None:
        """Take everything back."""
        for handle in self.handles:
            handle.remove()

    def layout_of(self, mask: Any) -> Layout | Segments | None:
        """Where the tokens of a batch are, by its mask on the CPU; None where it stays as it is."""
        if mask is None or (mask.all() and not self.segments):
            return None
        return make_segments(mask) if self.segments else make_layout(mask)

    @contextmanager
    def active(self, layout: Layout | Segments | None) -> Iterator[None]:
        """Work so inside the block, for a batch of this layout."""
        self.layout = layout
        try:
            yield
        finally:
            self.layout, self.taken = None, {}

    def before(self, layer: Any, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Flatten what a layer is given."""
        if self.layout is None:
            return None
        names = list(inspect.signature(layer.forward).parameters)
        named = dict(zip(names, given, strict=False)) | named
        hidden = named.pop(names[0])
        if layer is self.layers[0]:
            hidden = functions()[0].apply(hidden, self.layout)
            named |= self.bias(layer)
        return (hidden,), {name: self.flat(each) for name, each in named.items()} | {"layout": self.layout}

    def bias(self, layer: Any) -> dict[str, Any]:
        """A bias by distance, as wide as the longest row, where a layer would make one for all tokens."""
        maker = next((each for each in layer.modules() if hasattr(each, "compute_bias")), None)
        if maker is None or not isinstance(self.layout, Layout):
            return {}
        longest = max(group.longest for group in self.layout.groups)
        return {"position_bias": maker.compute_bias(longest, longest)}

    def flat(self, value: Any) -> Any:
        """What a layer is given beside its hidden states, for a flat batch: masks go, positions follow."""
        import torch

        if isinstance(value, tuple):
            return tuple(map(self.flat, value))
        layout = self.layout
        if layout is None or not torch.is_tensor(value):
            return value
        if value.ndim == 4:
            return None if value.dtype == torch.bool else value  # no mask is needed; a bias stays
        if value.ndim >= 2 and value.shape[0] in (1, layout.rows) and value.shape[1] == layout.width:
            if id(value) not in self.taken:
                wide = value.expand(layout.rows, *value.shape[1:]).reshape(-1, *value.shape[2:])
                self.taken[id(value)] = layout.flatten(wide)[None]
            return self.taken[id(value)]
        return value

    def behind(self, _: Any, __: Any, output: Any) -> Any:
        """Bring the padding back."""
        if self.layout is None:
            return None
        if isinstance(output, tuple):
            return functions()[1].apply(output[0], self.layout), *output[1:]
        return functions()[1].apply(output, self.layout)


def find_layers(stack: Any) -> list[Any]:
    """The layers of a stack, one after the other."""
    import torch

    lists = [each for each in stack.modules() if isinstance(each, torch.nn.ModuleList)]
    return list(max(lists, key=lambda each: sum(p.numel() for p in each.parameters()), default=()))


@cache
def functions() -> tuple[Any, Any]:
    """From padded to flat and back, with gradients that are copies too."""
    import torch

    class Flatten(torch.autograd.Function):  # type: ignore[misc]
        """(rows, width, size) to (1, tokens, size)."""

        @staticmethod
        def forward(ctx: Any, x: Any, layout: Layout | Segments) -> Any:
            ctx.layout = layout
            return layout.flatten(x.reshape(-1, x.shape[-1]))[None]

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            return to_padded(gradient, ctx.layout), None

    class Pad(torch.autograd.Function):  # type: ignore[misc]
        """(1, tokens, size) to (rows, width, size), with zeros for padding."""

        @staticmethod
        def forward(ctx: Any, x: Any, layout: Layout | Segments) -> Any:
            ctx.layout = layout
            return to_padded(x, layout)

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            flat = ctx.layout.flatten(gradient.reshape(-1, gradient.shape[-1]))
            return ctx.layout.silence(flat)[None], None

    return Flatten, Pad


def to_padded(flat: Any, layout: Layout | Segments) -> Any:
    """(1, tokens, size) as (rows, width, size)."""
    return layout.pad(flat[0]).view(layout.rows, layout.width, -1)
