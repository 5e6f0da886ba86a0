"""A step is defined by its rows: how it is cut, padded or shared between processes leaves it the same."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests import tiny
from tests.building import difference, gradients, make_fitting

CELLS = tiny.cells()
FULL = [  # the cells in which memory runs out on the second process
    ("token-classification", "bert"),
    ("sentence-similarity", "bert"),
]
ROWS = 32
LIMIT = 1e-6
OF_FAMILY = sorted({family: (task, family) for task, family in CELLS}.values())  # one task of each

WORKER = """
import json, sys
from pathlib import Path
from safetensors.torch import save_file
from tests.building import gradients, make_fitting
for folder, task, checkpoint, data in json.loads(Path(sys.argv[1]).read_text()):
    shard = "full" if folder.endswith("-shared") else "off"
    settings = {"batch_size": 32, "shard": shard}
    fitting = make_fitting(Path(folder), task, Path(checkpoint), Path(data), **settings)
    accelerator = fitting.optimization.accelerator
    assert accelerator.num_processes == 2
    assert fitting.optimization.sharded == (shard == "full")
    if shard == "full" and accelerator.process_index == 1:
        fitting.steps.most = 3  # more forwards than the other process has
    tried = []
    def fail_on_the_second(model, _, inputs):
        tried.append(len(inputs["input_ids"]))
        if accelerator.process_index == 1 and tried[-1] > 3:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
    if folder.endswith("-full"):
        fitting.optimization.model.register_forward_pre_hook(fail_on_the_second, with_kwargs=True)
    found = gradients(fitting.optimization, fitting.steps)
    assert not folder.endswith("-full") or len(tried) > 2 * accelerator.process_index  # it ran out, and again
    if accelerator.is_main_process:
        save_file(found, Path(folder) / "gradients.safetensors")
    accelerator.wait_for_everyone()
"""


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Data whose first step holds all 32 training rows, one of them much longer than the others."""

    root = tmp_path_factory.mktemp("rows")

    def make(task: str) -> Path:
        return root / task if (root / task).exists() else tiny.dataset(root / task, task, train=ROWS)

    return make


