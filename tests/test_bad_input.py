"""Bad input ends in one report of everything that is wrong, exit code 2, and nothing written."""

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
from tunekit import recipe as recipes
from tunekit.errors import EnvironmentFailure, InputError, Problems, explain, listing, nearest, screenful
from tunekit.prepare import check
from tunekit.run import Run

MakeCheckpoint = Callable[..., Path]
MakeData = Callable[[str], Path]
TASKS = ("text-classification", "token-classification")


@pytest.fixture
def copied(checkpoint: MakeCheckpoint, tmp_path: Path) -> Path:
    """A checkpoint that a test may damage."""
    return Path(shutil.copytree(checkpoint("bert"), tmp_path / "model"))


@pytest.fixture
def problems(data: MakeData, tmp_path: Path) -> Callable[..., list[str]]:
    """What the checks before training find wrong with a model, settings and an output folder."""

    def find(model: Path | str, *overrides: str, task: str = TASKS[0], output: str = "out") -> list[str]:
        recipe = tiny.recipe(tmp_path / "r.yaml", task, Path(model), data(task))
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(InputError) as caught:
            check(recipes.load(recipe, overrides), Run(tmp_path / output), overwrite=False)
        assert sorted(tmp_path.rglob("*")) == before
        return [problem.replace(str(tmp_path), "DIR") for problem in caught.value.problems]

    return find


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta", "gpt2", "t5"])
def test_a_family_with_a_head_for_the_task_passes(
    checkpoint: MakeCheckpoint, data: MakeData, tmp_path: Path, task: str, family: str
) -> None:
    recipe = tiny.recipe(tmp_path / "r.yaml", task, checkpoint(family), data(task))
    assert check(recipes.load(recipe), Run(tmp_path / "out"), overwrite=False).task.labels
    assert not (tmp_path / "out").exists()


def test_a_length_that_the_model_cannot_read_is_refused(
    copied: Path, problems: Callable[..., list[str]]
) -> None:
    (problem,) = problems(copied, "task.max_length=100")
    assert problem == "task.max_length is 100, but the model reads at most 64 tokens; lower it"


def test_a_configuration_that_contradicts_itself_is_refused(
    copied: Path, problems: Callable[..., list[str]]
) -> None:
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps(config | {"hidden_size": 33}))
    (problem,) = problems(copied)
    assert "(The hidden size (33) is not a multiple of the number of attention heads (2))" in problem


def test_an_output_folder_that_is_no_run_is_refused(
    tmp_path: Path, copied: Path, problems: Callable[..., list[str]]
) -> None:
    tiny.write_jsonl(tmp_path / "out" / "thesis.jsonl", [])
    assert problems(copied) == [
        "output folder DIR/out is not empty and no run (it holds thesis.jsonl); choose another with --output"
    ]


def test_problems_of_output_data_and_model_come_together(
    tmp_path: Path, copied: Path, problems: Callable[..., list[str]]
) -> None:
    tiny.write_jsonl(tmp_path / "out" / "thesis.jsonl", [])
    (copied / "model.safetensors").unlink()
    bad = tiny.write_jsonl(
        tmp_path / "bad.jsonl", [{"text": "", "label": "a"}] * 50 + [{"text": "x", "label": "b"}]
    )
    found = problems(copied, f"data={bad}")
    assert found[0].startswith("output folder DIR/out is not empty")
    assert found[1].startswith("model folder 'DIR/model' has no weights")
    assert found[2].startswith("DIR/bad.jsonl:1: text is empty; ")
    assert len(found) == 52


def test_an_unreachable_hub_does_not_hide_other_problems(
    tmp_path: Path, problems: Callable[..., list[str]]
) -> None:
    found = problems("x", "model=nobody/nothing", f"data={tmp_path}/none.csv")
    assert [problem.split("'")[0] for problem in found] == ["data.path ", "model "]


@pytest.mark.parametrize(
    "setting", ["model=nobody/nothing", "data=nobody/nothing", "model.attention=flash_attention_2"]
)
def test_what_only_the_environment_lacks_is_a_failure_of_the_environment(
    copied: Path, data: MakeData, tmp_path: Path, setting: str
) -> None:
    recipe = tiny.recipe(tmp_path / "r.yaml", TASKS[0], copied, data(TASKS[0]))
    with pytest.raises(EnvironmentFailure) as caught:
        check(recipes.load(recipe, [setting]), Run(tmp_path / "out"), overwrite=False)
    assert explain(caught.value)[1] == 3


def test_the_shortest_group_of_problems_comes_first() -> None:
    problems = Problems()
    for group in (["a", "b", "c"], ["d"]):
        with problems.collect():
            raise InputError(group)
    assert problems.found == ["d", "a", "b", "c"]


