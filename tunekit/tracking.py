"""The live view: log rows go to TensorBoard, Trackio, Weights & Biases or MLflow too, if a recipe says so.

accelerate's trackers do the talking. Every row is sent once, also over restarts: what was sent is kept in the
run, and rows that a continued run makes again are the same. A tracker that fails is dropped aloud, and
training goes on: `log.jsonl` has every row.
"""

import importlib
import importlib.util
import json
import netrc
import os
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from tunekit.console import out
from tunekit.errors import EnvironmentFailure, first_line
from tunekit.network import offline
from tunekit.recipe import Recipe
from tunekit.run import Run

PROJECT = "tunekit"  # what runs are grouped under, where a tracker groups them
FOLDER = "tracking"  # in the run: what the trackers write here, and what was sent
MLFLOW_URI = "MLFLOW_TRACKING_URI"
WANDB_HOST = "api.wandb.ai"


def check_trackers(names: Sequence[str]) -> None:
    """Refuse trackers whose package is not here.

    Raises:
        EnvironmentFailure: one is missing.
    """
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise EnvironmentFailure(
            f"tracking names {', '.join(missing)}, which is not installed; pip install {' '.join(missing)} "
            "(or 'tunekit[tracking]' for all), or give tracking=[]"
        )


@contextmanager
def followed(run: Run, recipe: Recipe) -> Iterator[None]:
    """Send what a run logs in the block to the trackers of its recipe, and at the end its test scores."""
    trackers = Trackers(recipe.tracking if run.writes else [], run.path, recipe.resolved())
    run.listeners.append(trackers.log)
    try:
        yield
        if "test" in run.metrics():
            trackers.log_scores("test", run.metrics()["test"], run.facts["steps"])
    finally:
        trackers.finish()


class Trackers:
    """The trackers of one run, each begun when it is first needed."""

    def __init__(self, names: Sequence[str], folder: Path, settings: Mapping[str, Any]) -> None:
        self.run, self.folder = folder.name, folder / FOLDER
        self.state = read_state(self.folder / "state.json")
        self.open: dict[str, Any] = {}
        for name in names:
            with self.surviving(name):
                self.open[name] = self.begin(name, settings)

    def begin(self, name: str, settings: Mapping[str, Any]) -> Any:
        """A tracker that continues the run where it knows it already."""
        from accelerate.tracking import LOGGER_TYPE_TO_CLASS

        self.folder.mkdir(exist_ok=True)
        run_id = self.state["ids"].get(name)
        tracker = LOGGER_TYPE_TO_CLASS[name](**BEGINNINGS[name](self.run, self.folder.absolute(), run_id))
        tracker.start()
        if run_id is None:
            tracker.store_init_configuration(flat(settings)) if name != "tensorboard" else None
            self.state["ids"][name] = identify(name, tracker)
            self.keep()
        return tracker

    def log(self, row: Mapping[str, Any]) -> None:
        """Send a row of the log, unless it was sent before the run was continued."""
        kind = "validation" if "validation" in row else "train"
        if row["step"] > self.state["sent"].get(kind, 0):
            values = row["validation"] if kind == "validation" else row
            self.send(kind, values, row["step"])

    def log_scores(self, split: str, metrics: Mapping[str, Mapping[str, Any]], step: int) -> None:
        """Send the scores of a split that is scored once, with their intervals, unless they were sent."""
        parts = {"": "value", "_low": "low", "_high": "high"}
        values = {f"{name}{end}": each[part] for name, each in metrics.items() for end, part in parts.items()}
        if self.state["sent"].get(split) != step:
            self.send(split, values, step)

    def send(self, kind: str, values: Mapping[str, Any], step: int) -> None:
        """Send numbers under the same names to every tracker, and note that they were sent."""
        numbers = {
            f"{kind}/{name}": value for name, value in values.items() if value is not None and name != "step"
        }
        for name in list(self.open):
            with self.surviving(name):
                self.open[name].log(numbers, step=step)
        self.state["sent"][kind] = step
        self.keep()

    def finish(self) -> None:
        """Let every tracker write what it still holds."""
        for name in list(self.open):
            with self.surviving(name):
                end(name, self.open.pop(name))

    def keep(self) -> None:
        """Write down what was sent, in one step; a failure is told, and the run goes on."""
        if not (self.open or self.state["ids"]):
            return
        beside = self.folder / ".state.json.tmp"
        try:
            self.folder.mkdir(exist_ok=True)
            beside.write_text(json.dumps(self.state))
            beside.replace(self.folder / "state.json")
        except OSError as error:
            out.warn(f"what was tracked could not be noted ({first_line(error)}); the run goes on")

    @contextmanager
    def surviving(self, name: str) -> Iterator[None]:
        """Go on without a tracker that fails, and say so: it is a view, and the run is what counts."""
        try:
            with quiet_stdout():
                yield
        except Exception as error:  # whatever a service or its client raises
            self.open.pop(name, None)
            out.warn(
                f"tracking by {name} ended ({type(error).__name__}: {first_line(error)}); the run goes on"
            )


