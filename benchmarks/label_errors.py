"""Planted wrong labels: how many of the 50 likeliest label errors of a report are those that were planted.

    python benchmarks/label_errors.py --model FOLDER_OR_ID --data REVIEWS                 # labels of texts
    python benchmarks/label_errors.py --recipe ner --model FOLDER_OR_ID --data SENTENCES  # tags of words

A model is fine-tuned on the training rows as they are. Then a share of the labels of the validation rows is
replaced by another one, ten times with another seed, and the report's finder is asked. `--run` takes a
finished run instead. What counts as a false alarm here may be a label that was wrong before.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tunekit import recipe as recipes
from tunekit import tasks, workflow
from tunekit.console import out
from tunekit.data.load import load
from tunekit.models.finetuned import load_task
from tunekit.report.subject import Line, Scored, Subject
from tunekit.report.suspects import suspects
from tunekit.run import Run

TOP = 50
SPLIT = "validation"

Place = tuple[int, int | None]  # row, and word where words have labels


def main() -> None:
    """Train or take a run, plant, look, and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--recipe", default="sentiment")
    parser.add_argument("--model", default=None)
    parser.add_argument("--data", default=None)
    parser.add_argument("--run", type=Path, default=None, help="a finished run, or where to make one")
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("overrides", nargs="*")
    given = parser.parse_args()
    scored = answers(finished(given))
    found = [measure(scored, given.share, seed) for seed in range(given.repeats)]
    print(json.dumps(summary(scored, given.share, found)))


def finished(given: argparse.Namespace) -> Run:
    """The run that was named, or a new one."""
    if given.run and (given.run / "metrics.json").is_file():
        return Run(given.run)
    named = [f"model={given.model}", f"data={given.data}", *given.overrides]
    return workflow.finetune(given.recipe, *named, output=given.run)


def answers(run: Run) -> Scored:
    """The validation rows of a run with what its best model answered."""
    recipe = recipes.load(run.path / "recipe.yaml", (), out.say)
    kind = tasks.find(recipe.task.name)
    processor = load_task(run.model)[1].processor if run.model.is_dir() else None
    data = load(recipe.data, kind, recipe.task.options, recipe.train.seed, processor)
    task = kind(recipe.task.options, processor, data.labels)
    return Subject(run, recipe, task, data.splits).scored[SPLIT]


def measure(scored: Scored, share: float, seed: int) -> tuple[float, int]:
    """The share of the first suspects that are planted, and how many are suspected in all."""
    changed, planted = plant(scored, share, np.random.default_rng(seed))
    found = suspects(changed)
    first = [(each.number, each.word) for each in found[:TOP]]
    return sum(place in planted for place in first) / TOP, len(found)


def plant(scored: Scored, share: float, random: np.random.Generator) -> tuple[Scored, set[Place]]:
    """The split with a share of its labels replaced by another one, and where."""
    places = [place for n, line in enumerate(scored.lines) for place in places_of(n, line)]
    chosen = {places[i] for i in random.choice(len(places), round(share * len(places)), replace=False)}
    lines = list(scored.lines)
    for row, word in sorted(chosen, key=str):
        before = lines[row].reference if word is None else lines[row].reference[word]
        other = str(random.choice([label for label in scored.task.labels if label != before]))
        lines[row] = replace(lines[row], reference=changed(lines[row].reference, word, other))
    return replace(scored, lines=lines), chosen


def places_of(number: int, line: Line) -> Sequence[Place]:
    """Where a row has labels."""
    if isinstance(line.reference, list):
        return [(number, word) for word in range(len(line.reference))]
    return [(number, None)]


def changed(reference: Any, word: int | None, label: str) -> Any:
    """A reference with another label."""
    return label if word is None else [*reference[:word], label, *reference[word + 1 :]]


def summary(scored: Scored, share: float, found: Sequence[tuple[float, int]]) -> dict[str, Any]:
    """What was found, as JSON."""
    labels = sum(len(places_of(n, line)) for n, line in enumerate(scored.lines))
    precisions = [precision for precision, _ in found]
    return {
        "labels": labels,
        "planted": round(share * labels),
        "answered right": round(float((scored.mistakes == 0).mean()), 4),
        f"precision at {TOP}": round(float(np.mean(precisions)), 3),
        "lowest": round(min(precisions), 3),
        "highest": round(max(precisions), 3),
        "by chance": share,
        "suspected": round(float(np.mean([count for _, count in found]))),
        "repeats": len(found),
    }


if __name__ == "__main__":
    sys.exit(main())
