"""How the libraries underneath should behave: no telemetry, no chatter, nothing unasked from the net."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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
    if offline:
        os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"
    adopt_slurm()


def hush() -> None:
    """Turn off the libraries' bars and remarks; what matters of them is said by tunekit itself."""
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # else a remark for every forward in 8 bits
    if "datasets" in sys.modules:  # else it reads the environment when it is imported, if it is
        sys.modules["datasets"].disable_progress_bars()


@contextmanager
def no_foreign_kernels() -> Iterator[None]:
    """Import packages inside that would else fetch code from the Hub by `kernels`, or ask for it."""
    logger, known = logging.getLogger("bitsandbytes"), "kernels" in sys.modules
    level = logger.level
    logger.setLevel(logging.ERROR)
    if not known:
        sys.modules["kernels"] = None  # type: ignore[assignment]  # an import of it fails, which they expect
    try:
        yield
    finally:
        logger.setLevel(level)
        if not known:
            del sys.modules["kernels"]


def processor(fact: str) -> str:
    """A fact about the CPU, such as `model name`, as the system gives it; empty where it does not."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(fact)), "")
