"""Whether a run can be made again: what it began from, and whether its scores come out as recorded."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunekit import recipe as recipes
from tunekit.console import out
from tunekit.errors import InputError
from tunekit.hub.lock import Lock, Score, drift, lock_of, other_rows, scores_of
from tunekit.identity import versions
from tunekit.models.finetuned import find_folder
from tunekit.network import at_revision
from tunekit.recipe import HubSection, Recipe

NAMING = ("model", "model.name", "model.revision", "data", "data.path", "data.revision")
TOLERANCE = 1e-6  # by which a value may lie outside an interval: of rounding


@dataclass(frozen=True)
class Original:
    """A finished run, here or pushed, that is to be made again."""

    path: Path
    folder: Path  # of its model
    lock: Lock
    scores: Mapping[str, Mapping[str, Score]]

    @property
    def name(self) -> str:
        """What its reproductions are called after."""
        return f"reproduce-{Path(at_revision(str(self.path))[0]).name}"

    def recipe(self, overrides: Sequence[str], *, trains: bool) -> Recipe:
        """Its recipe with overrides, at the commits that it was run with; it is pushed nowhere."""
        own = self.path / "recipe.yaml"
        if own.is_file() and self.folder in (self.path / "model", self.path / "adapter"):
            found = recipes.load(own, overrides, out.say)
        else:
            pushed, model = self.folder / "recipe.yaml", None if trains else self.folder
            found = recipes.load_foreign(pushed, overrides, out.say, model=model, source=str(own))
        return self.pinned(found, overrides).model_copy(update={"hub": HubSection()})

    def pinned(self, recipe: Recipe, overrides: Sequence[str]) -> Recipe:
        """A recipe with the recorded commits of its checkpoint and data set, unless overrides name others."""
        keys = {argument.split("=", 1)[0] for argument in overrides}
        given = {key.split(".")[0] for key in keys if key in NAMING}
        commits = {"model": self.lock.checkpoint.commit, "data": self.lock.data.commit}
        sections = {"model": recipe.model, "data": recipe.data}
        update = {
            key: sections[key].model_copy(update={"revision": commit})
            for key, commit in commits.items()
            if commit and key not in given
        }
        return recipe.model_copy(update=update)

    def refuse_place(self, path: Path) -> None:
        """Refuse to make a run again in its own folder.

        Raises:
            InputError: it would be.
        """
        if path.resolve() == self.path.resolve():
            raise InputError(f"--output {path} is the run that is made again; give another folder")

    def check_rows(
        self, now: Mapping[str, Mapping[str, Any]], splits: Sequence[str], *, others: bool
    ) -> None:
        """Hold the rows of some splits against the recorded fingerprints; with `others` only warn.

        Raises:
            InputError: they are not the same.
        """
        found = list(other_rows(self.lock, now, splits))
        if found and not others:
            advice = "give data=PATH to use others all the same"
            raise InputError([f"the rows are not those of {self.path}; {advice}", *found])
        for line in found:
            out.warn(f"other rows than the run's: {line}")

    def check_weights(self, now: Mapping[str, str]) -> None:
        """Warn of a checkpoint whose weights are not those that the run began from."""
        if sorted(now.values()) != sorted(self.lock.checkpoint.sha256.values()):
            out.warn(f"the weights of the checkpoint are not those that {self.path} began from")


def original(run_or_model: str | Path, *, weights: bool) -> Original:
    """The run to make again; one on the Hub is fetched, with its weights where these are needed.

    Versions that differ are told.

    Raises:
        InputError: it is no finished run, or lacks what is needed.
    """
    path = Path(run_or_model)
    folder = find_folder(path, weights=weights)
    lock = lock_of(path, folder)
    if lock is None or not any((p / "recipe.yaml").is_file() for p in (path, folder)):
        raise InputError(
            f"{path} has no recipe.yaml and reproduce.json, which a model needs to be made again; give a "
            "run, or a model that tunekit push made"
        )
    changed = list(drift(lock, versions()))
    if changed:
        out.warn(f"versions differ from those of the run: {', '.join(changed)}")
    return Original(path, folder, lock, scores_of(path, folder))


@dataclass(frozen=True)
class Verdict:
    """A recorded metric, its new value, and whether that is inside the recorded interval."""

    split: str
    metric: str
    recorded: Score
    value: float | None
    inside: bool


def judge(
    recorded: Mapping[str, Mapping[str, Score]], now: Mapping[str, Mapping[str, Mapping[str, Any]]]
) -> Iterator[Verdict]:
    """A verdict for every recorded metric; one that is no longer there is outside."""
    for split, scores in recorded.items():
        for metric, score in scores.items():
            found = now.get(split, {}).get(metric)
            value = None if found is None else found["value"]
            yield Verdict(split, metric, score, value, found is not None and inside(score, value))


def inside(score: Score, value: float | None) -> bool:
    """Whether a value is in the interval of a score; one without an interval must come out equal."""
    if value is None or score.value is None:
        return value is score.value
    low = score.value if score.low is None else score.low
    high = score.value if score.high is None else score.high
    return low - TOLERANCE <= value <= high + TOLERANCE
