"""How time and memory of preparing a run grow with the rows: made up texts are read, encoded and batched.

    python benchmarks/growth.py MODEL_FOLDER [--rows 1000 10000 100000 1000000] [--json FILE]

Every size is measured in a process of its own, on texts of 10 to 30 words with one of three labels. Printed
are microseconds of processor time a row (what else runs on the machine does not count), and the most memory
that preparation takes beyond what model and libraries hold when it begins. Nothing is trained. Linux only.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROWS = (1_000, 10_000, 100_000, 1_000_000)
BATCH, MOST_STEPS = 32, 2000
LABELS = ("bad", "good", "mixed")
WORDS = [
    *(
        "the",
        "a",
        "film",
        "story",
        "of",
        "and",
        "in",
        "was",
        "with",
        "its",
        "people",
        "home",
        "night",
        "music",
    ),
    *("laughter", "tears", "hope", "actors", "director", "scene", "plot", "camera", "slow", "fast", "boring"),
    *("brilliant", "awful", "fine", "unwatchable", "heartwarming", "cinematography"),
]
STAGES = ("reading", "fingerprint", "encoding", "batching")


def write_rows(path: Path, rows: int) -> None:
    """Texts and labels, one object a line."""
    draw = random.Random(0)
    with path.open("w") as file:
        for number in range(rows):
            text = " ".join(draw.choices(WORDS, k=draw.randint(10, 30)))
            file.write(json.dumps({"text": text, "label": LABELS[number % len(LABELS)]}) + "\n")


def megabytes(field: str) -> float:
    """What the system says of this process's memory: VmRSS now, or VmHWM at its highest."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def measure(model: str, path: Path, number: int) -> dict[str, float]:
    """Prepare a run on a file of so many rows: microseconds a row by stage, and megabytes."""
    from tunekit import tasks
    from tunekit.data.batches import Steps
    from tunekit.data.drawing import fingerprint
    from tunekit.data.load import load
    from tunekit.data.windows import encode
    from tunekit.environment import configure, hush
    from tunekit.models.checkpoint import inspect
    from tunekit.models.load import load_model, load_processor
    from tunekit.recipe import DataSection, ModelSection

    configure()
    hush()
    kind = tasks.find("text-classification")
    checkpoint = inspect(ModelSection(name=model), kind)
    processor = load_processor(checkpoint, kind, lambda _: None)
    task = kind(kind.Options(max_length=128), processor, LABELS, checkpoint.head)
    held = load_model(checkpoint, task, lambda _: None, attention=None, dropout=None)
    encode(task, [{"text": "a film", "label": LABELS[0]}], targets=True)  # what is made once is made now
    Path("/proc/self/clear_refs").write_text("5")  # the highest memory is that from here on
    before, found = megabytes("VmRSS"), dict[str, float]()

    def timed(stage: str, count: int, work: Callable[[], Any]) -> Any:
        start = time.process_time()
        result = work()
        found[stage] = (time.process_time() - start) * 1e6 / count
        return result

    section = DataSection(path=str(path), validation_share=0)
    data = timed("reading", number, lambda: load(section, kind, task.options, 0, processor))
    rows = data.splits["train"]
    timed("fingerprint", number, lambda: fingerprint(rows))
    encoded = timed("encoding", number, lambda: encode(task, rows, targets=True))
    steps = Steps(task, encoded, seed=0, batch_size=BATCH)
    count = min(MOST_STEPS, number // BATCH)
    timed("batching", count * BATCH, lambda: all(steps[step] for step in range(count)))
    del held  # until here, as in a run
    return found | {"peak memory": megabytes("VmHWM") - before}


def in_a_process(model: str, rows: int) -> dict[str, float]:
    """Measure one size in a fresh process."""
    with tempfile.TemporaryDirectory(prefix="tunekit-growth-") as folder:
        path = Path(folder) / "train.jsonl"
        write_rows(path, rows)
        command = [sys.executable, __file__, model, "--rows", str(rows), "--file", str(path)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        return {"rows": rows, **json.loads(done.stdout.splitlines()[-1])}


def main() -> None:
    """Print a line for each size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a checkpoint's folder")
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS)
    parser.add_argument("--json", type=Path, help="a file for the numbers")
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.file:
        print(json.dumps(measure(given.model, given.file, *given.rows)))
        return
    print("| rows | " + "".join(f"{stage}, µs a row | " for stage in STAGES) + "peak memory, MB |")
    print("|" + "---|" * (len(STAGES) + 2), flush=True)
    found = []
    for rows in given.rows:
        found.append(in_a_process(given.model, rows))
        cells = [f"{rows:,}", *(f"{found[-1][stage]:,.1f}" for stage in STAGES)]
        print(f"| {' | '.join(cells)} | {found[-1]['peak memory']:,.0f} |", flush=True)
    if given.json:
        given.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
