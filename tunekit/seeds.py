"""One recipe with several seeds: how much of a score is luck."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tunekit import recipe as recipes
from tunekit.card import check_card
from tunekit.console import as_json, out
from tunekit.environment import process_count
from tunekit.errors import InputError
from tunekit.hub import check_rights, push_if_named
from tunekit.launch import together
from tunekit.models.together import from_first
from tunekit.prepare import check_pushable
from tunekit.recipe import HubSection, Recipe
from tunekit.run import Run, check_links, choose, write
from tunekit.workflow import finetune

CONFIDENCE = 0.95
FILE = "seeds.json"


@dataclass(frozen=True)
class Spread:
    """A metric over the seeds."""

    mean: float
    spread: float  # standard deviation of a single run, with n - 1
    low: float  # interval of the mean, by Student's t
    high: float
    values: list[float]  # in the order of the seeds


@dataclass(frozen=True)
class Seeds:
    """Finished runs of one recipe that differ in their seed alone."""

    path: Path
    seeds: list[int]
    metrics: dict[str, dict[str, Spread]]  # by split and name
    best: int  # the seed whose run is best on validation
    metric: str  # by which it is

    @property
    def best_run(self) -> Path:
        """The run that is best on validation."""
        return place(self.path, self.best)

    def facts(self) -> dict[str, Any]:
        """The same as plain data, as `seeds.json` has it."""
        return asdict(self) | {"path": str(self.path), "best_run": str(self.best_run)}


def finetune_seeds(
    recipe: str | Path | Recipe,
    *overrides: str,
    name: str | None = None,
    output: str | Path | None = None,
    resume: str = "auto",
    overwrite: bool = False,
) -> Seeds:
    """Fine-tune once for each of the recipe's `train.seeds`, in `seed-0`, `seed-1` ... of one folder.

    The rows are the same in all, drawn by the first seed; what differs is a new head, the order of the rows
    and dropout. What was finished before is not made again. The best on validation is pushed, where the
    recipe names a repository.

    Raises:
        InputError: something given is wrong; nothing was written.
        Interrupted: a signal came; the same call continues.
        Diverged: the loss or a gradient is not finite.
    """
    settings = recipe if isinstance(recipe, Recipe) else recipes.load(recipe, overrides, out.say)
    refuse_one(settings)
    stem = name or (settings.task.name if isinstance(recipe, Recipe) else Path(recipe).stem)
    whole = choose(f"{stem}-{settings.fingerprint[:8]}", output, refuse_path(resume), overwrite=overwrite)
    folder = check_folder(whole)
    check_card(settings.hub)
    check_pushable(settings)
    check_rights(settings.hub)
    runs = [
        finetune(each, output=place(folder, each.train.seed), resume=resume, overwrite=overwrite)
        for each in apart(settings)
    ]
    found = told(summarize(folder, settings, runs) if whole.writes else None)
    if whole.writes:
        write(folder / FILE, as_json(found.facts(), indent=2) + "\n")
    if settings.hub.repo and whole.writes:
        own = recipes.load(found.best_run / "recipe.yaml").model_copy(update={"hub": settings.hub})
        push_if_named(Run(found.best_run), own)
    return found


def refuse_one(settings: Recipe) -> None:
    """Refuse a recipe for one run where several are made.

    Raises:
        InputError: it is one.
    """
    if settings.train.seeds == 1:
        raise InputError(
            "train.seeds is 1, and this makes several runs; give train.seeds=5, or call tunekit.finetune"
        )


def told(found: Seeds | None) -> Seeds:
    """What the first process found, on all of them: other machines do not see the runs."""
    if process_count() > 1:
        import torch
        from accelerate import PartialState

        with together():
            PartialState(cpu=not torch.accelerator.is_available())
            found = from_first(found)
    assert found is not None
    return found


def refuse_path(resume: str) -> str:
    """Refuse to continue a single run as if it were several.

    Raises:
        InputError: a path is given.
    """
    if resume not in ("auto", "never"):
        raise InputError(f"--resume {resume} names one run, and --seeds makes several; give auto or never")
    return resume


def check_folder(whole: Run) -> Path:
    """The folder for the runs.

    Raises:
        InputError: it holds a run, or something else.
    """
    path = whole.path
    check_links(path)
    others = (
        [p.name for p in path.iterdir() if not p.name.startswith(("seed-", FILE, "."))]
        if path.is_dir()
        else []
    )
    if whole.facts or others or path.is_file():
        raise InputError(f"output {path} is no folder of several seeds' runs; choose another with --output")
    return path


def place(folder: Path, seed: int) -> Path:
    """Where the run of a seed is."""
    return folder / f"seed-{seed}"


def apart(settings: Recipe) -> list[Recipe]:
    """A recipe for each seed, with the same rows, which pushes nothing by itself."""
    first, data = settings.train.seed, settings.data.model_copy(update={"seed": settings.data_seed})
    return [
        settings.model_copy(
            update={
                "train": settings.train.model_copy(update={"seed": seed, "seeds": 1}),
                "data": data,
                "hub": HubSection(),
            }
        )
        for seed in range(first, first + settings.train.seeds)
    ]


def summarize(folder: Path, settings: Recipe, runs: Sequence[Run]) -> Seeds:
    """Mean, spread and best of finished runs."""
    seeds = [run.facts["seed"] for run in runs]
    scores = [run.metrics() for run in runs]
    metrics = {
        split: {
            name: spread([each[split][name]["value"] for each in scores])
            for name in scores[0][split]
            if all(each[split][name]["value"] is not None for each in scores)
        }
        for split in scores[0]
    }
    metric, best = choose_best(runs)
    return Seeds(folder, seeds, metrics, seeds[best], metric)


def spread(values: list[float]) -> Spread:
    """Mean and spread of a metric, with the mean's interval: Student's t, n - 1 degrees of freedom."""
    from scipy import stats

    count, mean = len(values), math.fsum(values) / len(values)
    deviation = math.hypot(*(value - mean for value in values)) / math.sqrt(count - 1)
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1)) * deviation / math.sqrt(count)
    return Spread(mean, deviation, mean - half, mean + half, values)


def choose_best(runs: Sequence[Run]) -> tuple[str, int]:
    """The metric that picked each run's best model, and which run it was best in; the first of equals."""
    from tunekit.models.finetuned import load_task

    bests = [run.facts["best"] for run in runs]
    if None in bests:  # no validation split: there is nothing to choose by
        return "", 0
    metric = bests[0]["metric"]
    measure = load_task(runs[0].finished_folder)[1].measure
    best = 0
    for number, each in enumerate(bests):
        if measure.better(metric, each["value"], bests[best]["value"]):
            best = number
    return metric, best
