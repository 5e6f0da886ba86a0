"""The state of every random number generator, as plain data that a manifest can hold."""

import random
from typing import Any

import numpy as np


def random_state() -> dict[str, Any]:
    """The states of Python, numpy and torch; lists and numbers only."""
    import torch

    name, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)
    state = {
        "python": [random.getstate()[0], list(random.getstate()[1]), random.getstate()[2]],
        "numpy": [str(name), np.asarray(keys).tolist(), int(position), int(has_gauss), float(gauss)],
        "torch": torch.get_rng_state().numpy().tobytes().hex(),
    }
    if torch.cuda.is_available():
        state["cuda"] = [each.numpy().tobytes().hex() for each in torch.cuda.get_rng_state_all()]
    return state


def set_random_state(state: dict[str, Any]) -> None:
    """Set all generators back to a state."""
    import torch

    version, keys, gauss = state["python"]
    random.setstate((version, tuple(keys), gauss))
    name, numbers, position, has_gauss, cached = state["numpy"]
    np.random.set_state((name, np.array(numbers, np.uint32), position, has_gauss, cached))
    torch.set_rng_state(from_hex(state["torch"]))
    if "cuda" in state and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([from_hex(each) for each in state["cuda"]])


def from_hex(text: str) -> Any:
    """Bytes as torch keeps a generator's state."""
    import torch

    return torch.frombuffer(bytearray.fromhex(text), dtype=torch.uint8)
