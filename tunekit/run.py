"""A run directory: everything a run leaves behind, and the lock that keeps a second process out."""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from tunekit.console import as_json, command_line
from tunekit.environment import earlier_starts, launch_names, process_index
from tunekit.errors import EnvironmentFailure, InputError, Interrupted, listing
from tunekit.evaluation import BEFORE, Scores
from tunekit.recipe import Recipe
from tunekit.stats import Estimate

BEGUN = {".lock", ".run.json.tmp"}  # what a run that was killed before it was one leaves


class Run:
    """A run directory. The first process of a run writes it; the others only read."""

    def __init__(self, path: Path, *, writes: bool = True) -> None:
        self.path, self.writes = path, writes
        self.facts = read_facts(path / "run.json")
        self.listeners: list[Callable[[Mapping[str, Any]], None]] = []  # are told of every log row
        self.began = now()

    @property
    def status(self) -> str:
        """new, running, interrupted, failed or finished."""
        return str(self.facts.get("status", "new"))

    @property
    def model(self) -> Path:
        """The best model's folder."""
        return self.path / "model"

    @property
    def adapter(self) -> Path:
        """The folder of the adapter alone, where there is one."""
        return self.path / "adapter"

    @property
    def finished_folder(self) -> Path:
        """The folder that answers for the run: the model's, or the adapter's where it is in no weights."""
        return self.adapter if self.adapter.is_dir() and not self.model.is_dir() else self.model

    @property
    def log_path(self) -> Path:
        """The file of log rows."""
        return self.path / "log.jsonl"

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.path / "checkpoints"

    def check(self, *, overwrite: bool) -> None:
        """Refuse a path that cannot become, or be continued as, a run.

        Raises:
            InputError: there is something else.
        """
        check_links(self.path)
        file = next((p for p in (self.path, *self.path.parents) if p.is_file()), None)
        if file is not None:
            raise InputError(
                f"output {self.path} cannot be a folder: {file} is a file; choose another --output"
            )
        inside = sorted(p.name for p in self.path.iterdir()) if self.path.exists() else []
        if set(inside) - BEGUN and not self.facts:
            advice = "choose another with --output"
            advice += " (--overwrite only deletes runs)" if overwrite else ""
            raise InputError(
                f"output folder {self.path} is not empty and no run (it holds {listing(inside, 5)}); {advice}"
            )
        parent = next(p for p in (self.path, *self.path.absolute().parents) if p.exists())
        if not os.access(parent, os.W_OK):
            raise InputError(
                f"output {self.path} cannot be written (no rights in {parent}); choose another with --output"
            )

    def begin(self, recipe: Recipe, *, overwrite: bool) -> None:
        """Make the directory, or empty it with `overwrite`, and write the resolved recipe."""
        if overwrite:
            self.empty()
        launch = {} if self.facts else {"launch": launch_names()}
        if not self.writes:
            return
        self.path.mkdir(parents=True, exist_ok=True)
        self.record(status="running", command=command_line(), **launch)  # from here on it is known as a run
        self.checkpoints.mkdir(exist_ok=True)
        write(self.path / "recipe.yaml", recipe.to_yaml())

    def empty(self) -> None:
        """Delete what a run has left, so that what is there is always a run that can go on, or none."""
        if self.writes and self.facts:
            self.record(status="interrupted")
            inside = [each for each in self.path.iterdir() if each.name != ".lock"]
            for each in sorted(inside, key=lambda p: (p.name == "run.json", p.name != "checkpoints")):
                shutil.rmtree(each) if each.is_dir() and not each.is_symlink() else each.unlink()
        self.facts = {}

    def record(self, **facts: Any) -> None:
        """Add facts to run.json."""
        self.facts |= facts
        if self.writes:
            write(self.path / "run.json", as_json(self.facts, indent=2) + "\n")

    @property
    def seconds(self) -> float:
        """Wall time of the run so far, over all continuations."""
        return float(self.facts.get("timings", {}).get("total", 0.0)) + now() - self.began

    def add_seconds(self, **seconds: float) -> None:
        """Add to the timings, which count over all continuations; `record` writes them."""
        timings = self.facts.setdefault("timings", {})
        timings |= {name: round(timings.get(name, 0.0) + value, 3) for name, value in seconds.items()}

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Record how the run ends, whatever happens, and its wall time."""
        try:
            yield
        except BaseException as error:
            stopped = isinstance(error, Interrupted | KeyboardInterrupt)
            with suppress(EnvironmentFailure):  # on a full disk the first failure says more
                self.close("interrupted" if stopped else "failed")
            raise
        self.close("finished")

    def close(self, status: str) -> None:
        """Record how the run ended, and its wall time."""
        self.add_seconds(total=now() - self.began)
        self.record(status=status)

    def log(self, row: Mapping[str, Any]) -> None:
        """Append a row to log.jsonl."""
        if not self.writes:
            return
        try:
            with self.log_path.open("a") as file:
                file.write(as_json(row) + "\n")
        except OSError as error:
            raise EnvironmentFailure(
                f"{self.log_path} could not be written ({error}); make room and run the same command again"
            ) from None
        for tell in self.listeners:
            tell(row)

    def cut_log(self, rows: int) -> None:
        """Keep the first rows of log.jsonl: what came after the checkpoint comes again."""
        if self.writes and self.log_path.exists():
            kept = self.log_path.read_text().splitlines(keepends=True)[:rows]
            write(self.log_path, "".join(kept))

    def write_scores(self, split: str, scores: Scores, baselines: Mapping[str, Estimate]) -> None:
        """Write a split's predictions, and its metrics and baselines beside those of other splits."""
        if not self.writes:
            return
        self.path.mkdir(parents=True, exist_ok=True)
        folder = self.path / "predictions"
        folder.mkdir(exist_ok=True)
        rows = (as_json(row) + "\n" for row in scores.predictions)
        write(folder / f"{split}.jsonl", "".join(rows))
        metrics = {name: asdict(e) for name, e in {**scores.metrics, **baselines}.items()}
        document = self.metrics() | {split: metrics | self.facts.get(BEFORE, {}).get(split, {})}
        write(self.path / "metrics.json", as_json(document, indent=2) + "\n")
        if scores.signatures:
            signatures = self.read("signatures.json") | {split: scores.signatures}
            write(self.path / "signatures.json", as_json(signatures, indent=2) + "\n")

    def write_card(self, text: str) -> None:
        """Write the model card."""
        if self.writes:
            write(self.path / "README.md", text)

    def metrics(self) -> dict[str, Any]:
        """The metrics written so far, by split."""
        return self.read("metrics.json")

    def read(self, name: str) -> dict[str, Any]:
        """What one of its JSON files holds; nothing where there is none yet."""
        path = self.path / name
        return dict(json.loads(path.read_text())) if path.exists() else {}

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the directory for this process; the system releases it even when the process is killed.

        Raises:
            InputError: another process holds it.
        """
        if not self.writes:
            yield
            return
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ".lock").open("a+") as file:
            hold(file, self.path)
            try:
                yield
            finally:
                fcntl.lockf(file, fcntl.LOCK_UN)


def read_facts(path: Path) -> dict[str, Any]:
    """What run.json holds; nothing where there is none.

    Raises:
        InputError: it is damaged.
    """
    try:
        facts = json.loads(path.read_text()) if path.is_file() else {}
    except ValueError:
        facts = None
    if not isinstance(facts, dict):
        raise InputError(f"{path} is damaged; choose another --output, or delete the folder of this run")
    return facts


def choose(default: str, output: str | Path | None, resume: str, *, overwrite: bool) -> Run:
    """The run directory that the options ask for.

    Raises:
        InputError: what should be continued does not exist, or the options contradict each other.
    """
    writes = process_index() == 0
    if resume in ("auto", "never"):
        return Run(Path(output or Path("runs") / default), writes=writes)
    path = Path(resume).absolute()
    folder = path if (path / "run.json").is_file() else path.parent.parent
    gone = not path.exists() and not earlier_starts()  # a run that goes on may have deleted its checkpoint
    if gone or not (folder / "run.json").is_file():
        raise InputError(f"--resume {resume} is no run or checkpoint; give auto, never, or the path of one")
    if overwrite or output:
        raise InputError(f"--resume {resume} says where the run is; leave out --output and --overwrite")
    return Run(folder, writes=writes)


def check_links(path: Path) -> None:
    """Refuse a path on which another user decides by a symbolic link where files go.

    Raises:
        InputError: a link on the way is another user's, or the path itself is one to another user's folder.
    """
    whole, us = path.absolute(), os.geteuid()
    foreign = [p for p in (whole, *whole.parents) if p.is_symlink() and p.lstat().st_uid not in (0, us)]
    if whole.is_symlink() and whole.exists() and whole.stat().st_uid != us:
        foreign.append(whole)
    if foreign:
        raise InputError(
            f"output {path} leads through the symbolic link {foreign[0]}, which is another user's, or leads "
            "to another user's folder; choose another --output"
        )


def hold(file: TextIO, path: Path) -> None:
    """Take a lock file for this process and leave its id in it."""
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # not inherited by workers, which may outlive us
    except (BlockingIOError, PermissionError):
        file.seek(0)
        holder = file.read().strip() or "unknown"
        raise InputError(
            f"run {path} is in use by process {holder}; wait for it, or choose another --output"
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()


def write(path: Path, text: str) -> None:
    """Replace a file's content in one step, so that readers see the old or the new and nothing between.

    Raises:
        EnvironmentFailure: it could not be written; the old content is intact.
    """
    beside = path.with_name(f".{path.name}.tmp")
    try:
        with beside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise EnvironmentFailure(
            f"{path} could not be written ({error}); make room and run the same command again"
        ) from None


def now() -> float:
    """Seconds on a clock that never goes back."""
    return time.monotonic()
