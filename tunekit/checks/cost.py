"""What a run will cost: disk, memory and time, the last two measured in a real step."""

import math
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from tunekit.checks.finding import Finding, counted, of_problem
from tunekit.checks.subject import Subject
from tunekit.console import duration
from tunekit.data.batches import Steps
from tunekit.engine import Fitting
from tunekit.engine.steps import make
from tunekit.errors import EnvironmentFailure, InputError
from tunekit.evaluation import predict
from tunekit.tasks.base import Task

BUSY = "other programs are busy on this machine: measure again when they are done"
COPIES = 3  # of the weights in a checkpoint: themselves and two moments
FLOAT = 4  # bytes
ANSWERED = 32  # validation rows that are answered, to tell how long all take
WRITTEN = 4  # the same where answers are written token by token
TRIES = 3  # times that a usual step is made; the fastest is the least disturbed
PLANNED = 10_000  # steps among which the longest is looked for


def find_disk_need(subject: Subject) -> Iterator[Finding]:
    """The disk space of checkpoints and model."""
    size = FLOAT * sum(parameter.numel() for parameter in subject.skeleton.parameters())
    keep = subject.recipe.train.keep
    need, free = size * (COPIES * (keep + 2) + 1), shutil.disk_usage(Path()).free
    text = f"checkpoints and model take up to {need / 1e9:,.1f} GB of disk (train.keep={keep})"
    text += f"; {free / 1e9:,.1f} GB are free"
    if need > free:
        yield Finding("error", "disk", text, advice="make room, lower train.keep, or choose another --output")
    else:
        yield Finding("note", "disk", text)


class Measured(NamedTuple):
    """What steps took."""

    number: int  # of the longest step
    longest: float  # seconds
    usual: float  # seconds
    memory: int  # bytes, in the longest step
    answering: float  # seconds, about, for all validation rows


def find_cost(subject: Subject) -> Iterator[Finding]:
    """The memory of the longest batch, and the time of a step and of the run."""
    if subject.put_together is None:
        return
    try:
        fitting = subject.put_together()
        yield told(fitting, measure(fitting))
    except InputError as error:
        yield from (of_problem("step", problem) for problem in error.problems)
    except EnvironmentFailure as error:
        yield of_problem("environment", str(error))


def measure(fitting: Fitting) -> Measured:
    """Make a usual step, the longest one, and the usual one again, for the first of a process is slow."""
    number, longest = chosen_steps(fitting.steps, fitting.total)
    timed(fitting, number)
    most, memory = timed(fitting, longest), peak_memory(fitting)
    usual = min(timed(fitting, number) for _ in range(TRIES))
    return Measured(longest, most, usual, memory, time_of_answers(fitting))


def told(fitting: Fitting, measured: Measured) -> Finding:
    """What was measured, in a sentence."""
    if math.isnan(measured.longest + measured.usual):
        text = "the loss or the gradient of the first steps is not finite"
        return Finding("error", "step", text, advice="lower train.learning_rate, or set train.precision=fp32")
    rows, tokens = len(fitting.steps.rows_of(measured.number)), tokens_of(fitting.steps, measured.number)
    text = (
        f"the longest batch ({counted(rows, 'row')}, {tokens:,} tokens) takes {measured.longest:.2f} s, and "
        f"{measured.memory / 1e9:.1f} GB of memory at most; a usual one takes {measured.usual:.2f} s, and "
        f"{counted(fitting.total, 'step')} about {duration(fitting.total * measured.usual)}"
    )
    if fitting.validation:
        answered = counted(len(fitting.validation), "row")
        text += f", and each evaluation of {answered} about {duration(measured.answering)}"
    return Finding("note", "step", text, advice=BUSY if busy() else "")


def busy() -> bool:
    """Whether other programs want the processors too."""
    return os.getloadavg()[0] > (os.cpu_count() or 1) + 0.5


def chosen_steps(steps: Steps, total: int) -> tuple[int, int]:
    """A step of usual length of the first epoch, and the longest."""
    tokens = np.array([tokens_of(steps, number) for number in range(min(steps.per_epoch, total, PLANNED))])
    order = np.argsort(tokens, kind="stable")
    return int(order[len(order) // 2]), int(order[-1])


def tokens_of(steps: Steps, number: int) -> int:
    """The tokens of a step."""
    return int(steps.encoded.lengths[steps.windows_of(number)].sum())


def timed(fitting: Fitting, number: int) -> float:
    """The seconds of a whole step; not a number where its loss or gradient is none."""
    import torch

    optimization, step = fitting.optimization, fitting.steps[number]
    device = optimization.accelerator.device.type
    optimization.model.train()
    optimization.forget()
    forget_peak(device)
    start = perf_counter()
    loss, norm = make(optimization, fitting.steps, step)
    if device == "cuda":
        torch.cuda.synchronize()
    finite = math.isfinite(float(loss)) and (math.isfinite(float(norm)) or optimization.precision.scales)
    return perf_counter() - start if finite else math.nan


def forget_peak(device: str) -> None:
    """Count the most memory from here on, where the system allows it."""
    import torch

    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory(fitting: Fitting) -> int:
    """The most memory in bytes: of the GPU, else of this process."""
    import resource

    import torch

    if fitting.optimization.accelerator.device.type == "cuda":
        return int(torch.cuda.max_memory_allocated())
    with suppress(OSError, StopIteration, IndexError):
        status = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def time_of_answers(fitting: Fitting) -> float:
    """About how many seconds it takes to answer all validation rows."""
    rows: list[dict[str, Any]] = list(fitting.validation)
    if not rows:
        return 0.0
    task, model = fitting.optimization.task, fitting.optimization.model
    judged = time_of(task.judge, model, rows) if task.judge else 0.0
    return judged + time_of(task, model, task.asked(rows))


def time_of(task: Task, model: Any, rows: list[dict[str, Any]]) -> float:
    """The same for a task, by the time that some rows take."""
    some = rows[:: -(-len(rows) // (WRITTEN if task.writes else ANSWERED)) or 1]
    start = perf_counter()
    predict(task, model, some)
    return (perf_counter() - start) * len(rows) / max(1, len(some))
