"""Checkpoints on disk: complete or absent, verified, replaced and deleted safely."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tunekit import checkpoint as checkpoints

TENSORS = {"model": {"weight": torch.arange(6.0)}, "optimizer": {"0.exp_avg": torch.ones(6)}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with checkpoints of steps 1, 2 and 3."""
    for step in (1, 2, 3):
        checkpoints.save(tmp_path, step, TENSORS, {"progress": {"step": step}})
    return tmp_path


def steps(folder: Path) -> list[int]:
    """The steps that are saved, the newest first."""
    return [saved.step for saved in checkpoints.all_saved(folder)]


def test_what_was_saved_comes_back(folder: Path) -> None:
    saved, complaints = checkpoints.newest_good(folder)
    assert saved is not None
    assert not complaints
    assert saved.manifest()["state"] == {"progress": {"step": 3}}
    assert torch.equal(saved.tensors("model")["weight"], torch.arange(6.0))


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "manifest.json"])
@pytest.mark.parametrize("harm", ["missing", "empty", "half", "one byte"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(folder: Path, name: str, harm: str) -> None:
    path = folder / "step-00000003" / name
    content = path.read_bytes()
    middle = len(content) // 2
    if harm == "missing":
        path.unlink()
    else:
        flipped = content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]
        path.write_bytes({"empty": b"", "half": content[:middle], "one byte": flipped}[harm])
    saved, complaints = checkpoints.newest_good(folder)
    assert saved is not None
    assert saved.step == 2
    assert complaints[0].startswith("step-00000003 cannot be used: ")
    assert name in complaints[0] or name == "manifest.json"


def test_foreign_names_are_ignored(folder: Path) -> None:
    (folder / "step-abc").mkdir()
    (folder / "checkpoint-9").mkdir()
    (folder / "step-00000009").write_text("a file")
    assert steps(folder) == [3, 2, 1]


def test_an_empty_folder_with_a_high_number_is_no_checkpoint(folder: Path) -> None:
    (folder / "step-99999999").mkdir()
    saved, complaints = checkpoints.newest_good(folder)
    assert saved is not None
    assert saved.step == 3
    assert len(complaints) == 1


def test_the_newest_and_the_best_are_kept(folder: Path) -> None:
    checkpoints.prune(folder, keep=1, best=1)
    assert steps(folder) == [3, 1]


def test_checkpoints_after_the_one_that_is_continued_from_are_dropped(folder: Path) -> None:
    checkpoints.drop_after(folder, 1)
    assert steps(folder) == [1]


def test_the_best_of_every_kept_checkpoint_is_kept(tmp_path: Path) -> None:
    for step, best in ((1, 1), (2, 1), (3, 3)):
        checkpoints.save(tmp_path, step, TENSORS, {}, best)
    checkpoints.prune(tmp_path, keep=2, best=3)
    assert steps(tmp_path) == [3, 2, 1]


def test_a_checkpoint_whose_best_is_damaged_is_not_used(tmp_path: Path) -> None:
    for step, best in ((1, 1), (2, 2), (3, 2)):
        checkpoints.save(tmp_path, step, TENSORS, {}, best)
    (tmp_path / "step-00000002" / "model.safetensors").unlink()
    saved, complaints = checkpoints.newest_good(tmp_path)
    assert saved is not None
    assert saved.step == 1
    assert "its best, step-00000002, is no better: model.safetensors is missing" in complaints[0]


def test_saving_a_step_again_replaces_it(folder: Path) -> None:
    checkpoints.save(folder, 3, TENSORS, {"progress": {"step": 3, "evaluated": 3}})
    assert checkpoints.all_saved(folder)[0].manifest()["state"]["progress"]["evaluated"] == 3
    assert sorted(path.name for path in folder.iterdir()) == [f"step-0000000{i}" for i in (1, 2, 3)]


def test_leftovers_of_dead_processes_are_cleared(folder: Path) -> None:
    for name in (".tmp-step-00000004-123", ".del-step-00000001", ".old-step-00000002"):
        (folder / name).mkdir()
    checkpoints.recover(folder)
    assert sorted(path.name for path in folder.iterdir()) == [f"step-0000000{i}" for i in (1, 2, 3)]


def test_a_step_that_was_being_replaced_comes_back(folder: Path) -> None:
    (folder / "step-00000003").rename(folder / ".old-step-00000003")
    checkpoints.recover(folder)
    assert steps(folder) == [3, 2, 1]


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
import torch
from tunekit import checkpoint, errors
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    checkpoint.save(Path(sys.argv[1]), 4, {"model": {"weight": torch.zeros(100_000)}}, {})
except errors.EnvironmentFailure as error:
    print(error)
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs a limit on file sizes")
def test_a_full_disk_is_reported_and_leaves_the_checkpoints_before(folder: Path) -> None:
    script = [sys.executable, "-c", FULL_DISK, str(folder)]
    done = subprocess.run(script, capture_output=True, text=True, check=True)
    assert "step 4 could not be written" in done.stdout
    assert "bytes are free" in done.stdout
    assert steps(folder) == [3, 2, 1]
    assert not list(folder.glob(".tmp-*"))
