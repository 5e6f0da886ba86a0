"""How the libraries underneath should behave: no telemetry, no chatter, nothing unasked from the net."""

import logging
import os
import sys
from pathlib import Path

from tunekit.environment.places import adopt_slurm

SETTINGS = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "USE_HUB_KERNELS": "0",  # else code from the Hub takes the place of layers
    "DISABLE_SAFETENSORS_CONVERSION": "1",  # else a thread contacts a server about .bin weights
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
}


def configure(*, offline: bool = False) -> None:
    """Set what the libraries read from the environment; must come before they are imported."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    refuse_foreign_kernels()
    if offline:
        os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"
    adopt_slurm()


def hush() -> None:
    """Turn off the libraries' bars and remarks; what matters of them is said by tunekit itself."""
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    if "datasets" in sys.modules:  # else it reads the environment when it is imported, if it is
        sys.modules["datasets"].disable_progress_bars()


def refuse_foreign_kernels() -> None:
    """Let nothing import the package `kernels`, by which libraries fetch code from the Hub, also unasked.

    bitsandbytes does so when it is imported, as peft and a part of transformers do by themselves.
    """
    sys.modules.setdefault("kernels", None)  # type: ignore[arg-type]  # an import fails, which they expect
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # else it asks for it, and remarks on forwards


def processor(fact: str) -> str:
    """A fact about the CPU, such as `model name`, as the system gives it; empty where it does not."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(fact)), "")
