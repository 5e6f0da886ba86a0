"""How fast is tunekit beside transformers' own Trainer? The same work in both, in turns, on this machine.

    python benchmarks/speed.py --encoder FOLDER --sentiment FOLDER --qa FOLDER --pictures FOLDER --quick
    python benchmarks/speed.py --encoder FOLDER --decoder FOLDER --t5-tokenizer FOLDER --sentiment FOLDER \\
        --ner FOLDER --qa FOLDER --summaries FOLDER --pictures FOLDER --json FILE

Every measurement is a process of its own, and the variants take turns: tunekit with its shipped recipes; the
example scripts' defaults (fp32, sentences padded to 128 tokens and questions to 384, evaluation by 8); the
Trainer tuned (bf16, batches grouped by length, no checks of the loss, no saves, sorted evaluation); and the
same in fp32 with oneDNN's exact products. Batch, rate, schedule, clip, decay, dropout and lengths are
equal. FILE is written after every measurement; with a FILE that exists, only what it lacks is measured.

The encoder is all-MiniLM-L6-v2, the decoder SmolLM2-135M, the tokenizer T5-small's; T5-small, ViT tiny
and BERT base get random weights. A folder of rows holds train.jsonl and validation.jsonl, that of pictures
train/CLASS/*.png (2,000 of Fashion-MNIST). The data are public: benchmarks/quality.py says where from.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import speed_flops
import speed_report
import speed_work
from speed_job import Job, perform

PARTS = ("train", "eval", "whole", "start")
FOLDERS = ("encoder", "decoder", "t5-tokenizer", "sentiment", "ner", "qa", "summaries", "pictures")
CEILING, COMMANDS = "ceiling", ("--help", "--dry-run")
TAIL = 2000  # characters of what a failed measurement said
QUICK_SECONDS, QUICK_VARIANTS = 3.0, ("tunekit", "tuned")

Task = tuple[str, str, str, int]  # part, workload, variant, round


class Bench:
    """The measurements, those that are done, and where they are kept."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options, self.folder = options, folder
        self.folders = {name: getattr(options, name.replace("-", "_")) for name in FOLDERS}
        self.settings = {"seconds": options.seconds, "quick": options.quick, "whole_rows": options.whole_rows}
        self.results: dict[str, Any] = {}
        self.failed = 0
        if options.json and options.json.exists():
            before = json.loads(options.json.read_text())
            if before["settings"] != self.settings:
                raise SystemExit(f"{options.json} was measured with {before['settings']}; name another file")
            self.results = before["results"]

    def plan(self) -> Iterator[Task]:
        """All measurements in order: the variants take turns, round by round."""
        options = self.options
        for number in range(options.rounds):
            yield CEILING, "", "", number
            if "start" in options.parts and options.encoder and options.sentiment:
                yield from (("start", "", command, number) for command in COMMANDS)
            for part, name in self.work():
                if part.startswith("whole") and number >= options.seeds:
                    continue
                for variant in options.variants:
                    if part != speed_work.WHOLE or variant != "defaults":  # it would take half an hour
                        yield part, name, variant, number

    def work(self) -> Iterator[tuple[str, str]]:
        """The parts that are wanted, each with its workloads."""
        names = self.options.workloads
        if "train" in self.options.parts:
            yield from (("train", name) for name in names)
        if "eval" in self.options.parts:
            yield from (("eval", name) for name in names if speed_work.WORKLOADS[name].evaluated)
        if "whole" in self.options.parts and "sentiment" in names:
            yield speed_work.WHOLE_LIMITED, "sentiment"
            yield speed_work.WHOLE, "sentiment"

    def run(self) -> None:
        """Prepare, measure what is not measured yet, and keep every result."""
        todo = [task for task in self.plan() if key_of(task) not in self.results]
        if todo:
            self.prepare(sorted({name for _, name, *_ in todo if name}))
        for number, task in enumerate(todo, 1):
            began, words = time.monotonic(), " ".join(key_of(task).replace("/", " ").split())
            try:
                found = self.measure(*task)
            except subprocess.CalledProcessError as error:
                self.failed += 1
                print(f"{number}/{len(todo)} {words} FAILED: {error.stderr[-TAIL:]}", flush=True)
                continue
            self.results[key_of(task)] = found
            self.keep()
            line, took = speed_report.line(task[0], found), time.monotonic() - began
            print(f"{number}/{len(todo)} {words}: {line} ({took:.0f} s)", flush=True)

    def prepare(self, names: list[str]) -> None:
        """Write the checkpoints and rows of some workloads, in a process that may grow."""
        given = [each for name, folder in self.folders.items() if folder for each in (f"--{name}", folder)]
        workloads = ["--workloads", ",".join(names)] if names else []
        try:
            call(
                [
                    "--prepare",
                    str(self.folder),
                    "--whole-rows",
                    str(self.options.whole_rows),
                    *given,
                    *workloads,
                ]
            )
        except subprocess.CalledProcessError as error:
            raise SystemExit(f"checkpoints and rows cannot be written: {error.stderr[-TAIL:]}") from error

    def measure(self, part: str, name: str, variant: str, number: int) -> dict[str, Any]:
        """One measurement in a process of its own."""
        if part == CEILING:
            return {"flops_per_second": float(call(["--ceiling"]))}
        if part == "start":
            return {"seconds": self.command(variant)}
        with tempfile.TemporaryDirectory(dir=self.folder) as output:
            job = self.job(part, name, variant, number, Path(output))
            start = time.time()
            call(["--job", job.arguments()])
            found = json.loads(Path(job.result).read_text())
        for key in ("first_step", "finished"):
            if key in found:
                found[key] -= start
        return dict(found)

    def job(self, part: str, name: str, variant: str, number: int, output: Path) -> Job:
        """What a process is told."""
        workload = speed_work.WORKLOADS[name]
        model, data = speed_work.places(name, self.folders, self.folder)
        if part in (speed_work.WHOLE, speed_work.WHOLE_LIMITED):
            data = self.folder / part
        steps = workload.steps(variant, self.options.seconds)
        warm = workload.warm_steps(variant, steps)
        result = str(output / "result.json")
        return Job(part, name, variant, number, model, str(data), str(output / "run"), result, warm, steps)

    def command(self, kind: str) -> float:
        """Seconds that a command takes which does not train."""
        tunekit = [sys.executable, "-m", "tunekit"]
        rows = self.folder / speed_work.WHOLE
        dry = ["finetune", "sentiment", f"model={self.folders['encoder']}", f"data={rows}", "--dry-run"]
        start = time.monotonic()
        further = [kind] if kind == "--help" else [*dry, "--output", str(self.folder / "never")]
        subprocess.run([*tunekit, *further], check=True, capture_output=True, text=True)
        return time.monotonic() - start

    def keep(self) -> None:
        """Write all results so far."""
        if self.options.json:
            document = {"settings": self.settings, "machine": speed_report.machine(), "results": self.results}
            beside = self.options.json.with_suffix(".part")
            beside.write_text(json.dumps(document, indent=1) + "\n")
            beside.replace(self.options.json)


