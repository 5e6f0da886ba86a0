"""The results of benchmarks/speed.py as a line each, and as tables in Markdown."""

import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

import speed_work

PACKAGES = ("torch", "transformers", "tokenizers", "accelerate", "datasets")
TERA = 1e12

Results = Mapping[str, Any]
Rounds = dict[int, dict[str, Any]]  # what was found in each round


def machine() -> dict[str, Any]:
    """What the results hold for."""
    names = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.split(":")[1].strip() for line in names if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "versions": {package: metadata.version(package) for package in PACKAGES},
        "date": date.today().isoformat(),
    }


def line(part: str, found: Mapping[str, Any]) -> str:
    """What a measurement found, in a few words."""
    if part == "ceiling":
        return f"{found['flops_per_second'] / TERA:.2f} TFLOP/s"
    if part == "train":
        return f"{rate(found):.1f} examples/s, first step after {found['first_step']:.1f} s"
    if part == "eval":
        return f"{found['rows'] / found['seconds']:.1f} rows/s, {found['metric']:.3f}"
    if part == "start":
        return f"{found['seconds']:.2f} s"
    return f"{found['finished']:.1f} s, accuracy {found['metric']:.4f}"


def rate(found: Mapping[str, Any]) -> float:
    """Examples a second of training."""
    return float(found["examples"] / found["seconds"])


def pick(results: Results, part: str, name: str, variant: str) -> Rounds:
    """The rounds of a variant, by number."""
    begin = f"{part}/{name}/{variant}/"
    return {int(key[len(begin) :]): found for key, found in results.items() if key.startswith(begin)}


def spread(values: Sequence[float], digits: int = 1) -> str:
    """The median, and the least and the most where there are several."""
    middle = f"{statistics.median(values):,.{digits}f}"
    return f"{middle} ({min(values):,.{digits}f}-{max(values):,.{digits}f})" if len(values) > 1 else middle


def ratio(ours: Rounds, theirs: Rounds, speed: Callable[[Mapping[str, Any]], float]) -> str:
    """How many times as fast tunekit is, round by round."""
    both = [speed(ours[number]) / speed(theirs[number]) for number in sorted(ours.keys() & theirs.keys())]
    return spread(both, 2) if both else ""


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown, or nothing where it has no rows."""
    if not rows:
        return ""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(each)} |" for each in lines)


def variants(results: Results, part: str) -> list[tuple[str, str, Rounds, Rounds]]:
    """The workloads and variants of a part that were measured, each with its rounds and tunekit's."""
    found = []
    for name in speed_work.WORKLOADS:
        ours = pick(results, part, name, "tunekit")
        for variant in speed_work.VARIANTS:
            rounds = pick(results, part, name, variant)
            if rounds:
                found.append((name, variant, rounds, ours))
    return found


def training(results: Results) -> str:
    """Speed of steps."""
    heads = ["training", "variant", "examples/s", "real tokens/s", "tunekit is faster by", "peak GiB"]
    heads += ["to the first step, s"]
    rows = []
    for name, variant, rounds, ours in variants(results, "train"):
        each = list(rounds.values())
        examples = spread([rate(found) for found in each])
        tokens = spread([found["tokens"] / found["seconds"] for found in each], 0)
        memory = spread([found["peak_memory"] for found in each])
        first = spread([found["first_step"] for found in each])
        faster = "" if variant == "tunekit" else ratio(ours, rounds, rate)
        rows.append([name, variant, examples, tokens, faster, memory, first])
    return table(heads, rows)


def shares(results: Results) -> str:
    """Useful operations per second, as a share of the round's ceiling."""
    ceilings = pick(results, "ceiling", "", "")
    heads = ["useful work", "variant", "TFLOP/s", "share of the ceiling, %"]
    rows = []
    for name, variant, rounds, _ in variants(results, "train"):
        speeds = {number: found["flops"] / found["seconds"] for number, found in rounds.items()}
        of_ceiling = [
            100 * speed / ceilings[number]["flops_per_second"]
            for number, speed in speeds.items()
            if number in ceilings
        ]
        if of_ceiling:
            tera = spread([speed / TERA for speed in speeds.values()], 3)
            rows.append([name, variant, tera, spread(of_ceiling, 0)])
    high = [found["flops_per_second"] / TERA for found in ceilings.values()]
    note = f"\n\nCeiling: {spread(high, 2)} TFLOP/s." if high and rows else ""
    return table(heads, rows) + note


def evaluations(results: Results) -> str:
    """Speed of evaluations."""
    heads = [
        "evaluation",
        "variant",
        "rows",
        "rows/s",
        "tunekit is faster by",
        "tokens written a row",
        "metric",
    ]
    rows = []
    for name, variant, rounds, ours in variants(results, "eval"):
        each = list(rounds.values())
        speeds = spread([answered(found) for found in each])
        faster = "" if variant == "tunekit" else ratio(ours, rounds, answered)
        tokens = [found["written"] / found["rows"] for found in each if found.get("written")]
        metric = spread([found["metric"] for found in each], 3)
        count = str(each[0]["rows"])
        rows.append([name, variant, count, speeds, faster, spread(tokens) if tokens else "", metric])
    return table(heads, rows)


def answered(found: Mapping[str, Any]) -> float:
    """Rows a second of an evaluation."""
    return float(found["rows"] / found["seconds"])


def wholes(results: Results) -> str:
    """Runs from the start of the process to the written metrics."""
    heads = [
        "sentiment, 2 epochs",
        "variant",
        "seconds",
        "tunekit is faster by",
        "accuracy of each seed",
        "peak GiB",
    ]
    rows = []
    for part in (speed_work.WHOLE, speed_work.WHOLE_LIMITED):
        for _, variant, rounds, ours in variants(results, part):
            each = [rounds[number] for number in sorted(rounds)]
            seconds = spread([found["finished"] for found in each], 0)
            faster = "" if variant == "tunekit" else ratio(ours, rounds, lambda found: 1 / found["finished"])
            seeds = " ".join(f"{found['metric']:.4f}" for found in each)
            memory = spread([found["peak_memory"] for found in each])
            count = f"{each[0]['rows']:,} rows"
            rows.append([count, variant, seconds, faster, seeds, memory])
    return table(heads, rows)


def commands(results: Results) -> str:
    """Commands that do not train."""
    rows = []
    for command, words in (("--help", "tunekit --help"), ("--dry-run", "tunekit finetune ... --dry-run")):
        each = pick(results, "start", "", command)
        if each:
            rows.append([f"`{words}`", spread([found["seconds"] for found in each.values()], 2)])
    return table(["command", "seconds"], rows)


def tables(results: Results) -> str:
    """All tables that have rows."""
    parts = (training, shares, evaluations, wholes, commands)
    return "\n\n".join(filter(None, (part(results) for part in parts)))
