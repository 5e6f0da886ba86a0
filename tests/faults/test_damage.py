"""Checkpoints that are damaged, and what does not belong to a run."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.processes import Process, results
from tunekit import checkpoint as checkpoints

Start = Callable[..., Process]
FILES = ("model.safetensors", "optimizer.safetensors", "manifest.json")


@pytest.fixture
def killed(start: Start, tmp_path: Path) -> Path:
    """The checkpoints of a run that was killed after step 8, of which steps 6 and 8 are kept."""
    folder = tmp_path / "run" / "checkpoints"

    def pruned() -> bool:
        return (folder / "step-00000008").exists() and not (folder / "step-00000004").exists()

    start().until(pruned).send(signal.SIGKILL).wait()
    checkpoints.drop_after(folder, 8)
    return folder


def harm(path: Path, how: str) -> None:
    """Damage a file."""
    content = path.read_bytes()
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    path.unlink()
    if how != "missing":
        path.write_bytes({"empty": b"", "half": content[:middle], "one bit": flipped}[how])


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("how", ["missing", "empty", "half", "one bit"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_leads_to_the_same_end(
    name: str, how: str, killed: Path, start: Start, wanted: dict[str, bytes]
) -> None:
    harm(killed / "step-00000008" / name, how)
    process = start()
    assert process.wait() == 0
    assert "step-00000008 cannot be used: " in process.said
    assert "continuing after step 6" in process.said
    assert results(killed.parent) == wanted


def test_when_all_are_damaged_the_run_says_that_it_begins_anew(
    killed: Path, start: Start, wanted: dict[str, bytes]
) -> None:
    for saved in checkpoints.all_saved(killed):
        harm(saved.path / "model.safetensors", "half")
    process = start()
    assert process.wait() == 0
    assert "no checkpoint can be used" in process.said
    assert results(killed.parent) == wanted


def test_what_is_not_ours_is_left_alone(killed: Path, start: Start, wanted: dict[str, bytes]) -> None:
    (killed / "checkpoint-99").mkdir()
    (killed / "step-abc").mkdir()
    (killed / "notes.txt").write_text("mine")
    (killed / "step-00000007").write_text("a file with the name of a checkpoint")
    process = start()
    assert process.wait() == 0
    assert "continuing after step 8" in process.said
    assert (killed / "notes.txt").read_text() == "mine"
    assert (killed / "checkpoint-99").is_dir()
    assert results(killed.parent) == wanted


def test_an_empty_folder_with_the_highest_number_is_named(
    killed: Path, start: Start, wanted: dict[str, bytes]
) -> None:
    (killed / "step-99999999").mkdir()
    process = start()
    assert process.wait() == 0
    assert "step-99999999 cannot be used: its manifest.json is missing" in process.said
    assert results(killed.parent) == wanted


def test_the_step_counts_and_not_the_clock(killed: Path, start: Start) -> None:
    for path in (killed / "step-00000008", killed / "step-00000008" / "manifest.json"):
        os.utime(path, (0, 0))
    process = start()
    assert process.wait() == 0
    assert "continuing after step 8" in process.said
