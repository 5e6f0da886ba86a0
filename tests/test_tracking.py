"""What trackers are told of a run, and that a run does not depend on them."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tunekit import workflow
from tunekit.errors import EnvironmentFailure
from tunekit.recipe import load
from tunekit.run import Run
from tunekit.tracking import MLFLOW_URI, Trackers, check_trackers, mlflow

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the trackers' own packages


def scalars(run: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard holds of a run: steps and values by name."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "tracking" / "tensorboard"))
    events.Reload()
    return {
        name: [(each.step, each.value) for each in events.Scalars(name)] for name in events.Tags()["scalars"]
    }


@pytest.fixture(scope="module")
def recipe(
    checkpoint: Callable[..., Path], data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A recipe of a few steps."""
    folder = tmp_path_factory.mktemp("recipe")
    task = "text-classification"
    return tiny.recipe(folder / "tiny.yaml", task, checkpoint("bert"), data(task), epochs=1, log_every=1)


@pytest.fixture(scope="module")
def tracked(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run that TensorBoard has followed."""
    return workflow.finetune(recipe, "tracking=[tensorboard]", output=tmp_path_factory.mktemp("out") / "run")


@pytest.fixture(scope="module")
def log(tracked: Run) -> list[dict[str, Any]]:
    """The rows of its log."""
    return [json.loads(line) for line in tracked.log_path.read_text().splitlines()]


def test_every_row_of_the_log_is_sent_once(tracked: Run, log: list[dict[str, Any]]) -> None:
    sent = scalars(tracked.path)["train/loss"]
    assert [step for step, _ in sent] == [row["step"] for row in log if "loss" in row]
    assert [value for _, value in sent] == pytest.approx([row["loss"] for row in log if "loss" in row])


def test_evaluations_are_sent_under_the_names_of_their_metrics(
    tracked: Run, log: list[dict[str, Any]]
) -> None:
    row = next(row for row in log if "validation" in row)
    found = scalars(tracked.path)
    assert {f"validation/{name}" for name in row["validation"]} <= set(found)


def test_the_test_scores_are_sent_with_their_intervals(tracked: Run) -> None:
    found, score = scalars(tracked.path), tracked.metrics()["test"]["accuracy"]
    sent = [found[f"test/accuracy{end}"][0][1] for end in ("", "_low", "_high")]
    assert sent == pytest.approx([score["value"], score["low"], score["high"]])


def test_a_continued_run_sends_no_row_twice(recipe: Path, tmp_path: Path) -> None:
    settings = load(recipe).resolved()
    rows = [{"step": step, "loss": 1.0 / step} for step in (1, 2, 3)]
    for part in (rows[:2], rows[1:]):  # it was killed after the second, and the checkpoint was of the first
        trackers = Trackers(["tensorboard"], tmp_path, settings)
        for row in part:
            trackers.log(row)
        trackers.finish()
    assert [step for step, _ in scalars(tmp_path)["train/loss"]] == [1, 2, 3]


def test_a_tracker_that_fails_is_dropped_aloud(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tracking").mkdir()
    (tmp_path / "tracking" / "tensorboard").write_text("a file where a folder must be")
    Trackers(["tensorboard"], tmp_path, load(recipe).resolved()).log({"step": 1, "loss": 1.0})
    assert "tracking by tensorboard ended" in capsys.readouterr().err


def test_a_run_goes_on_when_the_folder_of_its_trackers_is_deleted(tmp_path: Path) -> None:
    trackers = Trackers([], tmp_path, {})
    trackers.state["ids"]["tensorboard"] = "here"
    trackers.log({"step": 1, "loss": 1.0})
    assert (tmp_path / "tracking" / "state.json").exists()


def test_every_run_of_a_process_has_a_database_of_its_own_with_mlflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = pytest.importorskip("mlflow")
    monkeypatch.delenv(MLFLOW_URI, raising=False)
    for name in ("a", "b"):
        mlflow(name, tmp_path / name, None)
        assert client.get_tracking_uri() == f"sqlite:///{tmp_path / name}/mlflow.db"
    assert MLFLOW_URI not in os.environ


def test_a_tracker_that_is_not_installed_is_refused_with_the_command_to_install_it() -> None:
    with pytest.raises(EnvironmentFailure, match="pip install no_such_tracker"):
        check_trackers(["no_such_tracker"])


def test_trackers_do_not_make_it_another_run(recipe: Path) -> None:
    assert load(recipe, ["tracking=[tensorboard]"]).fingerprint == load(recipe).fingerprint


@pytest.mark.slow
@pytest.mark.parametrize("name", ["trackio", "wandb", "mlflow"])
def test_others_are_told_on_this_machine_alone_and_stdout_has_the_result_alone(
    name: str, recipe: Path, tmp_path: Path
) -> None:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    command = [sys.executable, "-m", "tunekit", "finetune", str(recipe), f"tracking=[{name}]", "--json"]
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("WANDB", "MLFLOW"))}
    surroundings = {**kept, "HOME": str(tmp_path), "TRACKIO_DIR": str(tmp_path / "trackio")}
    done = subprocess.run(
        [*command, "--offline", "--output", str(tmp_path / "run")],
        capture_output=True,
        text=True,
        env=surroundings,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "finished"
    state = json.loads((tmp_path / "run" / "tracking" / "state.json").read_text())
    assert name in state["ids"] and "test" in state["sent"], done.stderr
