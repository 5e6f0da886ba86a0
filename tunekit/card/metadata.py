"""What machines read of a card: its metadata, and results for the leaderboard of a benchmark."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import yaml

from tunekit.errors import InputError, listing, nearest
from tunekit.run import Run

LOCAL_DATA = "local"  # stands for the id of data that is not on the Hub
SCORED = ("test", "validation")  # splits whose scores say something of other rows


class Benchmark(Protocol):
    """A benchmark of the Hub: its data set, which of its tasks, and the metric that it lists."""

    @property
    def dataset(self) -> str: ...  # noqa: D102

    @property
    def task_id(self) -> str: ...  # noqa: D102

    @property
    def metric(self) -> str: ...  # noqa: D102


def metadata(facts: Mapping[str, Any]) -> str:
    """The metadata as YAML; what is not known is absent."""
    from huggingface_hub import ModelCardData

    base, data = facts["base"], facts["data"]
    results = list(results_of(facts))
    relation = "adapter" if facts["adapter"] else "finetune"
    return ModelCardData(
        base_model=base["name"] if base["commit"] else None,
        base_model_relation=relation if base["commit"] else None,
        library_name="peft" if facts["adapter"] else "transformers",
        pipeline_tag=facts["pipeline_tag"],
        license=base["license"],
        license_name=base["license_name"],
        license_link=base["license_link"],
        language=base["language"],
        datasets=[data["name"]] if data["from_hub"] else None,
        metrics=list(dict.fromkeys(result.metric_type for result in results)) or None,
        tags=["tunekit"],
        model_name=facts["title"] if results else None,
        eval_results=results or None,
    ).to_yaml(line_break="\n")


def results_of(facts: Mapping[str, Any]) -> Iterator[Any]:
    """The scores of the model as the Hub's `EvalResult`; a value that is no finite number is left out."""
    from huggingface_hub import EvalResult

    data, sources = facts["data"], {split["name"]: split["source"] for split in facts["data"]["splits"]}
    seen: set[tuple[str, str]] = set()
    for score in sorted(facts["scores"], key=lambda score: score["split"] != "test"):
        split, metric = score["split"], score["metric"]
        place = sources.get(split, split), metric  # two splits may be the same part of the data
        if score["baseline"] or split not in SCORED or not is_finite(score["value"]) or place in seen:
            continue
        seen.add(place)
        yield EvalResult(
            task_type=facts["pipeline_tag"] or facts["task"],
            dataset_type=data["name"] if data["from_hub"] else LOCAL_DATA,
            dataset_name=data["name"],
            dataset_config=data["config"],
            dataset_revision=data["revision"],
            dataset_split=place[0],
            metric_type=metric,
            metric_value=score["value"],
        )


def is_finite(value: float | None) -> bool:
    """Whether a metric has a value that means something."""
    return value is not None and math.isfinite(value)


def benchmark_results(run: Run, benchmark: Benchmark) -> str:
    """The content of `.eval_results/NAME.yaml`: the run's test score for a benchmark's leaderboard.

    Raises:
        InputError: the run has no such score, or it is no finite number.
    """
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    scores = run.metrics().get("test", {})
    name, known = benchmark.metric, [metric for metric in scores if is_finite(scores[metric]["value"])]
    if name not in known:
        raise InputError(
            f"hub.benchmark.metric is {name!r}, but the test split has no such score"
            f"{nearest(name, known)}; it has {listing(known)}: name one of them"
        )
    found = scores[name]
    low, high = found["low"], found["high"]
    interval = "" if None in (low, high) else f", 95 % interval {low:.4f} to {high:.4f}"
    entry = EvalResultEntry(
        dataset_id=benchmark.dataset,
        task_id=benchmark.task_id,
        value=found["value"],
        notes=f"{name} on {found['n']:,} rows of the test split{interval}",
    )
    return yaml.safe_dump(eval_result_entries_to_yaml([entry]), sort_keys=False, allow_unicode=True)