@pytest.mark.parametrize(("task", "family"), CELLS, ids=lambda value: value)
def test_gradients_do_not_depend_on_the_cuts(
    task: str, family: str, checkpoint: Callable[..., Path], rows: Callable[[str], Path], tmp_path: Path
) -> None:
    fitting = make_fitting(tmp_path, task, checkpoint(family, dropout=False), rows(task), batch_size=ROWS)
    steps = fitting.steps
    windows = len(steps.encoded.windows)  # of tasks that read each text of a row alone, several a row
    steps.most = windows
    whole = gradients(fitting.optimization, steps)
    assert len(steps[0].micros) == 1
    for most in (8, 5, 1):  # into eights, an uneven cut, and one window at a time
        steps.most = most
        assert len(steps[0].micros) == -(-windows // most)
        assert difference(whole, gradients(fitting.optimization, steps)) < LIMIT
    if len(set(steps.encoded.lengths.tolist())) == 1:  # pictures: there is no other way to cut them
        return
    steps.most, steps.budget, steps.overhead = None, 60, 8  # by tokens, into groups of different sizes
    assert len({len(micro.windows) for micro in steps[0].micros}) > 1
    assert difference(whole, gradients(fitting.optimization, steps)) < LIMIT


@pytest.mark.parametrize("task", [task for task, family in CELLS if family == "bert"])
def test_gradients_do_not_depend_on_padding(
    task: str, checkpoint: Callable[..., Path], rows: Callable[[str], Path], tmp_path: Path
) -> None:
    family = tiny.able(task)[0]
    fitting = make_fitting(tmp_path, task, checkpoint(family, dropout=False), rows(task), batch_size=ROWS)
    fitting.steps.most = len(fitting.steps.encoded.windows)
    tight = gradients(fitting.optimization, fitting.steps)
    step = fitting.steps[0]
    import torch

    for key, value in step.micros[0].inputs.items():
        if value.ndim == 2:
            fill = -100 if key == "labels" else 0
            step.micros[0].inputs[key] = torch.nn.functional.pad(value, (0, 7), value=fill)  # type: ignore[index]
    fitting.optimization.forget()
    fitting.optimization.gradients(step)
    named = fitting.optimization.model.named_parameters()
    loose = {name: p.grad for name, p in named if p.grad is not None}
    assert difference(tight, loose) < LIMIT


@pytest.fixture(scope="module")
def shared(
    checkpoint: Callable[..., Path], rows: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with the gradients that two processes compute together, for every cell."""
    root = tmp_path_factory.mktemp("shared")
    (root / "worker.py").write_text(WORKER)
    jobs = []
    cells = [(cell, "") for cell in CELLS] + [(cell, "-shared") for cell in OF_FAMILY]
    for (task, family), way in cells:
        folder = root / f"{task}-{family}{way}"
        folder.mkdir()
        jobs.append([str(folder), task, str(checkpoint(family, dropout=False)), str(rows(task))])
    for task, family in FULL:
        full = root / f"{task}-{family}-full"
        full.mkdir()
        jobs.append([str(full), task, str(checkpoint(family, dropout=False)), str(rows(task))])
    (root / "jobs.json").write_text(json.dumps(jobs))
    run_on_two(root / "worker.py", str(root / "jobs.json"))
    return root


@pytest.fixture
def apart(
    shared: Path, checkpoint: Callable[..., Path], rows: Callable[[str], Path], tmp_path: Path
) -> Callable[..., float]:
    """How far the gradients of two processes are from those of one, by task, family and way."""
    from safetensors.torch import load_file

    def measure(task: str, family: str, way: str = "") -> float:
        alone = make_fitting(tmp_path, task, checkpoint(family, dropout=False), rows(task), batch_size=ROWS)
        together = load_file(shared / f"{task}-{family}{way}" / "gradients.safetensors")
        return difference(gradients(alone.optimization, alone.steps), together)

    return measure


@pytest.mark.slow
@pytest.mark.parametrize(("task", "family"), CELLS, ids=lambda value: value)
def test_gradients_do_not_depend_on_the_number_of_processes(
    task: str, family: str, apart: Callable[..., float]
) -> None:
    assert apart(task, family) < LIMIT


@pytest.mark.slow
@pytest.mark.parametrize(("task", "family"), OF_FAMILY, ids=lambda value: value)
def test_gradients_of_a_model_that_is_shared_out_are_those_of_a_whole_one(
    task: str, family: str, apart: Callable[..., float]
) -> None:
    assert apart(task, family, "-shared") < LIMIT


@pytest.mark.slow
@pytest.mark.parametrize(("task", "family"), FULL, ids=lambda value: value)
def test_memory_that_runs_out_on_one_process_changes_nothing(
    task: str, family: str, apart: Callable[..., float]
) -> None:
    assert apart(task, family, "-full") < LIMIT


def run_on_two(script: Path, *arguments: str) -> None:
    """Run a script on two processes of this machine."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    root = str(Path(__file__).parent.parent)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": root}
    done = subprocess.run(
        [*launch, str(script), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-20_000:]  # the launcher's report hides the tracebacks above it


@pytest.mark.slow
def test_two_processes_score_every_row_once_and_as_one_does(
    checkpoint: Callable[..., Path], data: Callable[[str], Path], tmp_path: Path
) -> None:
    task = "token-classification"
    model, rows = checkpoint("bert", dropout=False), tiny.dataset(tmp_path / "rows", task, others=900)
    found = {}
    for name, processes in (("one", "1"), ("two", "2")):
        file = tiny.recipe(tmp_path / f"{name}.yaml", task, model, rows, steps=7, batch_size=7)
        command = [sys.executable, "-m", "tunekit", "finetune", str(file), "--processes", processes]
        done = subprocess.run(
            [*command, "--output", str(tmp_path / name), "--json"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        found[name] = json.loads(done.stdout)["metrics"]
        lines = (tmp_path / name / "predictions" / "test.jsonl").read_text().splitlines()
        assert [json.loads(line)["id"] for line in lines] == list(range(900))  # several batches for each
    for split, scores in found["one"].items():
        for metric, score in scores.items():
            assert found["two"][split][metric]["value"] == pytest.approx(score["value"], abs=1e-6)


def test_the_weights_of_micro_batches_add_up_to_one(
    checkpoint: Callable[..., Path], data: Callable[[str], Path], tmp_path: Path
) -> None:
    task = "token-classification"
    steps = make_fitting(tmp_path, task, checkpoint("bert"), data(task), batch_size=7).steps
    for number in range(steps.per_epoch):
        step = steps[number]
        assert sum(micro.count for micro in step.micros) == step.total
        assert np.isclose(sum(micro.count / step.total for micro in step.micros), 1.0)
