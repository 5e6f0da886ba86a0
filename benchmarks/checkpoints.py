"""What checkpoints cost: the same training with one every 50 steps and with none before the end, in turns.

    python benchmarks/checkpoints.py MODEL DATA --pairs 5

MODEL is a checkpoint's folder, DATA a folder of labelled texts. Printed are seconds of training of each pair,
from the first step to the last with all saving, and the median of their ratios.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

STEPS, BETWEEN, BATCH = 200, 50, 32


def seconds(folder: Path, name: str, model: str, data: str, save_every: int) -> float:
    """Train in a process of its own; the time from the first step to the last, with what is saved between."""
    settings = [f"model={model}", f"data={data}", f"train.steps={STEPS}", f"train.save_every={save_every}"]
    settings += [
        f"train.evaluate_every={STEPS}",
        f"train.batch_size={BATCH}",
        "data.splits={train: train.jsonl}",
    ]
    settings += ["data.validation_share=0"]
    command = [sys.executable, "-m", "tunekit", "finetune", "sentiment", *settings]
    subprocess.run(
        [*command, "--output", str(folder / name), "--quiet"], check=True, stdout=subprocess.DEVNULL
    )
    timings = json.loads((folder / name / "run.json").read_text())["timings"]
    return float(timings["training"])


def main() -> None:
    """Print a line for each pair and the median."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--pairs", type=int, default=5)
    given = parser.parse_args()
    ratios = []
    with tempfile.TemporaryDirectory(prefix="tunekit-checkpoints-") as folder:
        for pair in range(given.pairs):
            order = (STEPS, BETWEEN) if pair % 2 else (BETWEEN, STEPS)
            took = {
                every: seconds(Path(folder), f"{pair}-{every}", given.model, given.data, every)
                for every in order
            }
            ratios.append(took[BETWEEN] / took[STEPS])
            print(
                f"every {BETWEEN} steps {took[BETWEEN]:.1f} s, none {took[STEPS]:.1f} s: {ratios[-1]:.3f}",
                flush=True,
            )
    print(f"median of {len(ratios)} ratios: {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main()
