"""Kill runs of tiny models at random, continue them, and compare each with one that nobody killed.

Every run is a process of its own that is ended by a real SIGKILL after a random time, again and again, until
it comes through; then every byte of its log, scores, answers and weights must be that of the whole run.

    python benchmarks/faults.py --kills 200 --seed 0
"""

import argparse
import json
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests import tiny, tiny_models
from tests.faults.processes import Server, results
from tunekit import checkpoint as checkpoints

KINDS = {  # task: family, and what makes its steps random or divided
    "text-classification": ("bert", ["train.micro_batch=3"]),
    "question-answering": ("bert", ["task.max_length=24", "task.stride=8"]),
    "image-classification": ("vit", ["task.crop=0.5", "task.flip=true"]),
    "token-classification": ("electra", []),
    "summarization": ("t5", []),
    "text-classification-lora": ("gpt2", ["adapter=lora", "adapter.dropout=0.1"]),
}
WORKERS = (0, 2)


@dataclass
class Row:
    """What became of one kind of run."""

    task: str
    workers: int
    runs: int = 0
    kills: int = 0
    redone: int = 0  # steps that were logged before a kill and had to be made again
    mismatches: int = 0


@dataclass
class Trial:
    """A kind of run: how it is started, and what it gives when nobody kills it."""

    row: Row
    command: list[str]
    folder: Path
    whole: dict[str, bytes]
    seconds: float  # that the whole run took


def prepare(folder: Path, server: Server, task: str, workers: int) -> Trial:
    """Make a tiny checkpoint, data and a recipe, and run it whole."""
    import torch

    torch.manual_seed(0)
    folder.mkdir()
    family, overrides = KINDS[task]
    task = task.removesuffix("-lora")
    make = tiny_models.FAMILIES.get(family) or getattr(tiny_models, family)
    model = make(folder / "model")
    rows = tiny.dataset(folder / "data", task)
    settings: dict[str, Any] = {"save_every": 2, "log_every": 1, "early_stopping": None}
    file = tiny.recipe(folder / "tiny.yaml", task, model, rows, **settings)
    command = ["finetune", str(file), *overrides, f"data.workers={workers}", "--output"]
    for name in ("first", "whole"):  # the first one also fills caches, which takes longer
        start = time.monotonic()
        process = server.start(*command, str(folder / name), said=folder / "said")
        if process.wait() != 0:
            sys.exit(f"the whole run of {task} failed: {process.said}")
        seconds = time.monotonic() - start
    return Trial(
        Row(folder.name.rsplit("-", 1)[0], workers), command, folder, results(folder / "whole"), seconds
    )


def last_logged(run: Path) -> int:
    """The last step of which a run's log has a row."""
    log = run / "log.jsonl"
    lines = log.read_text().splitlines(keepends=True) if log.exists() else []
    return max((json.loads(line)["step"] for line in lines if line.endswith("\n")), default=0)


def come_through(trial: Trial, server: Server, chance: random.Random, most: int) -> None:
    """Kill a run after random times until it comes through or `most` kills are made; then compare."""
    row = trial.row
    row.runs += 1
    run = trial.folder / f"run-{row.runs}"
    kills = 0
    while True:
        process = server.start(*trial.command, str(run), said=trial.folder / "said")
        if kills < most:
            time.sleep(chance.uniform(0, trial.seconds))
            process.send(signal.SIGKILL)  # not waited for yet: its id is still its own
        status = process.wait()
        if status == 0:
            break
        if status != -signal.SIGKILL:
            sys.exit(f"{trial.folder.name} ended with {status}: {process.said}")
        kills += 1
        saved, _ = checkpoints.newest_good(run / "checkpoints")
        row.redone += max(0, last_logged(run) - (saved.step if saved else 0))
    row.kills += kills
    row.mismatches += results(run) != trial.whole


def campaign(folder: Path, kills: int, seed: int, minutes: float) -> Iterator[Row]:
    """Try each kind of run in turn until enough kills are made or the time is over."""
    server, chance, end = Server(), random.Random(seed), time.monotonic() + 60 * minutes
    try:
        pairs = [(task, workers) for task in KINDS for workers in WORKERS]
        trials = [prepare(folder / f"{t}-{w}", server, t, w) for t, w in pairs]
        for trial in cycle(trials):
            made = sum(each.row.kills for each in trials)
            if made >= kills or time.monotonic() > end:
                break
            come_through(trial, server, chance, most=6)
        yield from (trial.row for trial in trials)
    finally:
        server.close()


def main() -> None:
    """Print the table, or with --json its rows; exit 1 when anything differed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=15, help="stop after so long")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tunekit-faults-") as folder:
        rows = [asdict(row) for row in campaign(Path(folder), given.kills, given.seed, given.minutes)]
    total = {"task": "all", "workers": "", **{k: sum(r[k] for r in rows) for k in list(rows[0])[2:]}}
    if given.json:
        print(json.dumps([*rows, total], indent=1))
    else:
        print("| " + " | ".join(total) + " |\n" + "|---" * len(total) + "|")
        for row in [*rows, total]:
            print("| " + " | ".join(map(str, row.values())) + " |")
    sys.exit(total["mismatches"] > 0)


if __name__ == "__main__":
    main()