def test_a_thousand_problems_fit_on_a_screen() -> None:
    shown = screenful([f"{i}: {'long ' * 1000}" for i in range(1000)])
    assert shown.count("\n") == 12
    assert len(shown) < 10_000
    assert shown.endswith("... and 988 more like these")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("trian", "train"),
        (" Train ", "train"),
        ("lr", "learning_rate"),
        ("num_train_steps", "train"),
        ("qqq", None),
        ("", None),
    ],
)
def test_the_nearest_word_is_suggested(word: str, meant: str | None) -> None:
    assert nearest(word, ["train", "learning_rate", "a"]) == (f"; did you mean {meant!r}?" if meant else "")


def test_a_list_of_words_shows_spaces_and_is_cut() -> None:
    assert listing(["a", " b", "", "x" * 100, *"cd"], most=5) == f"a, ' b', '', {'x' * 57}..., c and 1 more"


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the real command in a folder; it must fail without a traceback and leave nothing behind."""
    before = sorted(folder.rglob("*"))
    path = os.pathsep.join([str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "tunekit", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert "Traceback" not in done.stderr
    assert sorted(folder.rglob("*")) == before
    return done


def finetune(folder: Path, *arguments: str) -> list[str]:
    """The lines that a refused `finetune` says."""
    done = command(folder, "finetune", "r.yaml", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    return done.stderr.splitlines()


def test_the_command_reports_all_problems_of_a_recipe(tmp_path: Path) -> None:
    train = "train:\n  batch_size: 0\n  epoch: 1\n  seed: 1\n  seed: 2\n"
    (tmp_path / "r.yaml").write_text(f"task: text-classification\nmodel: m\ndata: d.csv\n{train}")
    lines = finetune(tmp_path, "train.learning_rate=.nan")
    assert lines[0] == "error: 4 problems found:"
    assert [line.split(": ")[0] for line in sorted(lines[1:])] == [
        "  - r.yaml:5",
        "  - r.yaml:6",
        "  - r.yaml:8",
        "  - train.learning_rate=.nan",
    ]


def test_the_command_refuses_a_bomb_at_once(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("a: &a [x]\nb: [*a, *a]\n" + "[" * 50_000)
    assert finetune(tmp_path)[1] == "  - r.yaml:2: aliases (*a) are not supported; write the value out"


def test_the_command_reports_output_data_and_model_together(tmp_path: Path, copied: Path) -> None:
    (copied / "model.safetensors").unlink()
    (tmp_path / "rows.csv").write_bytes(b"text,label\ncaf\xe9,good\n")
    tiny.write_jsonl(tmp_path / "out" / "mine.jsonl", [])
    tiny.recipe(tmp_path / "r.yaml", TASKS[0], Path("model"), Path("rows.csv"))
    lines = finetune(tmp_path, "model=./model", "--output", "out")
    assert lines[0] == "error: 3 problems found:"
    assert sorted(line[:20] for line in lines[1:]) == [
        "  - model folder 'mo",
        "  - output folder ou",
        "  - rows.csv:2: byte",
    ]


def test_the_command_shows_no_more_than_a_screen_of_bad_rows(tmp_path: Path, copied: Path) -> None:
    tiny.write_jsonl(tmp_path / "rows.jsonl", [{"tokens": ["a", "b"], "ner_tags": ["O"]}] * 300)
    tiny.recipe(tmp_path / "r.yaml", TASKS[1], copied, tmp_path / "rows.jsonl")
    lines = finetune(tmp_path)
    assert lines[0] == "error: 300 problems found:"
    assert lines[1].endswith("rows.jsonl:1: 2 words but 1 tags; correct the row, or set data.bad_rows=skip")
    assert (len(lines), lines[-1]) == (14, "  ... and 288 more like these")


def test_a_dry_run_checks_and_writes_nothing(tmp_path: Path, copied: Path, data: MakeData) -> None:
    tiny.recipe(tmp_path / "r.yaml", TASKS[0], copied, data(TASKS[0]))
    done = command(tmp_path, "finetune", "r.yaml", "--dry-run", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["status"] == "checked"


@pytest.mark.parametrize(
    "arguments", [("nowhere.yaml",), ("r.yaml", "--resume", "nowhere"), ("r.yaml", "--outptu", "x")]
)
def test_a_command_line_that_cannot_be_meant_exits_2(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    tiny.recipe(tmp_path / "r.yaml", TASKS[0], Path("m"), Path("d.csv"))
    assert command(tmp_path, "finetune", *arguments).returncode == 2


def test_a_recipe_of_any_value_never_ends_in_a_bug(tmp_path: Path) -> None:
    values: list[Any] = [
        "",
        "[]",
        "{}",
        "[[]]",
        "{a: {b: c}}",
        "'",
        "*x",
        "&x",
        "!t",
        "%",
        "\0",
        "\t",
        "é",
        "9" * 5000,
    ]
    for key in (
        "task",
        "model",
        "data",
        "train",
        "metrics",
        "train.seed",
        "data.columns",
        "data.splits.train",
    ):
        for value in values:
            with pytest.raises(InputError):
                recipes.load(
                    tiny.recipe(tmp_path / "r.yaml", "none", Path("m"), Path("d")), [f"{key}={value}"]
                )
