"""Tell whether a recipe's run survives kills: `tunekit doctor --resume`.

A few steps are made whole, and again with the process killed by SIGKILL twice; what both leave is compared
byte by byte. Run as a program, the package is `tunekit WORDS...` that kills itself when it writes the next
row of the log after a checkpoint of its own has appeared.
"""

import json
import os
import re
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
from tunekit.errors import InputError, TunekitError
from tunekit.recipe import SPLITS, Recipe

STEPS, SAVED, EVALUATED = 12, 2, 6  # of the trial, between checkpoints, between evaluations
BATCHES, ROWS = 4, 32  # batches of training rows, rows of the other splits
KILLS = 2
RESUMED = re.compile(r"^continuing after step (\d+)", re.MULTILINE)  # as a continued run says
APART = ("run.json", "README.md", "report.html", ".lock")  # hold times, ids of processes and paths


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
        call(file, place / "whole")
        said = ""
        for number in range(1, KILLS + 1):
            out.say(f"the same run, to be killed: {number} of {KILLS}")
            said += call(file, place / "parts", killed=True)
        out.say("and continued to its end")
        said += call(file, place / "parts")
        resumed_at = [int(step) for step in RESUMED.findall(said)]
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
    data = recipe.data.model_copy(update={"limit": limit})
    return recipe.model_copy(update={"train": type(recipe.train)(**train), "data": data})


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


def call(file: Path, output: Path, *, killed: bool = False) -> str:
    """Run `finetune` in a process of its own, which may kill itself with `killed`; return what it said.

    Raises:
        TunekitError: it failed; of the kind that its exit code tells, with its message.
    """
    program = "tunekit.doctor" if killed else "tunekit"
    words = ["finetune", str(file), "--output", str(output), "--processes", "1"]
    done = subprocess.run(
        [sys.executable, "-m", program, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    if done.returncode == 0 or (killed and done.returncode == -signal.SIGKILL):
        return done.stderr
    kinds = {kind.exit_code: kind for kind in TunekitError.__subclasses__()}
    message = done.stderr.rpartition("error: ")[2].strip() or f"it ended with {done.returncode}"
    problems = [line.removeprefix("  - ") for line in message.splitlines() if line.startswith("  - ")]
    raise kinds.get(done.returncode, TunekitError)("\n".join(problems) or message)


def compare(whole: Path, parts: Path) -> dict[str, bool]:
    """Whether each file that two runs leave is equal in both."""
    prints = [
        {str(path.relative_to(run)): sha256(path) for path in sorted(run.rglob("*")) if path.is_file()}
        for run in (whole, parts)
    ]
    names = [name for name in {**prints[0], **prints[1]} if name not in APART]
    kept = [name for name in names if not name.startswith("checkpoints/") or name.endswith(".safetensors")]
    return {name: prints[0].get(name) == prints[1].get(name) for name in sorted(kept)}


def device_of(run: Path) -> str:
    """What a run computed on."""
    facts: dict[str, Any] = json.loads((run / "run.json").read_text())
    return str(facts["hardware"]["device"])


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
    begun_from = newest_step(run)

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        logs = event == "open" and arguments[1] == "a" and str(arguments[0]) == str(run / "log.jsonl")
        if logs and newest_step(run) > begun_from:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


def newest_step(run: Path) -> int:
    """The step of a run's newest checkpoint; 0 without one."""
    return max((saved.step for saved in all_saved(run / "checkpoints")), default=0)
