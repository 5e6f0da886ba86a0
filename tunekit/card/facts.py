"""What a card tells, as plain data: from the run's record, its recipe, its model and its predictions."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tunekit import tasks
from tunekit.card.limits import limits
from tunekit.console import redact
from tunekit.evaluation import baseline_names
from tunekit.metrics import by_label
from tunekit.models.base_card import CARRIED
from tunekit.models.finetuned import load_task
from tunekit.recipe import Recipe
from tunekit.run import Run
from tunekit.tasks._plain import adapter_code
from tunekit.tasks.base import Task

DIGITS = 12  # of a hash or commit that are shown
MOST_LABELS = 100  # that are listed
HUB = "https://huggingface.co"
LOCAL = re.compile(r"[/~\\].|[A-Za-z]:[/\\]|\.\.?[/\\]")  # how a path of this machine begins


def facts_of(run: Run, recipe: Recipe, repo: str, *, alone: bool = False) -> dict[str, Any]:
    """The variables of a template: texts, numbers, lists and mappings; what is not known is None.

    The card is of the adapter where that is `alone`, else of the whole model.
    """
    kind, (_, task) = tasks.find(recipe.task.name), load_task(run.finished_folder)
    base, data = base_of(run), data_of(run, recipe)
    labels = list(task.labels)
    known = {
        "title": f"{base['name']}, fine-tuned for {recipe.task.name}",
        "about": (kind.__doc__ or "").strip().split("\n")[0] or None,
        "task": recipe.task.name,
        "pipeline_tag": kind.pipeline_tag,
        "repo": repo,
        "labels": labels[:MOST_LABELS],
        "more_labels": max(0, len(labels) - MOST_LABELS),
        "keys": [kind.inputs[role].column for role in task.given],
        "code": adapter_code(task, repo, base["name"], base["commit"]) if alone else task.plain_code(repo),
        "base": base,
        "adapter": alone,
        "data": data,
        "scores": scores_of(run, task),
        "label_scores": label_scores_of(run, task),
        "training": training_of(run),
        "limits": list(limits(run, task, base["language"])),
        "recipe": public_recipe(run, recipe),
    }
    return dict(cleaned(known))


def base_of(run: Run) -> dict[str, Any]:
    """The checkpoint that the model was made from, and what its card said."""
    recorded = run.facts["checkpoint"]
    name, commit = recorded["name"], recorded["commit"]
    carried = {key: recorded.get(key) for key in CARRIED}
    sums = sorted(recorded["sha256"].values())
    return {
        "name": name if commit else last_part(name),
        "url": f"{HUB}/{name}" if commit else None,
        "commit": commit,
        "sha256": sums[0][:DIGITS] if sums else None,
        **carried,
        "license_link": whole_link(carried["license_link"], name, commit),
    }


def whole_link(link: str | None, name: str, commit: str | None) -> str | None:
    """The web address of a license, which may be a file beside the base model; None where it is nowhere."""
    if link is None or link.startswith(("http://", "https://")):
        return link
    return f"{HUB}/{name}/blob/{commit}/{link}" if commit and re.fullmatch(r"[\w.-]+", link) else None


def data_of(run: Run, recipe: Recipe) -> dict[str, Any]:
    """Where the rows are from, how many each split has, and their fingerprints."""
    section, recorded = recipe.data, run.facts["data"]
    from_hub = bool(recorded.get("from_hub"))
    splits = [
        {
            "name": name,
            "source": source_of(recipe, name, each["rows"], from_hub=from_hub),
            "rows": each["rows"],
            "sha256": each["sha256"][:DIGITS],
        }
        for name, each in recorded["splits"].items()
    ]
    return {
        "name": section.path if from_hub else last_part(section.path),
        "from_hub": from_hub,
        "url": f"{HUB}/datasets/{section.path}" if from_hub else None,
        "config": section.config,
        "revision": recorded.get("commit") or section.revision,
        "columns": recorded["columns"],
        "skipped": len(recorded["skipped"]),
        "splits": splits,
    }


def source_of(recipe: Recipe, split: str, rows: int, *, from_hub: bool) -> str:
    """What a split is in its data set: the split of that name, or a part that was cut off or drawn."""
    section, name = recipe.data, split
    if from_hub and section.splits:
        train = section.splits.get("train") or "train"
        name = section.splits.get(split) or f"{train} (held out)"  # type: ignore[call-overload]
    drawn = (section.limit or {}).get(split) == rows  # type: ignore[call-overload]
    return f"{name} ({rows} rows drawn)" if drawn else name


def scores_of(run: Run, task: Task) -> list[dict[str, Any]]:
    """Every metric of every split; `baseline` says that it is of no model."""
    named = {f"{name}_{metric}" for name in baseline_names(task) for metric in task.measure.reported}
    return [
        {"split": split, "metric": metric, **score, "baseline": metric in named}
        for split, scores in run.metrics().items()
        for metric, score in scores.items()
    ]


def label_scores_of(run: Run, task: Task) -> dict[str, Any] | None:
    """How well each label is found in the last split that was scored; None where the task counts none."""
    split = next((name for name in ("test", "validation") if name in run.metrics()), None)
    file = run.path / "predictions" / f"{split}.jsonl"
    if not file.is_file():
        return None
    with file.open(encoding="utf-8") as lines:
        found = by_label(json.loads(line)["scores"] for line in lines)
    known = [label for label in task.labels if label in found]
    names = [*known, *(name for name in found if name not in task.index)]
    rows = [{"label": name, **found[name]._asdict()} for name in names[:MOST_LABELS]]
    return {"split": split, "rows": rows, "more": len(names) - len(rows)} if rows else None


def training_of(run: Run) -> dict[str, Any]:
    """How the model was trained: on what, for how long, with what."""
    facts, hardware = run.facts, run.facts["hardware"]
    best = facts.get("best")
    finished = run.status == "finished"  # and then no time is added
    return {
        "steps": facts["steps"],
        "seconds": facts["timings"]["total"] if finished else run.seconds,
        "hardware": hardware.get("gpu") or hardware["cpu"],
        "device": hardware["device"],
        "processes": hardware["processes"],
        "precision": hardware["precision"],
        "seed": facts["seed"],
        "versions": facts["versions"],
        "best": {key: best[key] for key in ("metric", "value", "step")} if best else None,
    }


def public_recipe(run: Run, recipe: Recipe) -> str:
    """The resolved recipe with local paths shortened to their last part, without where it is pushed to."""
    plain = {section: value for section, value in recipe.resolved().items() if section != "hub"}
    shown = {section: value if section == "task" else shortened(value) for section, value in plain.items()}
    model, data = run.facts["checkpoint"], run.facts["data"]
    if not model["commit"]:
        shown["model"]["name"] = last_part(plain["model"]["name"])
    if not data.get("from_hub"):
        shown["data"]["path"] = last_part(plain["data"]["path"])
        splits = (plain["data"]["splits"] or {}).items()
        shown["data"]["splits"] = {split: name and last_part(name) for split, name in splits} or None
    shown["metrics"] = [last_part(name) for name in plain["metrics"]]
    return yaml.safe_dump(cleaned(shown), sort_keys=False, allow_unicode=True)


def shortened(value: Any) -> Any:
    """Plain data with the last part of everything that is a path of this machine."""
    if isinstance(value, dict):
        return {key: shortened(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shortened(each) for each in value]
    return last_part(value) if isinstance(value, str) and LOCAL.match(value) else value


def last_part(path: str) -> str:
    """The name of a file or folder, without where it is, and without that of the user whose home it is."""
    parts = [part for part in re.split(r"[/\\]", path) if part.strip(".") and not part.startswith("~")]
    return parts[-1] if parts and parts[-1] != Path.home().name else "a folder"


def cleaned(value: Any) -> Any:
    """Plain data without anything that is, or looks like, a token or password."""
    if isinstance(value, Mapping):
        return {cleaned(key): cleaned(each) for key, each in value.items()}
    if isinstance(value, list):
        return [cleaned(each) for each in value]
    return redact(value) if isinstance(value, str) else value
