"""Several processes of one run, started as by a launcher: on one machine, or each as a machine of its own."""

import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import tiny
from tests.faults.conftest import TASK
from tests.faults.processes import Process, Server
from tunekit import seeds
from tunekit.recipe import load
from tunekit.run import Run

Pair = Callable[..., list[Process]]
SLOW = """
import time, datasets, evaluate
text, waited = datasets.Value("string"), []
class Slow(evaluate.Metric):
    def _info(self):
        features = datasets.Features({"predictions": text, "references": text})
        return evaluate.MetricInfo(description="", citation="", inputs_description="", features=features)
    def _compute(self, predictions, references):
        if len(predictions) > 2 and not waited:
            waited.append(time.sleep(7))
        return {"slow": 1.0}
"""


@pytest.fixture
def pair(server: Server, tmp_path: Path) -> Pair:
    """Start both processes of a run; `words` are the first's and, where they differ, the second's."""

    def start(*words: list[str], local: int) -> list[Process]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        common = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": str(local), "GLOO_SOCKET_IFNAME": "lo"}
        common |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        return [
            server.start(
                *words[-1 if rank else 0],
                said=tmp_path / f"said-{rank}.txt",
                environment=common | {"RANK": str(rank), "LOCAL_RANK": str(rank % local)},
            )
            for rank in range(2)
        ]

    return start


def ended(processes: list[Process]) -> tuple[list[int], str]:
    """Their exit statuses, and what both said."""
    return [each.wait() for each in processes], "".join(each.said for each in processes)


def test_finished_runs_of_several_seeds_are_told_to_all(recipe: Path, pair: Pair, tmp_path: Path) -> None:
    for each in seeds.apart(load(recipe, ["train.seeds=2"])):
        run = Run(seeds.place(tmp_path / "runs", each.train.seed))
        run.path.mkdir(parents=True)
        run.record(status="finished", seed=each.train.seed, identity=each.resolved(), best=None)
        (run.path / "metrics.json").write_text('{"test": {"accuracy": {"value": 0.5}}}')
    words = ["finetune", str(recipe), "--seeds", "2", "--output", str(tmp_path / "runs")]
    codes, said = ended(pair(words, local=2))
    assert codes == [0, 0], said
    assert said.count("2 runs finished") == 1


def test_machines_with_other_rows_refuse_to_train(
    checkpoint: Callable[..., Path], data: Callable[[str], Path], pair: Pair, tmp_path: Path
) -> None:
    words = []
    for rank, rows in enumerate((48, 20)):
        folder = Path(shutil.copytree(data(TASK), tmp_path / f"rows-{rank}"))
        tiny.write_jsonl(folder / "train.jsonl", tiny.reviews(rows))
        recipe = tiny.recipe(tmp_path / f"{rank}.yaml", TASK, checkpoint("bert"), folder)
        words.append(["finetune", str(recipe), "--output", str(tmp_path / f"run-{rank}")])
    codes, said = ended(pair(*words, local=1))
    assert codes == [2, 2], said
    assert said.count("the machines of this run differ; give all the same") == 2
    assert "rows of.train: " in said
    assert not (tmp_path / "run-0" / "run.json").exists()


@pytest.mark.slow
def test_a_metric_may_take_longer_than_processes_wait_for_each_other(
    recipe: Path, pair: Pair, tmp_path: Path
) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    options = ["train.steps=2", f"metrics=[{tmp_path / 'slow.py'}]", "--timeout", "5"]
    words = ["finetune", str(recipe), *options, "--output", str(tmp_path / "run")]
    codes, said = ended(pair(words, local=2))
    assert codes == [0, 0], said
    assert "slow" in json.loads((tmp_path / "run" / "metrics.json").read_text())["validation"]
