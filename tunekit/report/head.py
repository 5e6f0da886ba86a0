"""The top of a report: what was made of what, how good it is in one sentence, and all scores."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tunekit.evaluation import BEFORE, baseline_names
from tunekit.report.subject import Subject

Score = Mapping[str, Any]  # value, low, high, n


def title(subject: Subject) -> dict[str, str]:
    """The names of task, model and data."""
    recorded = subject.run.facts.get("checkpoint", {})
    model = recorded.get("name") or subject.recipe.model.name
    data = subject.recipe.data.path
    on_hub = subject.run.facts.get("data", {}).get("from_hub")
    return {
        "task": subject.recipe.task.name,
        "model": model if recorded.get("commit") else Path(model).name or model,
        "data": data if on_hub else Path(data).name or data,
    }


def verdict(table: Sequence[dict[str, Any]]) -> str:
    """The score of the metric that matters most, with its interval, against the trivial baselines."""
    if not table:
        return "Nothing was scored: the recipe has neither validation nor test rows."
    group = next((each for each in table if each["split"] == "test"), table[-1])
    row = group["rows"][0]
    where = f"on {row['n']:,} {group['split']} {'row' if row['n'] == 1 else 'rows'}"
    if row["value"] is None:
        return f"{row['metric']} {where} is no finite number."
    low, high = row["low"], row["high"]
    interval = "" if None in (low, high) else f" (95 % interval {low:.4f} to {high:.4f})"
    return f"{row['metric']} {row['value']:.4f}{interval} {where}{against(row)}."


def against(row: Mapping[str, Any]) -> str:
    """How a score compares with the best of its baselines."""
    known = [each for each in row["baselines"] if each["value"] is not None]
    if not known:
        return ""
    sign = -1 if row["lower_is_better"] else 1
    best = max(known, key=lambda each: sign * each["value"])
    kind = "checkpoint before training" if best["name"] == BEFORE else f"{best['name']} baseline"
    named = f"the {kind} ({best['value']:.4f})"
    if sign * row["value"] <= sign * best["value"]:
        return f", which is not better than {named}"
    if None in (row["low"], row["high"], best["low"], best["high"]):
        return f", better than {named}"
    apart = row["low"] > best["high"] if sign > 0 else row["high"] < best["low"]
    return f", {'clearly' if apart else 'though not clearly'} better than {named}"


def scores(subject: Subject) -> list[dict[str, Any]]:
    """Every split's metrics, each with its baselines and the scale on which they are drawn."""
    found = []
    for split, known in subject.run.metrics().items():
        rows = list(rows_of(subject, known))
        if rows:
            found.append({"split": split, "rows": rows})
    return found


def rows_of(subject: Subject, known: Mapping[str, Score]) -> Iterator[dict[str, Any]]:
    """The metrics of a split that are those of the model."""
    measure = subject.task.measure
    names = baseline_names(subject.task)
    of_baselines = {f"{name}_{metric}" for name in names for metric in measure.reported}
    for metric, score in known.items():
        if metric in of_baselines:
            continue
        others = [
            {"name": name, **known[f"{name}_{metric}"]} for name in names if f"{name}_{metric}" in known
        ]
        row = {"metric": metric, **score, "baselines": others}
        yield row | {"lower_is_better": metric in measure.lower_is_better, "scale": scale([score, *others])}


def scale(scores: list[Any]) -> tuple[float, float]:
    """The range on which scores are drawn: 0 to 1 where all are inside, else as much as there is."""
    keys = ("value", "low", "high")
    values = [score[key] for score in scores for key in keys if score.get(key) is not None]
    low, high = min([0.0, *values]), max([0.0, *values])
    return (low if low >= -1 else low * 1.1, 1.0 if high <= 1 else high * 1.1)
