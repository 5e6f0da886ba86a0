"""What an adapter saves, and what it costs: full fine-tuning beside LoRA, DoRA, IA3 and unfrozen layers.

    python benchmarks/adapters.py speed --model FOLDER --data FOLDER --json FILE
    python benchmarks/adapters.py quality --task sentiment --model FOLDER --data FOLDER --json FILE

`speed` trains each variant for some seconds, in a process of its own, the variants taking turns: the share of
weights that train, bytes of a checkpoint, peak memory of the process above what it had before the first step,
and examples a second. `quality` fine-tunes with some learning rates, takes for each variant the one that is
best on validation rows with the first seed, and gives the test scores of all seeds with it.

Every measurement is written to FILE at once; with a FILE that exists, only what it lacks is measured. A
FOLDER of data holds train.jsonl, validation.jsonl and test.jsonl; benchmarks/quality.py says where the data
are from.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RECIPES = {"sentiment": "sentiment", "ner": "ner"}
VARIANTS = {  # overrides of a recipe, by name
    "full": [],
    "lora": ["adapter=lora"],
    "dora": ["adapter=dora"],
    "ia3": ["adapter=ia3"],
    "unfreeze": ["train.unfreeze=2"],
    "full, recomputed": ["train.gradient_checkpointing=true"],
    "lora, recomputed": ["adapter=lora", "train.gradient_checkpointing=true"],
}
RATES = {  # learning rates to choose from
    "full": ["5e-5", "1e-4", "2e-4"],
    "lora": ["2e-4", "5e-4", "1e-3"],
    "dora": ["2e-4", "5e-4", "1e-3"],
    "ia3": ["2e-3", "5e-3", "1e-2"],
    "unfreeze": ["1e-4", "2e-4", "5e-4"],
}
WARM = 3  # steps before time is taken
NEVER = 1_000_000  # steps: nothing is evaluated and saved meanwhile

Row = dict[str, Any]


def measure_speed(overrides: list[str], recipe: str, seconds: float) -> Row:
    """Train for some seconds in this process."""
    import psutil

    from tunekit import prepare
    from tunekit import recipe as recipes
    from tunekit.engine import StopSignals
    from tunekit.engine.state import snapshot
    from tunekit.run import Run

    with tempfile.TemporaryDirectory() as folder:
        settings = recipes.load(recipe, [*overrides, f"train.steps={NEVER}"])
        run = Run(Path(folder) / "run")
        prepared = prepare.check(settings, run, overwrite=False)
        run.begin(settings, overwrite=False)
        fitting = prepare.assemble(prepared, run, StopSignals(), None)
        watch = Peak(psutil.Process())
        started, rows = 0.0, 0
        for steps, progress in enumerate(fitting.remaining_steps(), 1):
            if steps == WARM:
                started = time.perf_counter()
            elif steps > WARM:
                rows += progress.rows
                if time.perf_counter() - started > seconds:
                    break
        spent = time.perf_counter() - started
        tensors, _ = snapshot(fitting.state, fitting.optimization)
        return {
            **run.facts["weights"],
            "checkpoint": sum(each.nbytes for content in tensors.values() for each in content.values()),
            "memory": watch.peak(),
            "examples_per_second": rows / spent,
        }


class Peak:
    """The most memory that a process had since this was made."""

    def __init__(self, process: Any) -> None:
        self.process, self.before = process, process.memory_info().rss
        Path("/proc/self/clear_refs").write_text("5")  # the kernel's own peak begins anew

    def peak(self) -> int:
        """Bytes above those at the start."""
        lines = Path("/proc/self/status").read_text().splitlines()
        most = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
        return most - self.before


def measure_quality(overrides: list[str], recipe: str, seconds: float) -> Row:
    """Fine-tune in this process; the metric that picks the best, on validation and test rows."""
    from tunekit import workflow

    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        run = workflow.finetune(recipe, *overrides, output=Path(folder) / "run")
        metric, scores = run.facts["best"]["metric"], run.metrics()
        found = {split: scores[split][metric]["value"] for split in ("validation", "test")}
        return {**run.facts["weights"], "metric": metric, **found, "seconds": time.monotonic() - start}


MEASURES = {"speed": measure_speed, "quality": measure_quality}


def in_process(part: str, overrides: list[str], recipe: str, seconds: float) -> Row:
    """Measure in a process of its own."""
    job = json.dumps([part, overrides, recipe, seconds])
    environment = {"HF_HUB_OFFLINE": "1", **os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, __file__, "--job", job], capture_output=True, text=True, env=environment, check=False
    )
    if done.returncode:
        raise SystemExit(f"{overrides} failed: {done.stderr[-2000:]}")
    row: Row = json.loads(done.stdout.splitlines()[-1])
    return row


class Bench:
    """What is measured already, and where it is kept."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        self.rows: dict[str, Row] = json.loads(given.json.read_text()) if given.json.exists() else {}

    def row(self, name: str, *overrides: str) -> Row:
        """A measurement by its name, made unless it is known."""
        given = self.given
        key = f"{given.part} {given.model.name} {given.task} {name}"
        if key not in self.rows:
            base = [f"model={given.model}", f"data={given.data}", *given.override]
            recipe = RECIPES[given.task]
            self.rows[key] = in_process(given.part, [*base, *overrides], recipe, given.seconds)
            given.json.write_text(json.dumps(self.rows, indent=1) + "\n")
            print(key, self.rows[key], file=sys.stderr)
        return self.rows[key]


