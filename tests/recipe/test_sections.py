"""Each setting has a type and a range; what is outside is named with its line and with what to give."""

import json
from pathlib import Path

import pytest

from tunekit import recipe as recipes
from tunekit.errors import InputError
from tunekit.recipe import Recipe

METRICS = "accuracy, macro_f1, mcc, macro_precision, macro_recall, balanced_accuracy, weighted_f1"
HEAD = "task: text-classification\nmodel: some/model\ndata: rows.csv\n"


def write(folder: Path, text: str) -> Path:
    (folder / "r.yaml").write_text(text)
    return folder / "r.yaml"


def load(folder: Path, text: str) -> Recipe:
    return recipes.load(write(folder, text))


def problems(folder: Path, text: str) -> list[str]:
    """What is wrong with a recipe, without the folder's name."""
    with pytest.raises(InputError) as caught:
        load(folder, text)
    return [problem.replace(f"{folder}/", "") for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("written", "value"), [("5e-5", 5e-5), ("1e-5", 1e-5), ("0.001", 0.001), ("1", 1.0), ("'2e-5'", 2e-5)]
)
def test_a_learning_rate_is_a_number_however_it_is_written(
    tmp_path: Path, written: str, value: float
) -> None:
    assert load(tmp_path, f"{HEAD}train: {{learning_rate: {written}}}").train.learning_rate == value


@pytest.mark.parametrize("word", ["no", "on", "yes", "null_", "1", "NA", "0123"])
def test_a_column_may_be_called_anything(tmp_path: Path, word: str) -> None:
    text = HEAD.replace("rows.csv", f"{{path: rows.csv, columns: {{text: {word}}}}}")
    assert load(tmp_path, text).data.columns == {"text": word}


@pytest.mark.parametrize("revision", ["010", "1234567", "12:30", "2024-01-01", "1_000", "1e5"])
def test_a_revision_is_kept_as_it_is_written(tmp_path: Path, revision: str) -> None:
    text = HEAD.replace("rows.csv", f"{{path: a/b, revision: {revision}}}")
    assert load(tmp_path, text).data.revision == revision


