"""What surrounds a process: the libraries underneath, and the other processes of its run."""

from tunekit.environment.launches import earlier_starts, launch_names
from tunekit.environment.libraries import SETTINGS, configure, hush, processor
from tunekit.environment.places import (
    adopt_slurm,
    first_node,
    local_count,
    local_index,
    on_one_machine,
    process_count,
    process_index,
    tasks_by_node,
)

__all__ = [
    "SETTINGS",
    "adopt_slurm",
    "configure",
    "earlier_starts",
    "first_node",
    "hush",
    "launch_names",
    "local_count",
    "local_index",
    "on_one_machine",
    "process_count",
    "process_index",
    "processor",
    "tasks_by_node",
]
