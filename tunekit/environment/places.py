"""Where a process stands among those of a run, as torchrun, SLURM and the like tell it."""

import os
import re

FIRST_PORT, PORTS = 20000, 10000  # among which a SLURM job takes one


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
    count = slurm.get("STEP_NUM_TASKS", "1")
    if count == "1" or "PROCID" not in slurm or "RANK" in os.environ:
        return
    job = int(slurm.get("JOB_ID", "0")) + int(slurm.get("STEP_ID", "0"))
    here = tasks_by_node(slurm.get("STEP_TASKS_PER_NODE", count))[int(slurm.get("NODEID", "0"))]
    os.environ |= {"RANK": slurm["PROCID"], "WORLD_SIZE": count}
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
    return [int(count) for count, times in found for _ in range(int(times or 1))]
