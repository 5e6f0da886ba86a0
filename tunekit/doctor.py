"""Tell whether a recipe's run survives kills: `tunekit doctor --resume`.

A few steps are made whole, and again with the process killed by SIGKILL twice; what both leave is compared
byte by byte. Run as a program, `python -m tunekit.doctor WORDS...` is `tunekit WORDS...` that kills itself
when it writes the next row of the log after a checkpoint of its own has appeared.
"""

import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tunekit.checkpoint import all_saved, sha256
from tunekit.console import out
from tunekit.errors import EnvironmentFailure, InputError, TunekitError
from tunekit.recipe import SPLITS, Recipe

STEPS, SAVED, EVALUATED = 12, 2, 6  # of the trial, between checkpoints, between evaluations
BATCHES, ROWS = 4, 32  # batches of training rows, rows of the other splits
KILLS = 2
APART = ("run.json", "README.md", ".lock")  # hold times, ids of processes and paths


@dataclass(frozen=True)
class Proof:
    """What a whole and a killed run have in common."""

    files: dict[str, bool]  # whether a file of both is equal, byte for byte
    resumed_at: list[int]  # steps from which the killed run was continued
    device: str

    @property
    def exact(self) -> bool:
        """Whether everything is equal, after kills that really came."""
        return all(self.files.values()) and len(self.resumed_at) == KILLS


def prove_resume(recipe: Recipe, folder: Path | None = None) -> Proof:
    """Run a few steps of a recipe whole, and killed twice and continued, and compare what they leave.

    The runs are kept in `folder` when it is given, else they are deleted.

    Raises:
        InputError: the folder is not empty, or the recipe cannot be run.
        TunekitError: the run does not get through.
    """
    with place_for(folder) as place:
        file = place / "trial.yaml"
        file.write_text(as_given(shortened(recipe)), encoding="utf-8")
        out.say(f"whole run: {STEPS} steps")
        call("tunekit", file, place / "whole")
        resumed_at = []
        for number in range(1, KILLS + 1):
            killed = call("tunekit.doctor", file, place / "parts", killed=True)
            if killed:
                resumed_at.append(all_saved(place / "parts" / "checkpoints")[0].step)
                out.say(f"kill {number}: the newest checkpoint is of step {resumed_at[-1]}")
        call("tunekit", file, place / "parts")
        return Proof(compare(place / "whole", place / "parts"), resumed_at, device_of(place / "whole"))


def shortened(recipe: Recipe) -> Recipe:
    """The recipe with few steps and rows, and with checkpoints between them."""
    train = recipe.train.model_dump() | {
        "epochs": None,
        "steps": STEPS,
        "log_every": 1,
        "save_every": SAVED,
        "evaluate_every": EVALUATED,
        "early_stopping": None,
    }
    most = dict.fromkeys(SPLITS, ROWS) | {"train": max(BATCHES * recipe.train.batch_size, ROWS)}
    given: dict[Any, int] = dict(recipe.data.limit or {})
    limit = {split: min(count, given.get(split, count)) for split, count in most.items()}
    paths = [str(Path(name).absolute()) if name.endswith(".py") else name for name in recipe.metrics]
    return recipe.model_copy(
        update={
            "train": type(recipe.train)(**train),
            "data": recipe.data.model_copy(update={"limit": limit}),
            "metrics": paths,
        }
    )


def as_given(recipe: Recipe) -> str:
    """A recipe as a file that leaves to the model which task options it fits to its own limits."""
    options = recipe.task.options.model_dump(mode="json", exclude_unset=True)
    plain = recipe.resolved() | {"task": {"name": recipe.task.name, **options}}
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)


@contextmanager
def place_for(folder: Path | None) -> Iterator[Path]:
    """An empty folder for the trial's runs; one of our own, which only its owner can read, is deleted."""
    if folder is None:
        made = Path(tempfile.mkdtemp(prefix="tunekit-doctor-"))
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"--output {folder} is not an empty folder; name one that is, or leave it out")
    folder.mkdir(parents=True, exist_ok=True)
    yield folder


def call(program: str, file: Path, output: Path, *, killed: bool = False) -> bool:
    """Run `finetune` in a process of its own; tell whether it was killed.

    Raises:
        TunekitError: it failed, with what it said and its exit code's kind.
    """
    words = ["finetune", str(file), "--output", str(output), "--processes", "1", "--quiet"]
    done = subprocess.run(
        [sys.executable, "-m", program, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    if killed and done.returncode == -signal.SIGKILL:
        return True
    if done.returncode:
        kinds = {each.exit_code: each for each in (InputError, EnvironmentFailure)}
        said = done.stderr.strip().removeprefix("error: ") or f"exit code {done.returncode}"
        raise kinds.get(done.returncode, TunekitError)(f"the trial's run failed: {said}")
    return False


def compare(whole: Path, parts: Path) -> dict[str, bool]:
    """Whether each file that two runs leave is equal in both."""
    prints = [
        {str(path.relative_to(run)): sha256(path) for path in sorted(run.rglob("*")) if path.is_file()}
        for run in (whole, parts)
    ]
    names = [name for name in {**prints[0], **prints[1]} if name not in APART]
    tensors = [name for name in names if not name.startswith("checkpoints/") or name.endswith(".safetensors")]
    return {name: prints[0].get(name) == prints[1].get(name) for name in sorted(tensors)}


def device_of(run: Path) -> str:
    """What a run computed on."""

    facts: dict[str, Any] = json.loads((run / "run.json").read_text())
    return str(facts.get("hardware", {}).get("device", "cpu"))


def verdict(proof: Proof) -> str:
    """The proof in a sentence."""
    if proof.exact:
        steps = " and ".join(map(str, proof.resumed_at))
        return f"exact: killed twice, continued after steps {steps}, and every byte is that of the whole run"
    if len(proof.resumed_at) < KILLS:
        return "nothing is proven: a run ended before it could be killed; give the recipe more rows or steps"
    if proof.device != "cpu":
        return f"not equal byte for byte, which is promised on CPUs only (this is {proof.device})"
    return "not exact: please report it with the recipe and the files that differ (--output keeps both runs)"


def die_after_a_checkpoint() -> None:
    """Let this process kill itself at the first log row after a new checkpoint is complete."""
    run = Path(sys.argv[sys.argv.index("--output") + 1])
    before = {saved.step for saved in all_saved(run / "checkpoints")}

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and str(arguments[0]) == str(run / "log.jsonl") and arguments[1] == "a":
            newest = next(iter(all_saved(run / "checkpoints")), None)
            if newest and newest.step > max(before, default=0):
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


if __name__ == "__main__":
    die_after_a_checkpoint()
    runpy.run_module("tunekit", run_name="__main__", alter_sys=True)
