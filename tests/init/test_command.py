"""`tunekit init` as people call it: the file that it writes, and what it refuses to do."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.init.shapes import moods, sheet, texts
from tunekit import cli
from tunekit import recipe as recipes
from tunekit.recipe.schema import schema

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file of reviews in the current folder."""
    monkeypatch.chdir(tmp_path)
    sheet(tmp_path / "reviews.csv", ["text", "label", "user"], texts(), moods(), list(range(40)))
    return "reviews.csv"


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run `tunekit init`; return its exit code, what it printed and what it said."""

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["tunekit", "init", *arguments])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        printed = capsys.readouterr()
        return int(stop.value.code or 0), printed.out, printed.err

    return call


def test_the_recipe_is_called_as_the_data_are(data: str, command: Command) -> None:
    code, out, _ = command(data)
    assert code == 0
    assert out.splitlines()[-1] == (
        "written: reviews.yaml. Next: tunekit check reviews.yaml, then tunekit finetune reviews.yaml"
    )
    assert recipes.load("reviews.yaml").data.path == data


def test_what_was_decided_is_told(data: str, command: Command) -> None:
    _, out, _ = command(data)
    assert out.splitlines()[:5] == [
        "task     text-classification: 'text' holds texts of about 9 words, all different; 'label' has 2 "
        "different values: negative, positive",
        "options  max_length 128",
        "columns  text = text, label = label; not used: user",
        "rows     36 train, 4 validation; 2 labels",
        "model    google-bert/bert-base-uncased",
    ]


def test_the_recipe_says_why(data: str, command: Command) -> None:
    command(data)
    text = Path("reviews.yaml").read_text()
    assert "    label: label  # 2 different values: negative, positive\n" in text
    assert "  validation_share: 0.1  # there is no validation split: this share of train is cut off\n" in text
    assert "# Rows: 36 train, 4 validation; 2 labels. Not used: 'user'.\n" in text


def test_the_recipe_begins_with_a_schema_that_is_there(data: str, command: Command) -> None:
    command(data)
    first = Path("reviews.yaml").read_text().splitlines()[0]
    start, _, place = first.partition("$schema=file://")
    assert start == "# yaml-language-server: "
    assert json.loads(Path(place).read_text()) == schema()


def test_a_file_that_is_there_is_kept(data: str, command: Command) -> None:
    Path("reviews.yaml").write_text("mine")
    code, _, said = command(data)
    assert code == 2
    assert "reviews.yaml is already there; choose another --output, or --overwrite" in said
    assert Path("reviews.yaml").read_text() == "mine"


def test_overwrite_writes_over_it(data: str, command: Command) -> None:
    Path("reviews.yaml").write_text("mine")
    code, *_ = command(data, "--overwrite")
    assert code == 0
    assert recipes.load("reviews.yaml").task.name == "text-classification"


def test_a_place_of_ones_own(data: str, command: Command, tmp_path: Path) -> None:
    command(data, "--output", "mine.yml")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.yml", "reviews.csv"]


@pytest.mark.parametrize("place", [".", "absent/recipe.yaml"])
def test_a_place_that_is_none_is_refused_before_anything_is_read(place: str, command: Command) -> None:
    code, _, said = command("no-such-data.csv", "--output", place)
    assert code == 2
    assert "no-such-data" not in said


def test_nothing_is_left_where_the_data_cannot_be_used(data: str, command: Command, tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_text("text\nfine\ngood\n")
    code, *_ = command("odd.csv")
    assert code == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["odd.csv", "reviews.csv"]


def test_json_tells_all_of_it(data: str, command: Command) -> None:
    _, out, _ = command(data, "--json")
    document = json.loads(out)
    assert document["recipe"] == "reviews.yaml"
    assert document["task"] == "text-classification"
    assert document["data"]["columns"] == {"text": "text", "label": "label"}
    assert document["rows"] == {"train": 36, "validation": 4}
    assert document["labels"] == ["negative", "positive"]


def test_settings_that_are_known_go_into_the_recipe(data: str, command: Command) -> None:
    command(data, "train.steps=7", "data.validation_share=0.25", "model.dropout=0.2")
    recipe = recipes.load("reviews.yaml")
    assert (recipe.train.steps, recipe.train.epochs) == (7, None)
    assert recipe.data.validation_share == 0.25
    assert recipe.model.dropout == 0.2


def test_a_wrong_setting_is_refused(data: str, command: Command) -> None:
    code, _, said = command(data, "train.epoch=7")
    assert code == 2
    assert "train.epoch is an unknown key; did you mean 'epochs'?" in said


@pytest.mark.parametrize(
    ("setting", "option"),
    [
        ("task=summarization", "--task NAME"),
        ("task.kind=regression", "--task NAME"),
        ("model=gpt2", "--model ID_OR_FOLDER"),
        ("data.columns={text: user}", "--column ROLE=COLUMN"),
    ],
)
def test_what_is_found_out_is_said_by_an_option(
    setting: str, option: str, data: str, command: Command
) -> None:
    code, _, said = command(data, setting)
    assert code == 2
    assert f"{setting}: this is found out from the data; say it with {option}" in said


def test_a_model_that_cannot_do_the_task_is_refused(
    data: str, command: Command, checkpoint: Callable[..., Path]
) -> None:
    code, _, said = command(data, "--model", str(checkpoint("vit")))
    assert code == 2
    assert "has no head for text-classification" in said
    assert not Path("reviews.yaml").exists()


def test_lengths_fit_the_model_that_is_given(
    data: str, command: Command, checkpoint: Callable[..., Path]
) -> None:
    command(data, "--model", str(checkpoint("bert")))
    assert "  max_length: 64  # the model reads at most 64 tokens\n" in Path("reviews.yaml").read_text()


def test_a_model_that_cannot_be_reached_is_written_down_and_told(data: str, command: Command) -> None:
    code, *_ = command(data, "--model", "nobody/nothing")
    assert code == 0
    text = " ".join(Path("reviews.yaml").read_text().replace("#", " ").split())
    assert "not held against the model, which could not be looked at" in text


def test_a_data_set_that_cannot_be_reached_is_the_environments_fault(
    command: Command, tmp_path: Path
) -> None:
    code, _, said = command("nobody/nothing", "--output", str(tmp_path / "r.yaml"))
    assert code == 3
    assert "no file or folder here" in said


def test_interactive_asks_where_it_would_refuse(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    languages = ["en", "fr", "de", "en"] * 10
    sheet(tmp_path / "rows.csv", ["title", "country", "language"], texts(), ["US", "UK"] * 20, languages)
    monkeypatch.setattr("sys.stdin", io.StringIO("\n\nlanguage\n"))
    code, out, said = command("rows.csv", "--interactive", "--json")
    assert code == 0
    assert "Task (image-classification, " in said
    assert "Column of label [country]:" in said
    assert json.loads(out)["data"]["columns"] == {"text": "title", "label": "language"}


def test_interactive_takes_what_is_expected(
    data: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n\n\n"))
    code, out, _ = command(data, "--interactive", "--json")
    assert code == 0
    assert json.loads(out)["data"]["columns"] == {"text": "text", "label": "label"}
