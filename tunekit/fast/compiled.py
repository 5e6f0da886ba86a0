"""Layers compiled by torch: what lies between their products becomes few kernels; attention stays."""

from typing import Any

from tunekit.fast.attention import keep_uncompiled


def compile_layers(model: Any) -> None:
    """Let every layer of a model's stacks compute by compiled code in training; elsewhere nothing changes."""
    keep_uncompiled()
    for layer in layers_of(model):
        layer.forward = in_training(layer)


def in_training(layer: Any) -> Any:
    """A layer's forward, compiled where gradients are wanted."""
    import torch

    plain, compiled = layer.forward, torch.compile(layer.forward)

    def forward(*given: Any, **named: Any) -> Any:
        use = compiled if layer.training and torch.is_grad_enabled() else plain
        return use(*given, **named)

    return forward


def layers_of(model: Any) -> list[Any]:
    """The layers of all stacks: lists of several modules of one class, and no part of another such list."""
    import torch

    found: list[Any] = []
    inside: set[Any] = set()
    for module in model.modules():
        stack = isinstance(module, torch.nn.ModuleList) and len(module) > 1 and module not in inside
        if stack and len({type(each) for each in module}) == 1:
            found += module
            inside |= {part for each in module for part in each.modules()}
    return found
