"""Checkpoints of a model that is shared out: each process writes and reads its own part.

The parts are safetensors files that `torch.distributed.checkpoint` writes and reads, each saying where in the
whole tensors its numbers belong. So a checkpoint is read by any number of processes, and each reads no more
than it needs.
"""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from tunekit import checkpoint
from tunekit.checkpoint import SHARDS, Saved
from tunekit.errors import EnvironmentFailure, InputError, first_line, listing
from tunekit.models.together import from_first

PATIENCE = timedelta(days=1)  # of the messages between writers; one that dies is noticed at once

Tensors = Mapping[str, Mapping[str, Any]]  # by file and name
Shapes = Mapping[str, Any]  # of the whole tensors, by `file.name`


def apart(tensors: Tensors) -> tuple[dict[str, dict[str, Any]], Shapes]:
    """This process's parts of tensors in a file of their own, and the shapes of the whole ones."""
    found: dict[str, dict[str, Any]] = {SHARDS: {}}
    shapes = {}
    for file, content in tensors.items():
        found[file] = {name: tensor for name, tensor in content.items() if not is_part(tensor)}
        for name, tensor in content.items():
            if is_part(tensor):
                found[SHARDS][f"{file}.{name}"] = tensor.to_local()
                shapes[f"{file}.{name}"] = tensor.shape
    return found, shapes


def is_part(tensor: Any) -> bool:
    """Whether a process holds only a part of a tensor."""
    return hasattr(tensor, "to_local")


class Writers:
    """All processes of a run, that write one checkpoint together.

    They talk in a group of their own, because they do so from threads, beside training.
    """

    def __init__(self) -> None:
        import torch.distributed as group
        from torch.distributed.device_mesh import DeviceMesh

        self.group = group.new_group(backend="gloo", timeout=PATIENCE)
        self.mesh = DeviceMesh.from_group(self.group, "cpu")
        self.index = group.get_rank()

    def meet_in(self, folder: Path) -> None:
        """Make sure that all see the same folder.

        Raises:
            InputError: some do not, because they are on other machines.
        """
        import torch.distributed as group

        sign = folder / f".seen-{from_first(uuid4().hex)}"
        if self.index == 0:
            for left in folder.glob(".seen-*"):
                left.unlink()
            sign.touch()
        group.barrier(self.group)
        seen: list[Any] = [None] * self.mesh.size()
        group.all_gather_object(seen, sign.exists(), self.group)
        if self.index == 0:
            sign.unlink()
        blind = [number for number, sees in enumerate(seen) if not sees]
        if blind:
            raise InputError(
                f"with train.shard=full all processes write into {folder}, which processes {listing(blind)} "
                "do not see; choose an --output that all machines share, or train.shard=off"
            )

    def write(self, folder: Path | None, parts: Mapping[str, Any], shapes: Shapes) -> dict[str, Any]:
        """Write all parts into the folder that the first process names, or nothing if it names none.

        The first process gets what is known of all files.

        Raises:
            OSError: one of the parts could not be written.
        """
        import torch.distributed as group

        told = [folder and str(folder)]
        group.broadcast_object_list(told, 0, self.group, device="cpu")
        if told[0] is None:
            return {}
        place = Path(told[0]) / SHARDS
        self.save(place, parts, shapes)
        mine = {f"{SHARDS}/{path.name}": facts(path) for path in place.glob(f"shard-{self.index + 1:05d}-*")}
        found: list[Any] | None = [None] * self.mesh.size() if self.index == 0 else None
        group.gather_object(mine, found, 0, self.group)
        return {name: about for each in found or [] for name, about in each.items()}

    def save(self, place: Path, parts: Mapping[str, Any], shapes: Shapes) -> None:
        """Write this process's part; when one process fails, all do."""
        import torch.distributed.checkpoint as dcp
        from torch.distributed.checkpoint.api import CheckpointException
        from torch.distributed.tensor import DTensor, Shard

        state = {
            name: DTensor.from_local(
                part, self.mesh, [Shard(0)], run_check=False, shape=shapes[name], stride=strides(shapes[name])
            )
            for name, part in parts.items()
        }
        writer = dcp.HuggingFaceStorageWriter(str(place), save_distributed=True)
        try:
            dcp.save(state, storage_writer=writer, process_group=self.group)
        except CheckpointException as error:
            reasons = [first_line(each) for each, _ in error.failures.values()]
            raise OSError("; ".join(reasons)) from None


def strides(shape: Any) -> tuple[int, ...]:
    """How far apart neighbours are in each dimension of a tensor that is in one piece."""
    import torch

    return tuple(torch.empty(shape, device="meta").stride())


def facts(path: Path) -> dict[str, Any]:
    """A file's size and sha256, once it is on the disk."""
    checkpoint.flush(path)
    return {"size": path.stat().st_size, "sha256": checkpoint.sha256(path)}


def read_parts(saved: Saved, file: str, targets: Mapping[str, Any]) -> None:
    """Fill this process's parts of tensors, whether the checkpoint holds whole ones or parts."""
    folder, mine = saved.path / SHARDS, {name: tensor.detach() for name, tensor in targets.items()}
    if folder.exists():
        checkpoint.read_into({f"{file}.{name}": tensor for name, tensor in mine.items()}, folder)
    else:
        checkpoint.read_into(mine, saved.path)


def refused(step: int, error: Exception) -> EnvironmentFailure:
    """What a process says whose checkpoint did not come about; the first process says more."""
    return EnvironmentFailure(
        f"the checkpoint of step {step} could not be written ({first_line(error)}); earlier ones are intact: "
        "make room and run the same command again"
    )
