"""How the libraries underneath should behave: no telemetry, no chatter, nothing unasked from the net."""

import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SETTINGS = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "USE_HUB_KERNELS": "0",  # else code from the Hub takes the place of layers
    "DISABLE_SAFETENSORS_CONVERSION": "1",  # else a thread contacts a server about .bin weights
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
}

FIRST_PORT, PORTS = 20000, 10000  # among which a SLURM job takes one


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


def process_index() -> int:
    """This process's number among those of the run, as torchrun and the like tell it."""
    return int(os.environ.get("RANK", "0"))


def local_index() -> int:
    """This process's number among those of the run on this machine."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def local_count() -> int:
    """How many processes of the run are on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def process_count() -> int:
    """How many processes the run has, as torchrun and the like tell it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def on_one_machine() -> bool:
    """Whether all processes of the run are known to be on this machine."""
    return os.environ.get("LOCAL_WORLD_SIZE") == str(process_count()) or process_count() == 1


def adopt_slurm() -> None:
    """In a task of a SLURM step of several (`srun`), set the variables that torchrun would.

    A script of `sbatch` is no task of a step, even where it has SLURM_PROCID and SLURM_NTASKS.
    """
    slurm = {
        name.removeprefix("SLURM_"): value for name, value in os.environ.items() if name.startswith("SLURM_")
    }
    tasks = slurm.get("STEP_NUM_TASKS", "1")
    if tasks == "1" or "PROCID" not in slurm or "RANK" in os.environ:
        return
    job = int(slurm.get("JOB_ID", "0")) + int(slurm.get("STEP_ID", "0"))
    here = tasks_by_node(slurm.get("STEP_TASKS_PER_NODE", tasks))[int(slurm.get("NODEID", "0"))]
    os.environ |= {"RANK": slurm["PROCID"], "WORLD_SIZE": tasks}
    os.environ |= {"LOCAL_RANK": slurm.get("LOCALID", "0"), "LOCAL_WORLD_SIZE": str(here)}
    os.environ.setdefault("MASTER_ADDR", first_node(slurm.get("STEP_NODELIST", "127.0.0.1")))
    os.environ.setdefault("MASTER_PORT", str(FIRST_PORT + job % PORTS))


def first_node(nodes: str) -> str:
    """The first name of a SLURM node list, such as gpu-03 of `gpu-[03-05,07],login`."""
    match = re.match(r"([^,\[]*)(?:\[(\d+)[^\]]*\]([^,\[]*))?", nodes)
    return "".join(part or "" for part in match.groups()) if match else nodes


def tasks_by_node(text: str) -> list[int]:
    """How many tasks each node has, from SLURM's `2(x3),1`."""
    found = re.findall(r"(\d+)(?:\(x(\d+)\))?", text)
    return [int(tasks) for tasks, times in found for _ in range(int(times or 1))]


def processor(fact: str) -> str:
    """A fact about the CPU, such as `model name`, as the system gives it; empty where it does not."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(fact)), "")
