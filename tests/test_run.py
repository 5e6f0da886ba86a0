"""The run directory: what it holds, and who may write it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tunekit import workflow
from tunekit.console import command_line, same_command
from tunekit.errors import EnvironmentFailure, InputError
from tunekit.identity import differences
from tunekit.models.finetuned import origin_of
from tunekit.recipe import load
from tunekit.run import Run, choose

TASK = "token-classification"


@pytest.fixture(scope="module")
def run(
    checkpoint: Callable[..., Path], data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Run:
    """A finished run."""
    folder = tmp_path_factory.mktemp("run")
    file = tiny.recipe(folder / "tiny.yaml", TASK, checkpoint("bert"), data(TASK), epochs=3)
    return workflow.finetune(file, output=folder / "run")


def test_a_finished_run_holds_what_the_contract_says(run: Run) -> None:
    wanted = {
        "recipe.yaml",
        "run.json",
        "log.jsonl",
        "metrics.json",
        "predictions",
        "model",
        "checkpoints",
        "report.html",
        "README.md",
    }
    assert {path.name for path in run.path.iterdir() if path.name != ".lock"} == wanted
    assert {path.name for path in (run.path / "predictions").iterdir()} == {"validation.jsonl", "test.jsonl"}
    assert {"config.json", "model.safetensors", "tokenizer.json", "tunekit.json"} <= {
        p.name for p in run.model.iterdir()
    }


def test_every_metric_has_a_value_an_interval_and_a_count(run: Run) -> None:
    for split in ("validation", "test"):
        for score in run.metrics()[split].values():
            assert score["low"] <= score["value"] <= score["high"]
            assert score["n"] == 12


def test_metrics_are_those_of_the_predictions_on_disk(run: Run) -> None:
    from tunekit.evaluation import metric

    rows = [json.loads(line) for line in (run.path / "predictions" / "test.jsonl").read_text().splitlines()]
    tags = [row["prediction"]["tags"] for row in rows]
    found = metric("entities").compute(predictions=tags, references=[row["reference"] for row in rows])
    for name, score in run.metrics()["test"].items():
        assert found[name] == pytest.approx(score["value"])


def test_the_recorded_recipe_is_the_given_one_fitted_to_the_model(run: Run) -> None:
    given, recorded = (
        load(path).resolved() for path in (run.path.parent / "tiny.yaml", run.path / "recipe.yaml")
    )
    assert differences(given, recorded) == ["task.max_length: 256 -> 64"]


def test_the_record_names_versions_hardware_data_and_checkpoint(run: Run) -> None:
    facts = json.loads((run.path / "run.json").read_text())
    assert facts["status"] == "finished"
    assert {"python", "torch", "transformers", "tunekit"} <= facts["versions"].keys()
    assert facts["hardware"]["device"] in ("cpu", "cuda", "mps")
    assert facts["data"]["splits"]["train"]["rows"] == 48
    assert len(facts["data"]["splits"]["train"]["sha256"]) == 64
    assert len(facts["checkpoint"]["sha256"]["model.safetensors"]) == 64
    assert facts["timings"]["total"] >= facts["timings"]["training"] > 0


def test_the_card_names_scores_and_hides_local_paths(run: Run) -> None:
    card = (run.path / "README.md").read_text()
    assert "| test | f1 |" in card
    assert str(run.path.parent) not in card


def test_labels_are_escaped_in_the_card() -> None:
    from tunekit.card import escape

    assert escape("a|b\n# <script>`x`") == "a\\|b \\# \\<script\\>\\`x\\`"


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(InputError, match="not empty and no run"):
            Run(tmp_path).check(overwrite=overwrite)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize("path", ["file", "file/inside"])
def test_a_file_as_output_is_refused(path: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file is a file; choose another"):
        Run(tmp_path / path).check(overwrite=False)


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"status": "fin')
    with pytest.raises(InputError, match="run.json is damaged"):
        Run(tmp_path)


def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.log_path.mkdir()
    with pytest.raises(EnvironmentFailure, match="log.jsonl could not be written"):
        run.log({"step": 1})


def test_a_lock_left_by_a_dead_process_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / ".lock").write_text("999999999")
    with Run(tmp_path).lock():
        pass


def test_differences_leave_out_what_may_change() -> None:
    before = {"train": {"seed": 0, "keep": 1}, "metrics": []}
    assert differences(before, {"train": {"seed": 1, "keep": 5}, "metrics": []}) == ["train.seed: 0 -> 1"]


def test_a_token_on_the_command_line_is_not_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["tunekit", "finetune", "x", "model.name=hf_abcdefghijklmnop"])
    assert "abcdefgh" not in command_line()


def test_the_recorded_recipe_can_be_run_again(run: Run, tmp_path: Path) -> None:
    again = workflow.finetune(run.path / "recipe.yaml", output=tmp_path / "again")
    assert (again.path / "metrics.json").read_bytes() == (run.path / "metrics.json").read_bytes()


def test_a_folder_in_which_a_run_was_killed_before_it_began_is_taken(tmp_path: Path) -> None:
    for name in (".lock", ".run.json.tmp"):
        (tmp_path / name).touch()
    Run(tmp_path).check(overwrite=False)


def test_a_run_whose_deletion_is_cut_short_is_still_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "checkpoints" / "step-00000006").mkdir(parents=True)
    for name in ("log.jsonl", "metrics.json", "recipe.yaml"):
        (tmp_path / name).touch()
    Run(tmp_path).record(status="finished")
    unlink, deleted = Path.unlink, []

    def killed(path: Path) -> None:
        if len(deleted) == 2:
            raise KeyboardInterrupt
        deleted.append(path.name)
        unlink(path)

    monkeypatch.setattr(Path, "unlink", killed)
    with pytest.raises(KeyboardInterrupt):
        Run(tmp_path).empty()
    assert Run(tmp_path).status == "interrupted"
    assert not (tmp_path / "checkpoints").exists()
    Run(tmp_path).check(overwrite=True)


def test_a_run_in_a_folder_called_checkpoints_is_continued_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints" / "mine"
    path.mkdir(parents=True)
    Run(path).record(status="interrupted")
    assert choose("x", None, str(path), overwrite=False).path == path


def test_what_is_said_to_continue_leaves_out_what_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["tunekit", "finetune", "x", "--overwrite", "--resume", "never"])
    assert same_command() == "the same command without --overwrite and --resume never"


def test_a_model_knows_how_its_data_were_written(run: Run, tmp_path: Path) -> None:
    written = {"columns": {"words": "tokens", "tags": "ner_tags"}, "separator": None, "encoding": "utf-8"}
    assert origin_of(run.model) == written
    assert origin_of(tmp_path) == {}  # of a checkpoint, as of a model that is older


@pytest.mark.parametrize("origin", [[1], {"columns": {"text": 5}}, {"separator": ";;"}, {"encoding": "zip"}])
def test_what_a_stranger_says_of_data_is_checked(tmp_path: Path, origin: Any) -> None:
    (tmp_path / "tunekit.json").write_text(json.dumps({"origin": origin}))
    with pytest.raises(InputError, match="is damaged"):
        origin_of(tmp_path)