def key_of(task: Task) -> str:
    """The name of a measurement among the results."""
    return "/".join(map(str, task))


def call(arguments: list[str]) -> str:
    """Run this program for one piece of work, and return what it printed."""
    command = [sys.executable, str(Path(__file__).resolve()), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def prepare(options: argparse.Namespace, target: Path) -> None:
    """Write checkpoints and rows."""
    folders = {name: getattr(options, name.replace("-", "_")) for name in FOLDERS}
    for name in options.workloads:
        speed_work.prepare(name, folders, target)
    if folders["sentiment"]:
        for limit in (None, options.whole_rows):
            speed_work.prepare_whole(folders, target, limit)


def listed(known: tuple[str, ...]) -> Any:
    """A type of argument: some of the known words with commas between."""

    def read(text: str) -> tuple[str, ...]:
        words = tuple(text.split(","))
        if not set(words) <= set(known):
            raise argparse.ArgumentTypeError(f"give some of {','.join(known)}")
        return words

    return read


def parse(given: Sequence[str]) -> argparse.Namespace:
    """The command line; what is not named is what the folders allow."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in FOLDERS:
        parser.add_argument(f"--{name}", metavar="FOLDER")
    workloads = tuple(speed_work.WORKLOADS)
    parser.add_argument("--workloads", type=listed(workloads), help=",".join(workloads))
    parser.add_argument("--variants", type=listed(speed_work.VARIANTS), default=speed_work.VARIANTS)
    parser.add_argument("--parts", type=listed(PARTS), default=PARTS, help=",".join(PARTS))
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="times that every variant runs")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="rounds of whole runs, at most")
    parser.add_argument("--seconds", type=float, default=12.0, metavar="N", help="to time a training, about")
    parser.add_argument("--whole-rows", type=int, default=640, metavar="N", help="of the limited whole run")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep results there, and continue from it")
    parser.add_argument(
        "--quick", action="store_true", help="a trial of under 3 minutes, which proves nothing"
    )
    parser.add_argument("--check-flops", action="store_true", help="hold the count of work against torch's")
    options = parser.parse_args(given)
    if options.quick:
        options.rounds, options.seconds, options.variants = 1, QUICK_SECONDS, QUICK_VARIANTS
        options.parts = ("train",)
    known = [*possible(options)]
    chosen = options.workloads or [
        name for name in known if speed_work.WORKLOADS[name].tried or not options.quick
    ]
    lacking = sorted(set(chosen) - set(known))
    if lacking or not chosen:
        parser.error(f"name the folders of {', '.join(lacking) or 'a workload'}: the checkpoint and the rows")
    options.workloads = chosen
    return options


def possible(options: argparse.Namespace) -> Iterator[str]:
    """The workloads whose folders were given."""
    needed = {"t5": "t5_tokenizer", "bert-base": "encoder", "vit": "pictures"}
    for name, workload in speed_work.WORKLOADS.items():
        checkpoint = needed.get(workload.checkpoint, workload.checkpoint)
        if getattr(options, workload.data) and getattr(options, checkpoint):
            yield name


def main() -> None:
    """Measure, and print the tables; or do what this program calls itself for."""
    internal, given = sys.argv[1:2], sys.argv[2:]
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # both tools on the CPU
    if internal == ["--job"]:
        perform(*given)
    elif internal == ["--ceiling"]:
        print(speed_flops.ceiling())
    elif internal == ["--check-flops"]:
        speed_flops.check_formula()
    elif internal == ["--prepare"]:
        prepare(parse(given[1:]), Path(given[0]))
    else:
        options = parse(sys.argv[1:])
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="tunekit-speed-") as folder:
            bench = Bench(options, Path(folder))
            bench.run()
        print(f"\n{speed_report.tables(bench.results)}\n\n{(time.monotonic() - began) / 60:.1f} minutes")
        if options.quick:
            print(
                "This was a trial: one round of a few seconds shows that all works, and not how fast it is."
            )
        if bench.failed:
            raise SystemExit(f"{bench.failed} measurements failed")


if __name__ == "__main__":
    main()
