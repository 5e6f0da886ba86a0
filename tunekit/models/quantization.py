"""Weights and moments in 8 or 4 bits, by bitsandbytes on GPUs."""

from typing import Any

from tunekit.errors import EnvironmentFailure


def check_bits(key: str, instead: str) -> None:
    """Refuse what needs bitsandbytes and a GPU where one of them is missing.

    Raises:
        EnvironmentFailure: it is; says what to do.
    """
    from importlib.util import find_spec

    import torch

    if not torch.cuda.is_available():
        raise EnvironmentFailure(f"{key} needs a GPU of NVIDIA, and there is none here; {instead}")
    if find_spec("bitsandbytes") is None:
        raise EnvironmentFailure(
            f"{key} needs the package bitsandbytes; pip install 'tunekit[quantization]', or {instead}"
        )


def library() -> Any:
    """The package bitsandbytes."""
    import bitsandbytes

    return bitsandbytes


def weights_in(parameter: Any) -> int:
    """How many weights a parameter has; in 4 bits several are packed into one number."""
    packed = getattr(parameter, "quant_state", None)
    return int(parameter.numel() if packed is None else packed.shape.numel())


def outside_body(auto: Any, config: Any) -> list[str]:
    """The names of the modules beside a model's body; none where it is kept in no module of its own."""
    import torch

    with torch.device("meta"):
        model = auto.from_config(config, trust_remote_code=False)
    names = [name for name, _ in model.named_children()]
    return [n for n in names if n != model.base_model_prefix] if model.base_model_prefix in names else []


def quantized(bits: int, auto: Any, config: Any) -> dict[str, Any]:
    """The arguments that load a model of an Auto class in so many bits, but for its head."""
    import torch
    from transformers import BitsAndBytesConfig

    kept = outside_body(auto, config)
    if bits == 8:
        config = BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=kept)
    else:
        config = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
            llm_int8_skip_modules=kept,
        )
    return {"quantization_config": config, "device_map": {"": torch.cuda.current_device()}}
