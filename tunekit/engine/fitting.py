"""Around the steps: log, evaluate, keep the best, save, stop early, stop on signals, and continue."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tunekit import checkpoint
from tunekit.console import out, same_command, score
from tunekit.data.batches import Steps
from tunekit.data.load import Rows
from tunekit.data.windows import Reading
from tunekit.engine.display import Display
from tunekit.engine.optimization import Optimization
from tunekit.engine.saving import Saver, best_saved, choose_step
from tunekit.engine.shards import Writers
from tunekit.engine.signals import StopSignals
from tunekit.engine.state import Best, State, give_weights, restore, snapshot
from tunekit.engine.steps import Progress, Watch, any_process, run_steps
from tunekit.environment import launch_names
from tunekit.errors import InputError, Interrupted, listing
from tunekit.evaluation import Scores, baselines, evaluate
from tunekit.identity import origin
from tunekit.models.together import first_alone, from_first
from tunekit.recipe import TrainSection
from tunekit.run import Run, now
from tunekit.stats import Estimate


@dataclass
class Fitting:
    """Training in the middle: what is fixed, and how far it is."""

    optimization: Optimization
    steps: Steps
    validation: Rows
    section: TrainSection
    metric: str  # picks the best
    further: list[str]  # metrics to report beside the task's own
    run: Run
    total: int  # steps
    workers: int = 0
    begin_from: checkpoint.Saved | None = None  # asked for by the user
    state: State = field(default_factory=State)
    signals: StopSignals = field(default_factory=StopSignals)
    display: Display = field(default_factory=Display)
    readings: dict[str, Reading] = field(
        default_factory=dict
    )  # by split that is scored, once they are needed
    pending: list[Any] = field(default_factory=list)  # losses on the device, not yet in the state
    adapter: Any = None  # peft's view of the model, where only an adapter and the head are trained
    baselines: dict[str, Estimate] = field(default_factory=dict)  # of the validation rows

    def __post_init__(self) -> None:
        self.saver = Saver(self.run, self.section.keep, Writers() if self.optimization.sharded else None)
        self.watch = Watch(self.optimization, self.steps)

    @property
    def origin(self) -> dict[str, Any]:
        """What the checkpoints of this run were made from."""
        return origin(self.run.facts["identity"])

    @property
    def epoch(self) -> float:
        """Passes over the training rows so far."""
        return round(self.state.step / self.steps.per_epoch, 4)

    def resume(self) -> None:
        """Continue from the checkpoint asked for, or from the newest good one, if there is one.

        The first process chooses; what comes after is dropped when all have read theirs.
        """
        accelerator = self.optimization.accelerator
        if self.saver.writers:
            self.saver.writers.meet_in(self.run.checkpoints)
        run = self.run
        with first_alone():
            chosen = choose_step(run.checkpoints, self.begin_from, self.origin) if run.writes else None
        if accelerator.num_processes > 1:
            chosen = from_first(chosen)
        if chosen is not None:
            self.state = restore(checkpoint.at_step(run.checkpoints, chosen), self.optimization)
            steps, pieces = self.steps, self.state.pieces
            steps.most, steps.budget, steps.shrunk = pieces or (steps.most, steps.budget, False)
            out.say(f"continuing after step {self.state.step} of {self.total}")
        accelerator.wait_for_everyone()
        if run.writes:
            checkpoint.drop_after(run.checkpoints, self.state.step)
        run.record(launch=launch_names())  # which begins from here when it is started again
        run.cut_log(self.state.log_rows)

    def catch_up(self) -> None:
        """Make the evaluation that the step a run continues from was stopped before or in."""
        if self.state.step and self.evaluate_if_due():
            self.save()
            self.settle()

    def remaining_steps(self) -> Iterator[Progress]:
        """Make the steps that are left."""
        stop = self.state.step if self.state.over else self.total
        return run_steps(self.optimization, self.steps, self.state.step, stop, self.workers, self.watch)

    def finish_step(self) -> None:
        """Do what is due after a step: evaluate and save; then stop if asked to.

        Raises:
            Interrupted: a signal came; everything is saved.
        """
        self.saver.check()
        improved = self.evaluate_if_due()
        stop = self.asked_to_stop() and not self.finished
        if improved or stop or self.finished or self.due(self.section.save_every):
            self.save()
        if stop:
            self.settle()
            raise Interrupted(self.farewell())

    def evaluate_if_due(self) -> bool:
        """Evaluate where that is due and not done yet; tell whether the model is the best so far.

        Raises:
            Interrupted: a signal came meanwhile; everything is saved, and the evaluation will be made again.
        """
        if not self.due(self.section.evaluate_every) or self.state.evaluated == self.state.step:
            return False
        try:
            return self.evaluate()
        except Interrupted:
            self.save()
            self.settle()
            raise

    @property
    def finished(self) -> bool:
        """Whether no step is left."""
        return self.state.over or self.state.step >= self.total

    def due(self, every: int | str) -> bool:
        """Whether something that happens every so many steps, or every epoch, and at the end, is due."""
        interval = self.steps.per_epoch if every == "epoch" else int(every)
        return self.state.step > 0 and (self.state.step % interval == 0 or self.state.step >= self.total)

    def note(self, progress: Progress) -> None:
        """Take a step into the state, write a log row when one is due, and show it."""
        self.state.step = progress.step
        self.pending.append(progress.loss)
        if progress.step % self.section.log_every == 0 or progress.step == self.total:
            self.log_losses(progress)
        self.display.show(progress, self.total, self.section.batch_size)

    def log_losses(self, progress: Progress) -> None:
        """Write the mean loss since the last row."""
        self.collect_losses()
        losses, self.state.losses = self.state.losses, []
        row = {"step": progress.step, "epoch": self.epoch, "loss": round(math.fsum(losses) / len(losses), 6)}
        found = float(progress.grad_norm)
        norm = round(found, 6) if math.isfinite(found) else None
        self.log({**row, "learning_rate": progress.learning_rate, "grad_norm": norm})

    def collect_losses(self) -> None:
        """Move losses from the device to the state, as sums over processes."""
        import torch

        self.watch.check()
        if self.pending:
            losses = self.optimization.accelerator.reduce(torch.stack(self.pending), "sum")
            self.state.losses += losses.tolist()
            self.pending = []

    def log(self, row: dict[str, Any]) -> None:
        """Append to the run's log."""
        self.run.log(row)
        self.state.log_rows += 1

    def evaluate(self) -> bool:
        """Score the validation split; keep the scores when they are the best so far, and tell whether."""
        if not self.validation:
            self.state.evaluated = self.state.step
            return False
        self.watch.check()
        start = now()
        scores = self.score("validation", self.validation, tune=True)
        self.run.add_seconds(evaluation=now() - start)
        self.display.began += now() - start  # the rate shown is that of training
        values = {name: round(estimate.value, 6) for name, estimate in scores.metrics.items()}
        self.log({"step": self.state.step, "epoch": self.epoch, "validation": values})
        return self.judge(scores)

    def score(self, split: str, rows: Rows, *, tune: bool = False) -> Scores:
        """Answer and judge the rows of a split with the model as it is."""
        if split not in self.readings:
            self.readings[split] = Reading.of(self.optimization.task, rows)
        return evaluate(
            self.optimization.task,
            self.optimization.model,
            rows,
            further=self.further,
            reading=self.readings[split],
            tune=tune,
            accelerator=self.optimization.accelerator,
            tick=self.tick,
        )

    def judge(self, scores: Scores) -> bool:
        """Compare an evaluation with the best; a tie keeps the earlier, and NaN is never best."""
        if self.metric not in scores.metrics:
            known = listing(scores.metrics)
            raise InputError(
                f"train.best {self.metric!r} is no metric of this run; there are {known}; name one"
            )
        estimate, best, task = scores.metrics[self.metric], self.state.best, self.optimization.task
        better = best is None or task.measure.better(self.metric, estimate.value, best.value)
        improved = math.isfinite(estimate.value) and better
        self.state.evaluated = self.state.step
        self.state.stale = 0 if improved else self.state.stale + 1
        if improved:
            self.state.best = Best(self.metric, estimate.value, self.state.step, task.decision)
            with first_alone():
                if self.run.writes:
                    self.baselines = self.baselines or baselines(task, self.validation)
                    self.run.write_scores("validation", scores, self.baselines)
        patience = self.section.early_stopping
        patient = patience is None or self.state.stale < patience
        self.state.over = not patient and self.state.step < self.total
        self.display.score = f"{self.metric} {score(estimate.value)}"
        mark = " (best so far)" if improved else " (stopping early)" if self.state.over else ""
        out.say(f"step {self.state.step}/{self.total}  epoch {self.epoch:g}  {self.display.score}{mark}")
        return improved

    def tick(self) -> None:
        """Called between evaluation batches: stop there if asked to, and evaluate again when continued."""
        alone = self.optimization.accelerator.num_processes == 1
        if alone and self.signals.received:
            raise Interrupted(self.farewell())

    def asked_to_stop(self) -> bool:
        """Whether a signal came to this process or another."""
        return any_process(self.optimization, self.signals.received is not None)

    def farewell(self) -> str:
        """What an interrupted run says."""
        return (
            f"{self.signals.received or 'a signal'} received: "
            f"saved after step {self.state.step} of {self.total} in {self.run.path}; "
            f"{same_command()} continues"
        )

    def save(self) -> None:
        """Begin to write a checkpoint; `settle` waits until it is on the disk."""
        self.collect_losses()
        if self.steps.shrunk:
            self.state.pieces = (self.steps.most, self.steps.budget, True)
        tensors, document = snapshot(self.state, self.optimization)
        document |= {"plan": self.steps.position(self.state.step), "origin": self.origin}
        if self.run.writes or self.optimization.sharded:
            start = now()
            best = self.state.best.step if self.state.best else None
            self.saver.save(self.state.step, tensors, document, best)
            self.run.add_seconds(saving=now() - start)

    def settle(self) -> None:
        """Wait until the last checkpoint is on the disk, on every process."""
        start = now()
        self.saver.wait()
        self.run.add_seconds(saving=now() - start)
        self.optimization.accelerator.wait_for_everyone()

    def load_best(self) -> None:
        """Put the best checkpoint's weights into the model; without evaluations the last ones stay."""
        best = self.state.best
        if best is not None:
            self.optimization.task.decision = best.decision
        if best is not None and best.step != self.state.step:
            give_weights(self.optimization, lambda: best_saved(self.run.checkpoints, best.step))


def fit(fitting: Fitting) -> None:
    """Train to the end, or until a signal; the model then has the best weights.

    Raises:
        Interrupted: a signal came; the same call continues.
        Diverged: a loss or a gradient is not finite.
    """
    fitting.resume()
    start = now()
    try:
        with out.live() as line:
            fitting.display = Display(line, now())
            fitting.catch_up()
            for progress in fitting.remaining_steps():
                fitting.note(progress)
                fitting.finish_step()
                if fitting.finished:
                    break
        fitting.settle()
    finally:
        fitting.saver.close()
        fitting.run.add_seconds(training=now() - start)
    fitting.load_best()
