"""Whether a step is the same however it is divided: `tunekit doctor --invariance`.

One step of a recipe's own model and rows is made whole and in pieces, here and by transformers' Trainer with
gradient accumulation, and the gradients are held against each other. Nothing is random: dropout is off.
"""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tunekit.console import out
from tunekit.doctor.trainer import Trainer
from tunekit.engine import Fitting
from tunekit.engine.signals import StopSignals
from tunekit.engine.steps import gradients_or_less
from tunekit.prepare import assemble, check
from tunekit.recipe import Recipe, TrainSection
from tunekit.run import Run

ROWS = 8  # of the step
PARTS = (1, 2, 4, 8)  # into which it is divided
CLOSE = {"double": 1e-6, "fp32": 1e-3}  # relative difference that is rounding

Gradients = Mapping[str, Any]  # tensors by parameter


@dataclass(frozen=True)
class Cut:
    """The gradient of a divided step beside that of the whole."""

    parts: int
    norm: float  # relative to the whole one's
    difference: float  # its norm, relative to the whole one's


@dataclass(frozen=True)
class Cuts:
    """What became of one step in several ways to divide it."""

    windows: int
    arithmetic: str  # double or fp32
    ours: list[Cut]
    trainer: list[Cut]  # of transformers; empty where it cannot train this
    obstacle: str  # why it cannot

    @property
    def invariant(self) -> bool:
        """Whether the step is the same here however it is divided."""
        return all(cut.difference < CLOSE[self.arithmetic] for cut in self.ours)

    @property
    def verdict(self) -> str:
        """What was found, in words."""
        most = max(cut.difference for cut in self.ours)
        here = f"tunekit's step differs by {most:.1e} at most, which is rounding"
        if not self.invariant:
            here = f"tunekit's step differs by {most:.1e}, which is wrong: please report it with the recipe"
        if not self.trainer:
            return f"{here}. The Trainer does not train this task: {self.obstacle}"
        worst = max(self.trainer, key=lambda cut: cut.difference)
        there = "so does the Trainer's, for this model"
        if worst.difference >= CLOSE[self.arithmetic]:
            there = (
                f"the Trainer's gradient is {worst.norm:.2f} times as long in {worst.parts} pieces, and "
                f"differs from the whole one by {worst.difference:.2f} times its length"
            )
        return f"{here}; {there}"

    def facts(self) -> dict[str, Any]:
        """What was found, as plain data."""
        return {
            "windows": self.windows,
            "arithmetic": self.arithmetic,
            "tunekit": [asdict(cut) for cut in self.ours],
            "trainer": [asdict(cut) for cut in self.trainer] or None,
            "invariant": self.invariant,
            "verdict": self.verdict,
        }

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Head and rows of a table."""
        there: dict[int, Cut] = {cut.parts: cut for cut in self.trainer}
        head = ["pieces", "tunekit: norm", "difference", "Trainer: norm", "difference"]
        return head, [[str(cut.parts), *cells(cut), *cells(there.get(cut.parts))] for cut in self.ours]


def cells(cut: Cut | None) -> list[str]:
    """The figures of a cut, as text."""
    return ["", ""] if cut is None else [f"{cut.norm:.4f}", f"{cut.difference:.1e}"]


def compare_cuts(recipe: Recipe) -> Cuts:
    """Make one step of a recipe whole and in pieces, here and by transformers' Trainer.

    Raises:
        InputError: the recipe cannot be run.
    """
    small = one_step(recipe)
    run = Run(Path("none"), writes=False)
    prepared = check(small, run, overwrite=False)
    fitting = assemble(prepared, run, StopSignals(), None)
    arithmetic = "fp32" if fitting.optimization.accelerator.device.type == "mps" else "double"
    model = fitting.optimization.model.eval()  # without dropout or anything else that is random
    model = model.double() if arithmetic == "double" else model
    out.say(f"one step of {small.train.batch_size} rows, whole and in pieces, in {arithmetic}, here")
    ours = list(relative(own_gradients(fitting)))
    out.say("and by transformers' Trainer with gradient accumulation")
    with tempfile.TemporaryDirectory(prefix="tunekit-doctor-") as folder:
        trainer = Trainer(prepared, fitting, Path(folder))
        theirs = list(relative(trainer.gradients(PARTS)))
    return Cuts(len(trainer.windows), arithmetic, ours, theirs, trainer.obstacle)


def one_step(recipe: Recipe) -> Recipe:
    """The recipe with a few rows that make one step, in full precision."""
    given = recipe.train.model_dump() | {"epochs": None, "steps": 1, "batch_size": ROWS}
    train = TrainSection(**given | {"precision": "fp32", "compile": False, "micro_batch": "auto"})
    most = recipe.data.limit or {}
    limit = {**most, "train": min(ROWS, most.get("train", ROWS))}
    data = recipe.data.model_copy(update={"limit": limit})
    return recipe.model_copy(update={"train": train, "data": data})


def own_gradients(fitting: Fitting) -> Iterator[tuple[int, Gradients]]:
    """The gradients of the first step in each number of pieces."""
    optimization, steps = fitting.optimization, fitting.steps
    windows = len(steps.encoded.windows)
    for parts in PARTS:
        steps.most = -(-windows // parts)
        optimization.forget()
        gradients_or_less(optimization, steps, steps[0])
        named = optimization.model.named_parameters()
        yield parts, {name: p.grad for name, p in named if p.grad is not None}
    optimization.forget()


def relative(found: Iterator[tuple[int, Gradients]]) -> Iterator[Cut]:
    """Each gradient beside the first one, the whole."""
    whole: dict[str, Any] = {}
    length = 0.0
    for parts, gradients in found:
        if not whole:
            whole = {name: each.clone() for name, each in gradients.items()}
            length = norm(whole)
        apart = norm({name: each - whole[name] for name, each in gradients.items()})
        yield Cut(parts, norm(gradients) / length, apart / length)


def norm(gradients: Gradients) -> float:
    """The length of a gradient, over all parameters."""
    return float(sum(float(each.double().square().sum()) for each in gradients.values()) ** 0.5)
