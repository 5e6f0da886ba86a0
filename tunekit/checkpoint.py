"""Checkpoints: a directory `step-00000120` is complete and verified, or does not exist.

Everything is written beside (`.tmp-...`), flushed to the disk, listed with its sha256 in `manifest.json`,
which comes last, and renamed. Tensors are safetensors and all else is JSON: nothing read here can run code.
"""

import hashlib
import json
import os
import re
import shutil
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunekit.errors import EnvironmentFailure, InputError, first_line

NAME = re.compile(r"step-(\d{8})")
SCHEMA = 2
SHARDS = "shards"  # folder of the parts that several processes have written


@dataclass(frozen=True)
class Saved:
    """A complete checkpoint on disk."""

    path: Path
    step: int

    def manifest(self) -> dict[str, Any]:
        """What the checkpoint says about itself."""
        document: dict[str, Any] = json.loads((self.path / "manifest.json").read_text())
        return document

    def tensors(self, name: str, only: Collection[str] | None = None) -> dict[str, Any]:
        """The tensors of one file, by name, on the CPU; parts that several processes wrote are joined.

        Raises:
            InputError: it holds something else, though the manifest says that it was written so.
        """
        with self.opened(name) as file:
            found = {key: file.get_tensor(key) for key in file.keys() if only is None or key in only}  # noqa: SIM118
        return found | joined(self.path / SHARDS, f"{name}.", only)

    def shapes(self, name: str) -> dict[str, tuple[int, ...]]:
        """The shapes of the tensors that `tensors` gives."""
        with self.opened(name) as file:
            found = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
        return found | {
            key: tuple(each.size) for key, each in parts_in(self.path / SHARDS, f"{name}.").items()
        }

    @contextmanager
    def opened(self, name: str) -> Iterator[Any]:
        """One file, to read tensors from; see `tensors`."""
        from safetensors import SafetensorError, safe_open

        file = self.path / f"{name}.safetensors"
        try:
            with safe_open(file, "pt") as opened:
                yield opened
        except SafetensorError as error:
            raise InputError(
                f"{file} is no safetensors file ({first_line(error)}), and was not written by tunekit; "
                f"delete {self.path}, and run the same command again"
            ) from None


def parts_in(folder: Path, prefix: str) -> dict[str, Any]:
    """What is known of the tensors whose parts are in a folder, if there is one, by name after a prefix."""
    from torch.distributed.checkpoint import HuggingFaceStorageReader

    if not folder.exists():
        return {}
    about = HuggingFaceStorageReader(str(folder)).read_metadata().state_dict_metadata
    return {key.removeprefix(prefix): each for key, each in about.items() if key.startswith(prefix)}


def joined(folder: Path, prefix: str, only: Collection[str] | None) -> dict[str, Any]:
    """The tensors whose parts are in a folder, if there is one, put together."""
    import torch

    about = parts_in(folder, prefix)
    found = {
        key: torch.empty(each.size, dtype=each.properties.dtype)
        for key, each in about.items()
        if only is None or key in only
    }
    if found:
        read_into({prefix + key: tensor for key, tensor in found.items()}, folder)
    return found


def read_into(tensors: Mapping[str, Any], folder: Path) -> None:
    """Fill tensors, or this process's parts of them, from the safetensors files in a folder."""
    from torch.distributed.checkpoint import HuggingFaceStorageReader, load

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")  # each reads by itself
        load(dict(tensors), storage_reader=HuggingFaceStorageReader(str(folder)), no_dist=True)


def save(
    folder: Path,
    step: int,
    tensors: Mapping[str, Mapping[str, Any]],
    state: Mapping[str, Any],
    best: int | None = None,
    parts: Callable[[Path], Mapping[str, Any]] = lambda _: {},
) -> Saved:
    """Write a checkpoint, which needs that of step `best` too; when this returns, it survives a power cut.

    `parts` writes what others add to the folder, and returns the size and sha256 of these files.

    Raises:
        EnvironmentFailure: it could not be written; what was there before is intact.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    final = at_step(folder, step).path
    beside = folder / f".tmp-{final.name}-{os.getpid()}"
    try:
        make_private(beside)
        for name, content in tensors.items():
            save_file(
                {key: value.contiguous() for key, value in content.items()}, beside / f"{name}.safetensors"
            )
        files = {
            path.name: {"size": path.stat().st_size, "sha256": sha256(path)} for path in beside.iterdir()
        } | {**parts(beside)}
        manifest = {"schema": SCHEMA, "step": step, "best": best, "state": dict(state), "files": files}
        (beside / "manifest.json").write_text(json.dumps(sealed(manifest), indent=1))
        for path in [*beside.iterdir(), beside]:
            flush(path)
        share_as_around(beside)
        swap_in(beside, final)
        flush(folder)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(beside, ignore_errors=True)
        free = shutil.disk_usage(folder).free if folder.exists() else 0
        raise EnvironmentFailure(
            f"the checkpoint of step {step} could not be written to {folder} "
            f"({error}; {free:,} bytes are free); earlier checkpoints are intact: "
            "make room and run the same command again"
        ) from None
    return Saved(final, step)


def sealed(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest as it is read again, with the sha256 of all that it says."""
    plain = json.loads(json.dumps({name: value for name, value in manifest.items() if name != "sha256"}))
    text = json.dumps(plain, sort_keys=True)
    return {**plain, "sha256": hashlib.sha256(text.encode()).hexdigest()}


