"""What a second process costs on a CPU: time of a step, and bytes that each process sends.

    python benchmarks/scale.py MODEL_FOLDER DATA_FOLDER [--rounds 3] [--rows 16] [--steps 40] [--json FILE]

`tunekit finetune` runs in turns with one process, with two that each have as many rows (weak scaling), and
with two that share the rows of one (strong scaling), one thread each. Every round makes each run twice,
with few steps and with `--steps` more; a step's time is the difference over the steps, so nothing that
happens once counts. Bytes are computed from the gradients, and counted on the loopback interface: as root
in a network namespace of the runs' own, else on the machine's, where other programs count too. Linux only;
it needs two cores that nothing else uses.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FEW = 10  # steps of the shorter runs
ROWS_SCORED = 32  # of validation and test: what is measured is training
COUNTERS = Path("/proc/net/dev")
ALONE = ["unshare", "--net", "sh", "-c", 'ip link set lo up && "$@" && cat /proc/net/dev', "sh"]


@dataclass(frozen=True)
class Setting:
    """A number of processes, and how many rows a step has for each of `rows`."""

    name: str
    processes: int
    times: int


SETTINGS = (Setting("one", 1, 1), Setting("two, weak", 2, 2), Setting("two, strong", 2, 1))


def measure(given: argparse.Namespace, setting: Setting, steps: int, folder: Path) -> dict[str, float]:
    """Make a run: seconds of its steps, and bytes on the loopback interface."""
    run = folder / "run"
    shutil.rmtree(run, ignore_errors=True)
    recipe = ["sentiment", f"model={given.model}", f"data={given.data}", f"train.steps={steps}"]
    recipe += [f"train.batch_size={given.rows * setting.times}", f"train.evaluate_every={steps}"]
    recipe += [f"data.limit={{validation: {ROWS_SCORED}, test: {ROWS_SCORED}}}", f"train.save_every={steps}"]
    command = [sys.executable, "-m", "tunekit", "finetune", *recipe, "--processes", str(setting.processes)]
    alone = os.geteuid() == 0 and all(map(shutil.which, ("unshare", "ip")))
    before = 0 if alone else sent(COUNTERS.read_text())
    done = subprocess.run(
        [*(ALONE if alone else []), *command, "--output", str(run), "--quiet"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
    )
    timings = json.loads((run / "run.json").read_text())["timings"]
    training = timings["training"] - timings.get("evaluation", 0) - timings.get("saving", 0)
    return {"training": training, "sent": sent(done.stdout if alone else COUNTERS.read_text()) - before}


def sent(counters: str) -> float:
    """Bytes sent over the loopback interface, from what /proc/net/dev holds."""
    line = next(line for line in counters.splitlines() if line.strip().startswith("lo:"))
    return float(line.split(":")[1].split()[8])


def a_step(given: argparse.Namespace, setting: Setting, folder: Path) -> dict[str, float]:
    """What a step takes: seconds, and bytes of one process."""
    few = measure(given, setting, FEW, folder)
    many = measure(given, setting, FEW + given.steps, folder)
    return {
        "seconds": (many["training"] - few["training"]) / given.steps,
        "bytes": (many["sent"] - few["sent"]) / given.steps / setting.processes,
    }


def gradients(folder: Path) -> int:
    """Numbers in the gradients: the weights of the model that the last run left."""
    from safetensors import safe_open

    with safe_open(folder / "run" / "model" / "model.safetensors", "pt") as file:
        return sum(file.get_tensor(name).numel() for name in file.keys())  # noqa: SIM118


def report(found: dict[str, list[dict[str, float]]], numbers: int, rows: int) -> list[str]:
    """The table, and what follows from it."""
    medians = {n: statistics.median(each["seconds"] for each in rounds) for n, rounds in found.items()}
    lines = ["| run | rows a step | ms a step, median (least to most) | against one |", "|---|---|---|---|"]
    for setting in SETTINGS:
        all_of = [each["seconds"] * 1e3 for each in found[setting.name]]
        middle = medians[setting.name]
        span = f"{middle * 1e3:.1f} ({min(all_of):.1f} to {max(all_of):.1f})"
        lines.append(f"| {setting.name} | {rows * setting.times} | {span} | {middle / medians['one']:.3f} |")
    weak, strong = (medians["one"] / medians[name] for name in ("two, weak", "two, strong"))
    computed = 4 * numbers  # bytes: with two processes each sends as much as it has, 2·(p-1)/p times
    counted = statistics.median(each["bytes"] for each in found["two, weak"])
    return [
        *lines,
        "",
        f"two processes: {2 * weak:.2f} times the examples a second with equal work for each (overhead "
        f"{1 / weak - 1:+.1%} a step), {strong:.2f} times with the rows of one shared",
        f"sent by each process a step: {computed:,} bytes of gradients, {counted:,.0f} bytes counted "
        f"({counted / computed - 1:+.1%})",
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="a checkpoint's folder")
    parser.add_argument(
        "data", type=Path, help="a folder of texts with labels, in train, validation and test"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=16, help="of one process a step")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--json", type=Path, help="a file for the numbers")
    given = parser.parse_args()
    given.model, given.data = given.model.absolute(), given.data.absolute()
    found: dict[str, list[dict[str, Any]]] = {setting.name: [] for setting in SETTINGS}
    with tempfile.TemporaryDirectory(prefix="tunekit-scale-") as name:
        for number in range(given.rounds):
            for setting in SETTINGS if number % 2 == 0 else SETTINGS[::-1]:
                found[setting.name].append(a_step(given, setting, Path(name)))
        numbers = gradients(Path(name))
    print("\n".join(report(found, numbers, given.rows)))
    if given.json:
        given.json.write_text(json.dumps({"gradients": numbers, **found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