@contextmanager
def quiet_stdout() -> Iterator[None]:
    """Let others' talk go to stderr, or with --quiet nowhere: stdout has the result of the command alone."""
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere if out.quiet else sys.stderr):
        yield


def end(name: str, tracker: Any) -> None:
    """Let a tracker write what it holds; Trackio also has to forget the run, or ends it again at exit."""
    if name == "trackio":
        importlib.import_module("trackio").finish()
    else:
        tracker.finish()


def read_state(path: Path) -> dict[str, Any]:
    """What was sent of a run: the last step by kind of row, and the run's id by tracker."""
    empty: dict[str, Any] = {"sent": {}, "ids": {}}
    try:
        return empty | dict(json.loads(path.read_text()))
    except (OSError, ValueError):
        return empty


def flat(settings: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Nested settings by their dotted names, as trackers take them."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{above}{key}.")
        else:
            found[f"{above}{key}"] = value if isinstance(value, bool | int | float) else str(value)
    return found


def tensorboard(run: str, folder: Path, run_id: str | None) -> dict[str, Any]:
    """Event files in the run."""
    return {"run_name": "tensorboard", "logging_dir": folder}


def trackio(run: str, folder: Path, run_id: str | None) -> dict[str, Any]:
    """Trackio's own database on this machine, or the Space that TRACKIO_SPACE_ID names."""
    if offline():
        os.environ.pop("TRACKIO_SPACE_ID", None)
    name = run_id or f"{run}-{uuid.uuid4().hex[:8]}"
    silent = {"embed": False, "auto_log_gpu": False, "auto_log_cpu": False}
    return {"run_name": PROJECT, "name": name, "resume": "allow", **silent}


def wandb(run: str, folder: Path, run_id: str | None) -> dict[str, Any]:
    """The account that is logged in; without one, or offline, files in the run that `wandb sync` sends."""
    os.environ.setdefault("WANDB_SILENT", "true")
    mode = os.environ.get("WANDB_MODE") or ("offline" if offline() or not wandb_key() else "online")
    if mode == "offline":
        out.say(f"wandb is offline; later: wandb sync {folder}/wandb/offline-run-*")
    return {
        "run_name": os.environ.get("WANDB_PROJECT", PROJECT),
        "name": run,
        "id": run_id or uuid.uuid4().hex[:12],
        "resume": "allow",
        "dir": str(folder),
        "mode": mode,
        "settings": {"console": "off", "save_code": False, "disable_git": True},
    }


def wandb_key() -> bool:
    """Whether an account of Weights & Biases is logged in: nobody is asked in the middle of a command."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        return netrc.netrc().authenticators(WANDB_HOST) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def mlflow(run: str, folder: Path, run_id: str | None) -> dict[str, Any]:
    """The server of MLFLOW_TRACKING_URI; without one, or offline, a database in the run."""
    import mlflow as client

    uri = os.environ.get(MLFLOW_URI)
    remote = uri is not None and uri.startswith(("http:", "https:", "databricks"))
    own = uri is None or (remote and offline())
    client.set_tracking_uri(f"sqlite:///{folder}/mlflow.db" if own else uri)
    os.environ.pop(MLFLOW_URI, None)  # where mlflow wrote it, and the next run would find it
    os.environ |= {} if uri is None else {MLFLOW_URI: uri}
    return {"experiment_name": PROJECT, "run_name": run, "run_id": run_id}


BEGINNINGS: dict[str, Callable[[str, Path, str | None], dict[str, Any]]] = {  # what a tracker is made with
    "mlflow": mlflow,
    "tensorboard": tensorboard,
    "trackio": trackio,
    "wandb": wandb,
}


def identify(name: str, tracker: Any) -> str:
    """The id under which a tracker knows the run again."""
    if name == "mlflow":
        return str(tracker.active_run.info.run_id)
    run = tracker.tracker
    return str(getattr(run, "id", None) if name == "wandb" else getattr(run, "name", "here"))