def speed(bench: Bench) -> Iterator[list[str]]:
    """The table of speed: medians over rounds in which the variants take turns."""
    names = bench.given.variants or list(VARIANTS)
    rounds = [{n: bench.row(f"{n} {r}", *VARIANTS[n]) for n in names} for r in range(bench.given.rounds)]
    yield ["variant", "trained", "checkpoint", "memory", "examples/s", "of full"]
    middle = {n: {k: statistics.median(r[n][k] for r in rounds) for k in rounds[0][n]} for n in names}
    for name, row in middle.items():
        rate = row["examples_per_second"]
        yield [
            name,
            f"{row['trained'] / row['total']:.2%}",
            f"{row['checkpoint'] / 1e6:,.1f} MB",
            f"{row['memory'] / 1e6:,.0f} MB",
            f"{rate:.1f}",
            f"{rate / middle[names[0]]['examples_per_second']:.2f}",
        ]


def quality(bench: Bench) -> Iterator[list[str]]:
    """The table of quality: each variant at the learning rate that is best on validation rows."""
    yield ["variant", "trained", "learning rate", "validation", "test, mean", "test, by seed"]
    for name in bench.given.variants or list(RATES):
        rates = {
            rate: bench.row(f"{name} {rate} 0", *VARIANTS[name], f"train.learning_rate={rate}")
            for rate in RATES[name]
        }
        best = max(rates, key=lambda rate: rates[rate]["validation"])
        more = [VARIANTS[name], [f"train.learning_rate={best}"]]
        rows = [
            bench.row(f"{name} {best} {seed}", *more[0], *more[1], f"train.seed={seed}")
            for seed in range(bench.given.seeds)
        ]
        tests = [row["test"] for row in rows]
        yield [
            name,
            f"{rows[0]['trained'] / rows[0]['total']:.2%}",
            best,
            f"{statistics.mean(row['validation'] for row in rows):.4f}",
            f"{statistics.mean(tests):.4f}",
            ", ".join(f"{each:.4f}" for each in tests),
        ]


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=list(MEASURES))
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--task", choices=list(RECIPES), default="sentiment")
    parser.add_argument("--variants", nargs="*", choices=list(VARIANTS))
    parser.add_argument("--override", nargs="*", default=[], help="recipe keys for all variants")
    parser.add_argument("--seconds", type=float, default=6, help="of training that are measured")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path, required=True)
    return parser.parse_args()


def main() -> None:
    """Print the table of a part."""
    if sys.argv[1:2] == ["--job"]:
        part, overrides, recipe, seconds = json.loads(sys.argv[2])
        print(json.dumps(MEASURES[part](overrides, recipe, seconds)))
        return
    given = options()
    table = list({"speed": speed, "quality": quality}[given.part](Bench(given)))
    for number, row in enumerate(table):
        print("| " + " | ".join(row) + " |" + ("\n" + "|---" * len(row) + "|" if number == 0 else ""))


if __name__ == "__main__":
    main()
