"""What fine-tuning on pairs does for search: recall among all texts of a split, before and after.

    python benchmarks/retrieval.py MODEL DATA [KEY=VALUE ...] --seeds 3 --json FILE

DATA is a folder with train, validation and test rows of two texts that belong together, such as questions and
the paragraphs that answer them. The checkpoint is scored as it is, and after each of several runs that differ
in nothing but their seed. One process at a time; a run that is there already is not made again.
"""

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from tunekit import evaluation, finetune, prepare
from tunekit.models.load import load_model
from tunekit.recipe import load
from tunekit.run import Run

SHOWN = ("recall_at_1", "recall_at_5", "recall_at_10", "mrr_at_10")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("data", type=Path)
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--recipe", default="embeddings")
    parser.add_argument("--split", default="test")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--runs", type=Path, default=Path("runs/retrieval"))
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    settings = [f"model={given.model}", f"data={given.data}", *given.overrides]
    found = {"before": before(given.recipe, settings, given.split)}
    for seed in range(given.seeds):
        run = finetune(given.recipe, *settings, f"train.seed={seed}", output=given.runs / str(seed))
        found[f"seed {seed}"] = run.metrics()[given.split]
    show(found)
    if given.json:
        given.json.write_text(json.dumps(found, indent=2) + "\n")


def before(recipe: str, settings: list[str], split: str) -> dict[str, Any]:
    """The scores of the checkpoint as it is."""
    prepared = prepare.check(load(recipe, settings), Run(Path("never"), writes=False), overwrite=True)
    model = load_model(prepared.checkpoint, prepared.task, print, attention=None, dropout=None).eval()
    scores = evaluation.evaluate(prepared.task, model, prepared.data.splits[split]).metrics
    return {name: vars(estimate) for name, estimate in scores.items()}


def show(found: dict[str, Any]) -> None:
    """Print each metric of each run with its interval, and the mean and spread over seeds."""
    for metric in SHOWN:
        for name, scores in found.items():
            each = scores[metric]
            print(f"{metric:14} {name:8} {each['value']:.4f} [{each['low']:.4f}, {each['high']:.4f}]")
        values = [scores[metric]["value"] for name, scores in found.items() if name != "before"]
        spread = statistics.stdev(values) if len(values) > 1 else float("nan")
        print(f"{metric:14} mean     {statistics.fmean(values):.4f}, std {spread:.4f}, {len(values)} seeds")


if __name__ == "__main__":
    main()
