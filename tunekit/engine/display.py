"""The live line: how far a run is, how fast, and how good."""

from dataclasses import dataclass, field

from tunekit.console import Live, Silent, duration
from tunekit.engine.steps import Progress
from tunekit.run import now


@dataclass
class Display:
    """What the live line shows."""

    line: Live | Silent = field(default_factory=Silent)
    began: float = 0.0  # of training, in seconds; moved on by what else takes time
    score: str = ""  # of the last evaluation
    rows_done: int = 0

    def show(self, progress: Progress, total: int, batch_size: int) -> None:
        """Update the line; only where somebody watches is the loss fetched from the device at every step."""
        self.rows_done += progress.rows
        rate = self.rows_done / max(now() - self.began, 1e-9)
        left = (total - progress.step) * batch_size / max(rate, 1e-9)
        text = f"step {progress.step}/{total}  lr {progress.learning_rate:.2e}  {rate:.0f} examples/s"
        if isinstance(self.line, Live):
            text += f"  loss {float(progress.loss):.4f}"
        self.line.update(f"{text}  {duration(left)} left  {self.score}", progress.step / total)
