"""The commands, as people and scripts call them."""

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tunekit import cli

TASK = "text-classification"


def call(*arguments: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run a command in this process; return its exit code."""
    monkeypatch.setattr("sys.argv", ["tunekit", *arguments])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return int(stop.value.code or 0)


@pytest.fixture(scope="module")
def recipe(
    checkpoint: Callable[..., Path], data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A tiny recipe."""
    folder = tmp_path_factory.mktemp("cli")
    return tiny.recipe(folder / "tiny.yaml", TASK, checkpoint("gpt2"), data(TASK), epochs=4)


@pytest.fixture(scope="module")
def run(recipe: Path) -> Path:
    """A finished run."""
    from tunekit import workflow

    return workflow.finetune(recipe, output=recipe.parent / "finished").path


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run a command; return its exit code, what it printed and what it said."""

    def run_command(*arguments: str) -> tuple[int, str, str]:
        code = call(*arguments, monkeypatch=monkeypatch)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run_command


Command = Callable[..., tuple[int, str, str]]


def test_finetune_prints_one_json_document(recipe: Path, tmp_path: Path, command: Command) -> None:
    code, out, _ = command("finetune", str(recipe), "--json", "--output", str(tmp_path / "run"))
    document = json.loads(out)
    assert code == 0
    assert document["status"] == "finished"
    assert document["run"] == str(tmp_path / "run")
    assert {"value", "low", "high", "n"} == document["metrics"]["test"]["accuracy"].keys()


def test_finetune_ends_with_a_table_and_the_place_of_the_run(
    recipe: Path, tmp_path: Path, command: Command
) -> None:
    _, out, said = command("finetune", str(recipe), "--output", str(tmp_path / "run"))
    lines = out.splitlines()
    assert lines[0].split() == ["metric", "value", "95", "%", "interval", "n"]
    assert lines[-1].startswith("finished in ")
    assert lines[-1].endswith(str(tmp_path / "run"))
    assert "columns: text = text, label = label, id = id" in said


def test_quiet_says_nothing(recipe: Path, tmp_path: Path, command: Command) -> None:
    _, out, said = command("finetune", str(recipe), "--quiet", "--output", str(tmp_path / "run"))
    assert out
    assert said == ""


def test_a_dry_run_shows_the_resolved_recipe_and_writes_nothing(
    recipe: Path, tmp_path: Path, command: Command
) -> None:
    code, _, said = command("finetune", str(recipe), "--dry-run", "--output", str(tmp_path / "run"))
    assert code == 0
    assert "learning_rate: 0.003" in said
    assert "rows: 48 train, 12 validation, 12 test" in said
    assert not (tmp_path / "run").exists()


def test_the_same_command_has_the_same_place(
    recipe: Path, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command("finetune", str(recipe), "train.steps=2")
    (place,) = (tmp_path / "runs").iterdir()
    assert place.name.startswith("tiny-")
    code, _, said = command("finetune", str(recipe), "train.steps=2")
    assert code == 0
    assert "already finished" in said


def test_overriding_the_data_says_what_it_drops(recipe: Path, tmp_path: Path, command: Command) -> None:
    columned = tmp_path / "columned.yaml"
    columned.write_text(recipe.read_text().replace("data: ", "data:\n  columns: {text: body}\n  path: "))
    data = tiny.dataset(tmp_path / "other", TASK)
    _, _, said = command("finetune", str(columned), f"data={data}", "--dry-run")
    assert f"data={data} drops data.columns of the recipe" in said


def test_evaluate_scores_the_test_split_as_the_run_did(run: Path, command: Command) -> None:
    before = json.loads((run / "metrics.json").read_text())
    code, out, _ = command("evaluate", str(run), "--json")
    assert code == 0
    assert json.loads(out)["metrics"] == {"test": before["test"]}
    assert json.loads((run / "metrics.json").read_text()) == before


def test_evaluate_refuses_rows_that_changed_since_the_run(
    checkpoint: Callable[..., Path], tmp_path: Path, command: Command
) -> None:
    data = tiny.dataset(tmp_path / "data", TASK)
    file = tiny.recipe(tmp_path / "tiny.yaml", TASK, checkpoint("gpt2"), data, steps=1)
    command("finetune", str(file), "--output", str(tmp_path / "run"))
    before = (tmp_path / "run" / "metrics.json").read_bytes()
    tiny.write_jsonl(data / "test.jsonl", tiny.reviews(5, start=900))
    code, _, said = command("evaluate", str(tmp_path / "run"))
    assert code == 2
    assert "the test rows are not those that the run was made with" in said
    assert (tmp_path / "run" / "metrics.json").read_bytes() == before


@pytest.mark.parametrize(
    "content", ["[]", "{", "{}", '{"task": "text-classification", "options": {"no": 1}, "labels": []}']
)
def test_a_damaged_model_folder_is_named(content: str, run: Path, tmp_path: Path, command: Command) -> None:
    import shutil

    folder = Path(shutil.copytree(run / "model", tmp_path / "model"))
    (folder / "tunekit.json").write_text(content)
    code, _, said = command("predict", str(folder))
    assert code == 2
    assert "tunekit.json is damaged" in said


@pytest.mark.parametrize("extra", ["--overwrite", "--output=elsewhere"])
def test_a_named_run_is_never_emptied_or_moved(extra: str, run: Path, recipe: Path, command: Command) -> None:
    named = next((run / "checkpoints").iterdir())
    code, _, said = command("finetune", str(recipe), f"--resume={named}", extra)
    assert code == 2
    assert "says where the run is" in said
    assert (run / "model" / "model.safetensors").exists()


def test_debug_shows_a_traceback_and_keeps_the_exit_code(command: Command) -> None:
    code, _, said = command("finetune", "no-such-recipe", "--debug")
    assert code == 2
    assert "Traceback" in said


@pytest.mark.parametrize("name", ["finetune", "evaluate", "predict", "check", "recipes", "tasks", "schema"])
def test_every_command_takes_json_quiet_and_debug(name: str, command: Command) -> None:
    _, out, _ = command(name, "--help")
    assert all(option in out for option in ("--json", "--quiet", "--debug"))


def test_evaluate_scores_other_data_in_a_folder_of_its_own(
    run: Path, tmp_path: Path, command: Command
) -> None:
    rows = tiny.write_jsonl(tmp_path / "new.jsonl", tiny.reviews(6, start=500))
    before = (run / "metrics.json").read_bytes()
    code, out, _ = command("evaluate", str(run), f"data={rows}", "--json")
    document = json.loads(out)
    assert code == 0
    assert document["metrics"]["test"]["accuracy"]["n"] == 6
    assert Path(document["run"]).parent == run / "evaluations"
    assert (run / "metrics.json").read_bytes() == before


def test_evaluate_takes_a_bare_model_folder(run: Path, tmp_path: Path, command: Command) -> None:
    rows = tiny.write_jsonl(tmp_path / "new.jsonl", tiny.reviews(6, start=500))
    code, out, _ = command(
        "evaluate", str(run / "model"), f"data={rows}", "--output", str(tmp_path / "scores"), "--json"
    )
    assert code == 0
    assert json.loads(out)["metrics"]["test"]["accuracy"]["n"] == 6
    assert (tmp_path / "scores" / "predictions" / "test.jsonl").exists()


@pytest.mark.slow
def test_a_model_on_the_hub_is_taken_by_its_id(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "hub" / "models--ada--reviews"
    (copy / "refs").mkdir(parents=True)
    (copy / "refs" / "main").write_text("0" * 40)
    shutil.copytree(run / "model", copy / "snapshots" / ("0" * 40))  # what a download leaves in the cache
    environment = os.environ | {"HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1"}
    found = [
        subprocess.run(
            [sys.executable, "-m", "tunekit", "predict", model],
            input="a good film",
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        ).stdout
        for model in ("ada/reviews", str(run))
    ]
    assert json.loads(found[0])["prediction"]["label"] in ("positive", "negative")
    assert found[0] == found[1]


def test_a_model_that_the_hub_cannot_give_is_the_environments_fault(command: Command) -> None:
    code, _, said = command("predict", "nobody/nothing")
    assert code == 3
    assert "'nobody/nothing' (no folder here) is not in the cache" in said


def test_evaluate_refuses_a_label_that_the_model_does_not_know(
    run: Path, tmp_path: Path, command: Command
) -> None:
    rows = tiny.write_jsonl(tmp_path / "new.jsonl", [{"text": "good", "label": "superb"}])
    code, _, said = command("evaluate", str(run), f"data={rows}")
    assert code == 2
    assert f"{rows}:1: label 'superb'" in said


def answers(path: Path) -> list[Any]:
    """The JSON lines of a file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_predict_answers_as_the_evaluation_did_in_the_order_of_the_rows(
    run: Path, data: Callable[[str], Path], tmp_path: Path, command: Command
) -> None:
    code, *_ = command(
        "predict",
        str(run),
        "--input",
        str(data(TASK) / "test.jsonl"),
        "--output",
        str(tmp_path / "out.jsonl"),
    )
    assert code == 0
    scored = answers(run / "predictions" / "test.jsonl")
    got = answers(tmp_path / "out.jsonl")
    assert [row["id"] for row in got] == [row["id"] for row in scored]
    assert [row["prediction"] for row in got] == [row["prediction"] for row in scored]


@pytest.mark.parametrize(
    "text",
    [
        "the film was good\n\nthe plot was bad\n",
        '{"text": "the film was good"}\n{"text": "the plot was bad"}\n',
    ],
)
def test_predict_reads_texts_or_json_lines_from_standard_input(
    text: str, run: Path, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    code, out, _ = command("predict", str(run))
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [row["id"] for row in rows] == [0, 1]
    assert all(abs(sum(row["prediction"]["probabilities"].values()) - 1) < 1e-5 for row in rows)


def test_predict_reads_csv_with_a_named_column(run: Path, tmp_path: Path, command: Command) -> None:
    (tmp_path / "rows.csv").write_text("number,remark,other\n7,the film was good,x\n")
    code, out, _ = command(
        "predict", str(run), "--input", str(tmp_path / "rows.csv"), "--column", "text=remark"
    )
    assert code == 0
    assert json.loads(out)["id"] == 0


def test_predict_names_the_line_that_it_cannot_answer(run: Path, tmp_path: Path, command: Command) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": "good"}\n{"text": ""}\n')
    code, _, said = command("predict", str(run), "--input", str(tmp_path / "rows.jsonl"))
    assert code == 2
    assert "rows.jsonl:2" in said


def test_predict_writes_no_file_when_its_input_is_wrong(run: Path, tmp_path: Path, command: Command) -> None:
    code, _, said = command(
        "predict", str(run), "--input", "nowhere.jsonl", "--output", str(tmp_path / "out")
    )
    assert code == 2
    assert "nowhere.jsonl" in said
    assert not (tmp_path / "out").exists()


def test_a_column_without_a_role_is_refused(run: Path, command: Command) -> None:
    code, _, said = command("predict", str(run), "--column", "review")
    assert code == 2
    assert "--column 'review' is no ROLE=COLUMN" in said


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, command: Command) -> None:
    code, _, said = command("predict", str(tmp_path))
    assert code == 2
    assert "neither a run nor a model" in said


def test_an_unexpected_error_is_one_line_without_debug(
    run: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tunekit import workflow

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(workflow, "evaluate", fail)
    code, _, said = command("evaluate", str(run))
    assert code == 1
    assert said == "error: internal error: RuntimeError: boom. Run again with --debug and report it\n"


def test_predict_does_not_write_over_its_input(run: Path, tmp_path: Path, command: Command) -> None:
    rows = tiny.write_jsonl(tmp_path / "rows.jsonl", [{"text": "a good film"}])
    code, _, said = command("predict", str(run), "--input", str(rows), "--output", str(rows))
    assert code == 2
    assert "is the input itself" in said
    assert json.loads(rows.read_text()) == {"text": "a good film"}