def make_private(folder: Path) -> None:
    """Make an empty folder into which nobody else looks while it is being written."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(0o700)


def share_as_around(folder: Path) -> None:
    """Give a folder the rights of the one around it, where the file system knows rights."""
    with suppress(PermissionError):
        folder.chmod(folder.parent.stat().st_mode & 0o777)


def swap_in(new: Path, final: Path) -> None:
    """Give `new` the name `final`; one that has the name is deleted only after that."""
    old = final.with_name(f".old-{final.name}")
    if final.exists():
        final.rename(old)
    new.rename(final)
    shutil.rmtree(old, ignore_errors=True)


def recover(folder: Path) -> None:
    """Finish or undo what dead processes began: half-written, half-replaced and half-deleted checkpoints."""
    for old in folder.glob(".old-step-*"):
        final = folder / old.name.removeprefix(".old-")
        if not final.exists():
            old.rename(final)
    for pattern in (".tmp-step-*", ".del-step-*", ".old-step-*"):
        for left in folder.glob(pattern):
            shutil.rmtree(left, ignore_errors=True)


def flush(path: Path) -> None:
    """Make a file or directory reach the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256(path: Path) -> str:
    """A file's sha256, as hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def all_saved(folder: Path) -> list[Saved]:
    """The checkpoints of a run by step, the newest first; other names are ignored."""
    found = ((NAME.fullmatch(path.name), path) for path in folder.glob("step-*") if path.is_dir())
    return sorted((Saved(path, int(m[1])) for m, path in found if m), key=lambda saved: -saved.step)


def damage(saved: Saved, origin: Mapping[str, Any] | None = None) -> str | None:
    """What is wrong with a checkpoint, or None when every byte is as written, from the `origin` if given."""
    try:
        manifest = saved.manifest()
        files = manifest["files"].items()
        if manifest["sha256"] != sealed(manifest)["sha256"]:
            return "its manifest.json is damaged"
        if manifest["schema"] != SCHEMA or manifest["step"] != saved.step or "best" not in manifest:
            return "its manifest is of another kind or step"
        if origin is not None and manifest["state"]["origin"] != origin:
            return "it was made from another recipe, other rows or with other versions"
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return "its manifest.json is missing or unreadable"
    for name, facts in files:
        path = saved.path / name
        if not path.is_file():
            return f"{name} is missing"
        if path.stat().st_size != facts["size"] or sha256(path) != facts["sha256"]:
            return f"{name} is damaged"
    return None


def damage_of_best(saved: Saved) -> str | None:
    """What is wrong with the best checkpoint that an undamaged one refers to."""
    step = saved.manifest()["best"]
    best = saved if step in (None, saved.step) else at_step(saved.path.parent, step)
    wrong = None if best == saved else damage(best)
    return f"its best, {best.path.name}, is no better: {wrong}" if wrong else None


def at_step(folder: Path, step: int) -> Saved:
    """The checkpoint of a step, whether there is one or not."""
    return Saved(folder / f"step-{step:08d}", step)


def newest_good(folder: Path, origin: Mapping[str, Any] | None = None) -> tuple[Saved | None, list[str]]:
    """The newest checkpoint that is undamaged, as its best one must be, and what is wrong with newer ones."""
    complaints: list[str] = []
    for saved in all_saved(folder):
        wrong = damage(saved, origin) or damage_of_best(saved)
        if wrong is None:
            return saved, complaints
        complaints.append(f"{saved.path.name} cannot be used: {wrong}")
    return None, complaints


def drop_after(folder: Path, step: int) -> None:
    """Delete checkpoints of later steps, which a run that continues from `step` will make again."""
    for saved in all_saved(folder):
        if saved.step > step:
            delete(saved)


def prune(folder: Path, keep: int, best: int | None) -> None:
    """Delete all checkpoints but the best, the newest `keep`, and those which these call their best."""
    saved = all_saved(folder)
    needed = {best, *(each.manifest()["best"] for each in saved[:keep])}
    for number, each in enumerate(saved):
        if number >= keep and each.step not in needed:
            delete(each)


def delete(saved: Saved) -> None:
    """Remove a checkpoint; it disappears at once, whatever happens meanwhile."""
    shutil.rmtree(saved.path.rename(saved.path.with_name(f".del-{saved.path.name}")))