@pytest.mark.parametrize("value", [".nan", ".inf", "-.inf", "nan", "inf", "1e400", "fast", "", "yes", "[1]"])
def test_a_learning_rate_that_is_no_finite_number_is_refused(tmp_path: Path, value: str) -> None:
    (problem,) = problems(tmp_path, f"{HEAD}train:\n  learning_rate: {value}")
    assert problem.startswith("r.yaml:5: train.learning_rate is ")
    assert problem.endswith("give a finite number")


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ("train: {batch_size: 0}", "train.batch_size is 0; give a number of at least 1"),
        ("train: {batch_size: -8}", "train.batch_size is -8; give a number of at least 1"),
        ("train: {batch_size: 1.5}", "train.batch_size is 1.5; give a whole number"),
        ("train: {batch_size: many}", "train.batch_size is many; give a whole number"),
        ("train: {batch_size: null}", "train.batch_size is empty; give a whole number"),
        ("train: {learning_rate: 0}", "train.learning_rate is 0; give a number greater than 0"),
        ("train: {epochs: 0}", "train.epochs is 0; give a number greater than 0"),
        ("train: {steps: 0}", "train.steps is 0; give a number of at least 1"),
        ("train: {warmup: -1}", "train.warmup is -1; give a number of at least 0"),
        ("train: {seed: 4294967296}", "train.seed is 4294967296; give a number less than 4294967296"),
        (
            "train: {evaluate_every: never}",
            "train.evaluate_every is never; give epoch or a whole number of steps",
        ),
        ("train: {save_every: 0}", "train.save_every is 0; give epoch or a whole number of steps"),
        ("train: {micro_batch: 1.5}", "train.micro_batch is 1.5; give auto or a whole number of windows"),
        (
            "train: {schedule: liner}",
            "train.schedule is liner; did you mean 'linear'?; "
            "choose from linear, cosine, constant, inverse-sqrt, wsd",
        ),
        (
            "train: {precision: half}",
            "train.precision is half; choose from auto, bf16, fp16, fp32",
        ),
        ("train: {epochs: 1, steps: 5}", "train: epochs and steps are both given; remove one"),
        ("metrics: accuracy", "metrics is accuracy; give a list, such as [a, b]"),
        (
            "metrics: [accurcy]",
            "metric 'accurcy' is not built in, and no .py file that exists; did you mean 'accuracy'?; "
            f"choose from {METRICS}",
        ),
        (
            "train: {best: acuracy}",
            "train.best 'acuracy' is no metric of text-classification; did you mean 'accuracy'?; "
            f"choose from {METRICS}",
        ),
    ],
)
def test_a_wrong_value_is_named_with_its_line(tmp_path: Path, section: str, problem: str) -> None:
    assert problems(tmp_path, HEAD + section) == [f"r.yaml:4: {problem}"]


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("validation_share: 1", "data.validation_share is 1; give a number less than 1"),
        ("bad_rows: ignore", "data.bad_rows is ignore; choose from error, skip"),
        ("limit: {train: 0}", "data.limit.train is 0; give a number of at least 1"),
        ("limit: 5", "data.limit is 5; give keys and values, such as {key: value}"),
        ("splits: [train]", "data.splits is ['train']; give keys and values, such as {key: value}"),
        (
            "splits: {trian: a}",
            "data.splits.trian is an unknown key; did you mean 'train'?; "
            "the keys of data.splits are train, validation, test: correct or remove it",
        ),
        (
            "splits: {}",
            "data.splits: no split is named; name one, such as {train: train}, or remove the key",
        ),
        (
            "columns: {txt: a}",
            "data.columns.txt is no role of text-classification; did you mean 'text'?; "
            "choose from text, pair, label, id",
        ),
        (
            "columns: {text: a, label: a}",
            "data.columns.label is 'a', and so is text; give each role a column of its own",
        ),
        (
            "encoding: latn-1",
            "data.encoding is latn-1; no encoding is called that; did you mean 'latin-1'?; "
            "give one such as utf-8, utf-16, latin-1, cp1252, gb18030, shift_jis, koi8-r",
        ),
        ("separator: '||'", r"data.separator is ||; give one character, such as ; or \t for a tab"),
        ("separator: ''", r"data.separator is empty; give one character, such as ; or \t for a tab"),
    ],
)
def test_a_wrong_value_about_the_data_is_named_with_its_line(
    tmp_path: Path, setting: str, problem: str
) -> None:
    text = HEAD.replace("rows.csv", f"{{path: rows.csv, {setting}}}")
    assert problems(tmp_path, text) == [f"r.yaml:3: {problem}"]


@pytest.mark.parametrize("encoding", ["rot13", "hex", '"ut\\0f"', "klingon"])
def test_what_is_no_encoding_of_text_is_refused(tmp_path: Path, encoding: str) -> None:
    (problem,) = problems(tmp_path, HEAD.replace("rows.csv", f"{{path: rows.csv, encoding: {encoding}}}"))
    assert "no encoding is called that" in problem


def test_a_tab_may_be_written_with_a_backslash(tmp_path: Path) -> None:
    text = HEAD.replace("rows.csv", "{path: rows.csv, separator: \\t}")
    assert load(tmp_path, text).data.separator == "\t"


@pytest.mark.parametrize("rate", ["1", "-0.1", "much"])
def test_a_dropout_outside_0_to_1_is_refused(tmp_path: Path, rate: str) -> None:
    (problem,) = problems(tmp_path, HEAD.replace("some/model", f"{{name: some/model, dropout: {rate}}}"))
    assert problem.startswith(f"r.yaml:2: model.dropout is {rate}; give a")


@pytest.mark.parametrize("value", ["fast", "[1]", ""])
def test_a_section_that_is_none_is_told_its_keys(tmp_path: Path, value: str) -> None:
    (problem,) = problems(tmp_path, f"{HEAD}train: {value}")
    assert problem.startswith("r.yaml:4: train is ")
    assert "give it keys (epochs, steps, batch_size," in problem


