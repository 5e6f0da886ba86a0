"""The same runs on one, two and four processes, whole and shared out, and runs that continue them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tests.devices.driver import do
from tunekit import checkpoint as checkpoints

ROOT = Path(__file__).parents[2]
HALF, STEPS = 10, 20
CELLS = {  # with the options that give several windows a row, or short answers
    "text-classification": ("bert", []),
    "question-answering": ("bert", ["task.max_length=16", "task.stride=4"]),
    "summarization": ("t5", ["task.max_summary=6"]),
}
Runs = dict[str, Path]  # by task, processes and way: "summarization 2 full"
Recipes = dict[str, Path]


@pytest.fixture(scope="session")
def recipes(checkpoint: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Recipes:
    """A recipe for every task: uneven batches, forwards of two windows, no dropout, 20 steps in fp32."""
    root = tmp_path_factory.mktemp("devices")
    settings = {"steps": STEPS, "batch_size": 9, "micro_batch": 2, "learning_rate": 1e-3, "keep": 9}
    settings |= {"save_every": HALF, "evaluate_every": HALF}
    found = {}
    for task, (family, _) in CELLS.items():
        rows = tiny.dataset(root / task, task, train=43, others=13)
        model = checkpoint(family, dropout=False)
        found[task] = tiny.recipe(root / f"{task}.yaml", task, model, rows, **settings)
    return found


def job(recipes: Recipes, task: str, output: Path, shard: str, after: Path | None = None) -> dict[str, Any]:
    """A run for the driver."""
    overrides = [*CELLS[task][1], f"train.shard={shard}"]
    from_step = str(checkpoints.at_step(after / "checkpoints", HALF).path) if after else None
    return {
        "recipe": str(recipes[task]),
        "overrides": overrides,
        "output": str(output),
        "after": from_step,
    }


def launch(processes: int, jobs: list[dict[str, Any]], folder: Path) -> str:
    """Make runs on several processes; what they said."""
    file = folder / f"jobs-{processes}.json"
    file.write_text(json.dumps(jobs))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    done = subprocess.run(
        [*command, "-m", "tests.devices.driver", str(file)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-20_000:]
    return done.stderr


@pytest.fixture(scope="session")
def alone(recipes: Recipes, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Every task's run on one process."""
    root, found = tmp_path_factory.mktemp("alone"), {}
    for task in CELLS:
        found[f"{task} 1 off"] = root / task
        do(job(recipes, task, root / task, "off"))
    return found


@pytest.fixture(scope="session")
def two(recipes: Recipes, alone: Runs, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Every task's run on two processes, whole and shared out, and continuations on two."""
    root, task = tmp_path_factory.mktemp("two"), "text-classification"
    ways = [(each, shard) for each in CELLS for shard in ("off", "full")]
    found = {f"{each} 2 {shard}": root / f"{each}-{shard}" for each, shard in ways}
    jobs = [job(recipes, each, found[f"{each} 2 {shard}"], shard) for each, shard in ways]
    for before, shard in (("2 full", "full"), ("2 off", "off"), ("1 off", "full")):
        name = f"{task} {before} then 2 {shard}"
        found[name] = root / name.replace(" ", "-")
        jobs.append(job(recipes, task, found[name], shard, (found | alone)[f"{task} {before}"]))
    said = launch(2, jobs, root)
    assert said.count(f"continuing after step {HALF} of {STEPS}") == 3
    return found


@pytest.fixture(scope="session")
def four(recipes: Recipes, two: Runs, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Every task's run on four processes, and one that continues one of two."""
    root, task = tmp_path_factory.mktemp("four"), "text-classification"
    ways = [(task, "off"), *((each, "full") for each in CELLS)]
    found = {f"{each} 4 {shard}": root / f"{each}-{shard}" for each, shard in ways}
    jobs = [job(recipes, each, found[f"{each} 4 {shard}"], shard) for each, shard in ways]
    name = f"{task} 2 full then 4 full"
    found[name] = root / name.replace(" ", "-")
    jobs.append(job(recipes, task, found[name], "full", two[f"{task} 2 full"]))
    launch(4, jobs, root)
    return found
