"""Numbers that are none: a run stops before they reach the weights."""

from collections.abc import Callable
from pathlib import Path

from tests import tiny
from tests.faults.processes import Server
from tunekit import checkpoint as checkpoints

TASK = "text-classification"


def test_a_run_that_diverges_names_the_rows_and_keeps_its_last_good_checkpoint(
    server: Server, checkpoint: Callable[..., Path], data: Callable[[str], Path], tmp_path: Path
) -> None:
    settings = {
        "learning_rate": 1e30,
        "max_grad_norm": None,
        "save_every": 1,
        "warmup": 0,
        "optimizer": "sgd",
    }
    file = tiny.recipe(tmp_path / "tiny.yaml", TASK, checkpoint("bert"), data(TASK), **settings)
    command = ["finetune", str(file), "--output", str(tmp_path / "run")]
    said = []
    for _ in range(2):  # the same command fails in the same way
        process = server.start(*command, said=tmp_path / "said")
        assert process.wait() == 4
        said.append(process.said.strip().splitlines()[-1])
        assert "train.jsonl:" in said[-1]
        assert "the last checkpoint is intact" in said[-1]
        assert "Traceback" not in process.said
    assert said[0] == said[1]
    saved, complaints = checkpoints.newest_good(tmp_path / "run" / "checkpoints")
    assert saved is not None
    assert not complaints
    assert all(tensor.isfinite().all() for tensor in saved.tensors("model").values())
