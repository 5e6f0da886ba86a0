"""Arithmetic: which precision a device trains in, and the fastest route to exact fp32 on CPUs."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from tunekit.errors import InputError

EXACT = 1e-5  # largest relative error of an fp32 matrix product that still counts as fp32


@dataclass(frozen=True)
class Precision:
    """The precision of training; weights stay in fp32."""

    name: str  # fp32, bf16 or fp16
    device: str  # cpu, cuda, ...

    def autocast(self) -> AbstractContextManager[Any]:
        """The context that training's forwards run in."""
        import torch

        dtype = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}[self.name]
        context: AbstractContextManager[Any] = torch.autocast(self.device, dtype, enabled=self.name != "fp32")
        return context

    @property
    def scales(self) -> bool:
        """Whether gradients must be scaled so as not to vanish."""
        return self.name == "fp16"


def choose(wanted: str, device: str, model: Any) -> Precision:
    """The precision for a wish, a device and a model.

    Raises:
        InputError: the device or the model cannot train in the precision asked for.
    """
    if wanted == "auto":
        return Precision("bf16" if has_bf16(device) else "fp32", device)
    if wanted == "bf16" and device != "cpu" and not has_bf16(device):
        raise InputError(f"train.precision is bf16, which this {device} device does not have; use auto")
    if wanted == "fp16" and device == "cpu":
        raise InputError("train.precision is fp16, which CPUs do not train in; use auto")
    if wanted == "fp16" and getattr(model, "_keep_in_fp32_modules", None):
        raise InputError(
            f"train.precision is fp16, in which {type(model).__name__} overflows; use bf16 or fp32"
        )
    return Precision(wanted, device)


def has_bf16(device: str) -> bool:
    """Whether bf16 products are fast on the device: with AVX512_BF16 or AMX on CPUs, from Ampere on GPUs."""
    import torch

    if device == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return False


def use_fastest_exact_fp32() -> None:
    """Let oneDNN compute fp32 products on CPUs where it is exact: about twice as fast as MKL on AMD.

    The same setting computes in bf16 on CPUs with AMX, so a product is tried first and held against fp64.
    """
    import torch

    matmul = torch.backends.mkldnn.matmul
    before = matmul.fp32_precision
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(256, 256, generator=generator) for _ in range(2))
    truth = a.double() @ b.double()
    matmul.fp32_precision = "bf16"
    error = ((a @ b).double() - truth).abs().max() / truth.abs().max()
    if error > EXACT:
        matmul.fp32_precision = before
