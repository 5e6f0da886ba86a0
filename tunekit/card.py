"""The model card: what the model is, how to use it, and what its numbers rest on."""

import re
from pathlib import Path
from typing import Any

import yaml

from tunekit import tasks
from tunekit.console import duration, score
from tunekit.recipe import Recipe
from tunekit.run import Run


def card(run: Run, recipe: Recipe) -> str:
    """The card as Markdown with its metadata; every string of the user is escaped."""
    kind = tasks.find(recipe.task.name)
    metadata = {"library_name": "transformers", "pipeline_tag": recipe.task.name, "tags": ["tunekit"]}
    facts = run.facts
    lines = [
        f"---\n{yaml.safe_dump(metadata, sort_keys=False)}---",
        f"# {escape(base_name(recipe.model.name))}, fine-tuned for {recipe.task.name}",
        *([f"Labels: {', '.join(map(escape, facts['labels']))}."] if facts["labels"] else []),
        "## Use",
        "```\ntunekit predict RUN --input rows.jsonl\n```\n"
        f"With plain transformers: `{facts['head']}.from_pretrained` and "
        f"`{kind.auto_processor}.from_pretrained` on the model folder.",
        "## Scores",
        score_table(run.metrics()),
        "Intervals are 95 % bootstrap intervals over examples.",
        "## Training",
        f"{facts['steps']} steps in {duration(run.seconds)} on {escape(facts['hardware']['cpu'])} "
        f"({facts['hardware']['device']}, {facts['hardware']['precision']}), seed {facts['seed']}.",
        f"```yaml\n{public_recipe(recipe)}```",
    ]
    return "\n\n".join(lines) + "\n"


def score_table(metrics: dict[str, Any]) -> str:
    """All metrics of all splits as a Markdown table."""
    rows = ["| split | metric | value | 95 % interval | n |", "|---|---|---|---|---|"]
    for split, scores in metrics.items():
        for name, each in scores.items():
            low, high = each["low"], each["high"]
            interval = "" if low is None else f"{low:.4f} to {high:.4f}"
            rows.append(f"| {split} | {escape(name)} | {score(each['value'])} | {interval} | {each['n']} |")
    return "\n".join(rows)


def public_recipe(recipe: Recipe) -> str:
    """The resolved recipe with local paths shortened to their last part."""
    plain = recipe.resolved()
    for section, key in (("model", "name"), ("data", "path")):
        plain[section][key] = base_name(plain[section][key])
    splits = plain["data"]["splits"] or {}
    plain["data"]["splits"] = {split: name and Path(name).name for split, name in splits.items()} or None
    plain["metrics"] = [Path(name).name for name in plain["metrics"]]
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True).replace("```", "'''")


def base_name(name: str) -> str:
    """A Hub id as it is; of a path only the last part."""
    is_id = re.fullmatch(r"[\w.-]+/[\w.-]+", name) and not Path(name).exists()
    return name if is_id else Path(name).name


def escape(text: str) -> str:
    """Text that Markdown and HTML show as it is."""
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", " ".join(str(text).split()))
