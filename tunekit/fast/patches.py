"""Pictures cut into patches: a convolution whose steps are as wide as its kernel is one product of matrices.

GPUs have no fast gradient for its weights: three channels and a large kernel are an unusual convolution.
"""

from typing import Any


def use_products(stack: Any) -> list[Any]:
    """Let all such convolutions compute as products in training; return those that do."""
    import torch

    found = [each for each in stack.modules() if type(each) is torch.nn.Conv2d and cuts(each)]
    for each in found:
        each.forward = as_product(each)
    return found


def restore(convolutions: list[Any]) -> None:
    """Take it back."""
    for each in convolutions:
        del each.forward


def cuts(convolution: Any) -> bool:
    """Whether a convolution cuts a picture into patches that do not overlap."""
    whole = convolution.padding == (0, 0) and convolution.dilation == (1, 1) and convolution.groups == 1
    return bool(whole and convolution.kernel_size == convolution.stride and max(convolution.stride) > 1)


def as_product(convolution: Any) -> Any:
    """A convolution's forward: (pictures, channels, height, width) to (pictures, size, rows, columns)."""
    import torch

    plain, (high, wide) = convolution.forward, convolution.kernel_size

    def forward(pictures: Any) -> Any:
        count, channels, height, width = pictures.shape
        if not torch.is_grad_enabled() or height % high or width % wide:
            return plain(pictures)
        rows, columns = height // high, width // wide
        parts = pictures.reshape(count, channels, rows, high, columns, wide)
        patches = parts.permute(0, 2, 4, 1, 3, 5).reshape(count * rows * columns, -1)
        weight = convolution.weight.reshape(len(convolution.weight), -1)
        out = torch.nn.functional.linear(patches, weight, convolution.bias)
        return out.view(count, rows, columns, -1).permute(0, 3, 1, 2)

    return forward
