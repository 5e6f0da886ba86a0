"""A run tells which weights it began from, whether they came from a folder or from the Hub.

What is downloaded is held against the sha256 that the Hub lists where it is downloaded, not here.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import tiny
from tunekit import workflow

TASK = "text-classification"
COMMIT = "0123456789" * 4

MakeCheckpoint = Callable[..., Path]
MakeData = Callable[[str], Path]


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_5_a_run_names_the_sha256_of_the_weights_in_a_folder(
    checkpoint: MakeCheckpoint, data: MakeData, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(checkpoint("bert"), tmp_path / "model"))
    (folder / "other.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    file = tiny.recipe(tmp_path / "tiny.yaml", TASK, folder, data(TASK), steps=1)
    found = workflow.finetune(file, output=tmp_path / "run").facts["checkpoint"]
    assert found["commit"] is None
    assert found["sha256"] == {"model.safetensors": sha256(folder / "model.safetensors")}


@pytest.mark.slow
def test_5_a_run_names_commit_and_sha256_of_weights_from_the_hub(
    checkpoint: MakeCheckpoint, data: MakeData, tmp_path: Path
) -> None:
    cached = tmp_path / "hub" / "models--ada--tiny"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text(COMMIT)
    shutil.copytree(checkpoint("bert"), cached / "snapshots" / COMMIT)  # what a download leaves in the cache
    file = tiny.recipe(tmp_path / "tiny.yaml", TASK, Path("ada/tiny"), data(TASK), steps=1)
    subprocess.run(
        [sys.executable, "-m", "tunekit", "finetune", file, "--output", tmp_path / "run", "--offline"],
        check=True,
        capture_output=True,
        env=os.environ | {"HF_HUB_CACHE": str(tmp_path / "hub")},
    )
    found = json.loads((tmp_path / "run" / "run.json").read_text())["checkpoint"]
    weights = checkpoint("bert") / "model.safetensors"
    assert found == {
        "name": "ada/tiny",
        "commit": COMMIT,
        "sha256": {"model.safetensors": sha256(weights)},
    }