def test_an_unknown_key_is_named_with_the_nearest_and_all_there_are(tmp_path: Path) -> None:
    assert problems(tmp_path, f"{HEAD}trian: {{epochs: 1}}") == [
        "r.yaml:4: trian is an unknown key; did you mean 'train'?; "
        "the keys of a recipe are task, model, data, train, adapter, metrics, tracking, hub: "
        "correct or remove it"
    ]


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("learningrate", "learning_rate"),
        ("lr", "learning_rate"),
        ("num_train_epochs", "epochs"),
        ("per_device_train_batch_size", "batch_size"),
        ("warmup_steps", "warmup"),
    ],
)
def test_an_unknown_key_of_a_section_is_named_with_the_nearest(tmp_path: Path, key: str, meant: str) -> None:
    (problem,) = problems(tmp_path, f"{HEAD}train:\n  {key}: 1")
    assert problem.startswith(
        f"r.yaml:5: train.{key} is an unknown key; did you mean {meant!r}?; the keys of train"
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"{HEAD}learning_rate: 1", "4: learning_rate is an unknown key; did you mean train.learning_rate?"),
        (
            f"{HEAD}train: {{max_length: 9}}",
            "4: train.max_length is an unknown key; did you mean task.max_length?",
        ),
        (
            HEAD.replace("text-classification", "{name: text-classification, scheme: bio}"),
            "1: task.scheme is an unknown key; it is an option of token-classification",
        ),
    ],
)
def test_a_key_in_the_wrong_place_is_told_its_own(tmp_path: Path, text: str, problem: str) -> None:
    assert problems(tmp_path, text)[0].startswith(f"r.yaml:{problem}; the keys of ")


@pytest.mark.parametrize(
    ("task", "problem"),
    [
        ("text-clasification", "there is no task 'text-clasification'; did you mean 'text-classification'?"),
        ("[a]", "task is ['a']; name one of "),
        ("", "task is missing; name one of "),
        ("{max_length: 5}", "task is missing; name one of "),
    ],
)
def test_a_task_that_is_none_is_told_which_there_are(tmp_path: Path, task: str, problem: str) -> None:
    (found,) = problems(tmp_path, HEAD.replace("text-classification", task))
    assert found.startswith(f"r.yaml:1: {problem}")
    assert "text-generation, text2text, token-classification" in found


def test_options_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    task = "{name: token-classification, max_length: 20, stride: 15}"
    (problem,) = problems(tmp_path, HEAD.replace("text-classification", task))
    assert problem == "r.yaml:1: task: stride 15 is more than half of max_length 20; lower it"


def test_a_recipe_with_a_short_window_alone_can_be_written_and_read_again(tmp_path: Path) -> None:
    task = "{name: token-classification, max_length: 20}"
    written = load(tmp_path, HEAD.replace("text-classification", task)).resolved()
    assert load(tmp_path, json.dumps(written)).resolved() == written


def test_missing_sections_are_all_named(tmp_path: Path) -> None:
    found = problems(tmp_path, "train: {epochs: 1}")
    assert [problem.split(";")[0] for problem in found] == [
        "r.yaml: task is missing",
        "r.yaml: model is missing",
        "r.yaml: data is missing",
    ]


def test_all_problems_of_a_recipe_come_in_one_report(tmp_path: Path) -> None:
    text = (
        "task: text-clasification\nmodel: {name: m, dropout: 2}\ndata: {path: d.csv, limit: {train: 0}}\n"
        "train:\n  batch_size: 0\n  batch_size: 8\n  learning_rate: .nan\n  lr: 1\nmetrics: !x [a]\n"
    )
    found = problems(tmp_path, text)
    assert sorted(int(problem.split(":")[1]) for problem in found) == [1, 2, 3, 5, 6, 7, 8, 9]


def test_a_value_of_any_length_leaves_the_message_short(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, f"{HEAD}train: {{learning_rate: {'x' * 50_000}}}")
    assert len(problem) < 200


def test_a_key_of_any_length_leaves_the_message_short(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, f"{HEAD}? {'x' * 50_000}\n: 1")
    assert len(problem) < 200
