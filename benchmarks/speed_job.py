"""One measurement of benchmarks/speed.py: a tool at one piece of work, in a process of its own."""

import json
import random
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import speed_work

Measured = dict[str, Any]
STATUS = Path("/proc/self/status")  # Linux; its high water is that of this program alone
KILO, GIGA = 1024, 1024**3
RATE_OF_NOTHING = 1e-12  # of the step before an evaluation: both tools then answer with the same weights
WARM_ROWS, WARM_ROWS_WRITTEN = 128, 2  # that are answered before an evaluation is timed


@dataclass(frozen=True)
class Job:
    """What is measured, and with what."""

    part: str
    name: str  # of the workload
    variant: str
    seed: int
    model: str
    data: str
    output: str
    result: str  # the file to write
    warm: int = 0  # steps that are not timed
    steps: int = 0

    @property
    def workload(self) -> speed_work.Workload:
        """The workload."""
        return speed_work.WORKLOADS[self.name]

    @property
    def learning_rate(self) -> float:
        """The highest rate of the training."""
        return RATE_OF_NOTHING if self.part == "eval" else self.workload.task.learning_rate

    @property
    def warm_rows(self) -> int:
        """Rows that are answered before an evaluation is timed."""
        return WARM_ROWS_WRITTEN if "summarization" in self.workload.task.recipe else WARM_ROWS

    def training(self, stamps: list[float], windows: list[tuple[int, int]]) -> Measured:
        """What the times at which steps ended and the timed windows' lengths say."""
        import speed_flops

        seconds = stamps[-1] - stamps[self.warm - 1]
        config = speed_flops.read_config(Path(self.model))
        return {
            "seconds": seconds,
            "examples": len(windows),
            "tokens": sum(read + learned * self.apart for read, learned in windows),
            "flops": speed_flops.useful_flops(config, windows),
            "first_step": stamps[0],
            "steps": [after - before for before, after in zip(stamps[:-1], stamps[1:], strict=True)],
        }

    @property
    def apart(self) -> bool:
        """Whether what is learned is no part of what is read."""
        return self.name == "t5"

    def arguments(self) -> str:
        """The job as one argument of a command."""
        return json.dumps(asdict(self))


def perform(text: str) -> None:
    """Measure, and write what was found; the peak of memory is this process's own."""
    import speed_ours
    import speed_peer

    job = Job(**json.loads(text))
    random.seed(job.seed)
    tool = speed_ours if job.variant == "tunekit" else speed_peer
    found: Measured = {"train": tool.train, "eval": tool.evaluate}.get(job.part, tool.whole)(job)
    Path(job.result).write_text(json.dumps({**found, "peak_memory": peak_memory()}))


def peak_memory() -> float:
    """The most memory that this process has held, in GiB."""
    lines = STATUS.read_text().splitlines()
    high = next(line.split()[1] for line in lines if line.startswith("VmHWM"))
    return int(high) * KILO / GIGA
