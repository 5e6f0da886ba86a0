"""`tunekit check` as people and scripts call it: exit codes, JSON, one screen, and a measured step."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import tiny
from tests.checks.conftest import TASK
from tests.test_cli import call
from tunekit.checks import GRADES, Finding, Report

Command = Callable[..., tuple[int, str, str]]
Faulty = tuple[Path, dict[str, set[str]]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command; return its exit code, what it printed and what it said."""

    def run_command(*arguments: str) -> tuple[int, str, str]:
        code = call(*arguments, monkeypatch=monkeypatch)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run_command


@pytest.fixture
def recipe(clean: Path, model: Path, tmp_path: Path) -> str:
    """A recipe for clean data."""
    return str(tiny.recipe(tmp_path / "recipe.yaml", TASK, model, clean))


def test_clean_data_pass(recipe: str, command: Command) -> None:
    code, out, _ = command("check", recipe, "--no-step")
    assert code == 0
    assert out.endswith(f"0 errors, 0 warnings, 4 notes: {recipe}\n")


def test_warnings_pass_too(recipe: str, faulty: Faulty, command: Command) -> None:
    code, out, _ = command("check", recipe, f"data={faulty[0]}", "--no-step", "--json")
    document = json.loads(out)
    assert code == 0
    assert document["status"] == "passed"
    assert document["counts"]["warning"] == 5


def test_json_has_all_rows_and_the_screen_a_few(recipe: str, faulty: Faulty, command: Command) -> None:
    arguments = ("check", recipe, f"data={faulty[0]}", "--no-step")
    document = json.loads(command(*arguments, "--json")[1])
    (leak,) = (f for f in document["findings"] if f["name"] == "leak" and "of test" in f["text"])
    assert set(leak["rows"]) == faulty[1]["leak"]
    assert leak.keys() == {"grade", "name", "text", "rows", "advice"}
    assert "and 17 more" in command(*arguments)[1]


def test_errors_of_recipe_data_and_checkpoint_exit_2_all_at_once(recipe: str, command: Command) -> None:
    code, out, _ = command("check", recipe, "model=/no/such/folder", "data=none.csv", "--json")
    document = json.loads(out)
    texts = " ".join(finding["text"] for finding in document["findings"])
    assert (code, document["status"]) == (2, "failed")
    assert "'/no/such/folder' is no folder" in texts
    assert "none.csv" in texts


def test_an_error_of_the_recipe_is_a_finding(recipe: str, command: Command) -> None:
    code, out, _ = command("check", recipe, "train.epoch=3", "--json")
    assert code == 2
    assert (
        "did you mean 'epochs'?"
        in json.loads(out)["findings"][0]["text"] + json.loads(out)["findings"][0]["advice"]
    )


def test_nothing_is_written(
    recipe: str, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    command("check", recipe)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_step_is_measured(recipe: str, command: Command) -> None:
    document = json.loads(command("check", recipe, "--json")[1])
    (step,) = (finding for finding in document["findings"] if finding["name"] == "step")
    assert re.match(
        r"the longest batch \(8 rows, \d+ tokens\) takes \d+\.\d\d s, and \d+\.\d GB", step["text"]
    )
    assert "100 steps about" in step["text"]
    assert "each evaluation of 100 rows about" in step["text"]


def test_no_step_is_measured_on_request(recipe: str, command: Command) -> None:
    document = json.loads(command("check", recipe, "--json", "--no-step")[1])
    assert "step" not in {finding["name"] for finding in document["findings"]}


def test_the_measured_step_takes_what_a_text_writes(
    command: Command, checkpoint: Callable[..., Path], data: Callable[[str], Path], tmp_path: Path
) -> None:
    file = tiny.recipe(tmp_path / "r.yaml", "summarization", checkpoint("gpt2"), data("summarization"))
    code, out, _ = command("check", str(file), "task.max_summary=8")
    assert code == 0
    assert "  - step: the longest batch" in out


def test_finetune_says_what_check_would_add(recipe: str, command: Command, tmp_path: Path) -> None:
    _, _, said = command("finetune", recipe, "--dry-run", "--output", str(tmp_path / "run"))
    assert "tunekit check also looks for duplicates, leaks" in said


def test_a_screen_shows_the_worst_first() -> None:
    found = [Finding(grade, f"n{grade}", "text") for grade in reversed(GRADES)]
    text = Report("recipe", found).text()
    assert [text.index(f"{grade}s\n") for grade in GRADES] == sorted(
        text.index(f"{grade}s\n") for grade in GRADES
    )


def test_many_findings_of_a_grade_are_cut_with_a_count() -> None:
    text = Report(
        "recipe", [Finding("error", "input", f"problem {n}", advice="mend it") for n in range(50)]
    ).text()
    assert "... and 38 more like these" in text


@pytest.mark.parametrize(
    ("names", "code"), [(["input"], 2), (["environment"], 3), (["environment", "input"], 2), ([], 0)]
)
def test_the_exit_code_follows_from_the_errors(names: list[str], code: int) -> None:
    assert Report("recipe", [Finding("error", name, "text") for name in names]).code == code
