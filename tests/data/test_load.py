"""Rows are checked against their roles, labels are fixed once, and a missing validation split is cut."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tunekit import tasks
from tunekit.data.files import Table, from_dataset
from tunekit.data.load import (
    Data,
    check_rows,
    cut_validation,
    label_set,
    load,
    load_split,
    narrowed,
    resolve_all,
)
from tunekit.errors import InputError
from tunekit.recipe import DataSection

TEXTS = tasks.find("text-classification")
MEND = "correct the row, or set data.bad_rows=skip"
GOOD = [{"text": f"text {i}", "label": ["bad", "good"][i % 2]} for i in range(20)]


def write(folder: Path, **splits: Iterable[Any]) -> Path:
    for split, rows in splits.items():
        tiny.write_jsonl(folder / f"{split}.jsonl", rows)
    return folder


def loaded(path: Path, *, seed: int = 0, **settings: Any) -> Data:
    return load(DataSection(path=str(path), **settings), TEXTS, TEXTS.Options(), seed)


def problems(path: Path, **settings: Any) -> list[str]:
    """What is wrong with a folder of texts, without the folder's name."""
    with pytest.raises(InputError) as caught:
        loaded(path, **settings)
    return [problem.replace(f"{path}/", "") for problem in caught.value.problems]


@pytest.mark.parametrize("label", ["NA", "None", "null", "nan", "01", "1.0", "no", "True"])
def test_a_label_in_csv_stays_the_label_it_is_written_as(tmp_path: Path, label: str) -> None:
    (tmp_path / "d.csv").write_text(f"text,label\na,{label}\nb,other\nc,{label}\nd,other\n")
    assert label in loaded(tmp_path / "d.csv").labels


def test_labels_are_sorted(tmp_path: Path) -> None:
    rows = [{"text": "x", "label": label} for label in ("b", "c", "a", "b", "c", "a")]
    assert loaded(write(tmp_path, train=rows)).labels == ["a", "b", "c"]


def test_numbers_are_sorted_by_size(tmp_path: Path) -> None:
    rows = [{"text": "x", "label": label} for label in (10, 9, -1, 10, 9, -1)]
    assert loaded(write(tmp_path, train=rows)).labels == ["-1", "9", "10"]


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([True, False], ["false", "true"]),
        ([0.0, 1.0], ["0", "1"]),
        ([" a", "b "], ["a", "b"]),
        (["--1", "1"], ["--1", "1"]),
    ],
    ids=repr,
)
def test_labels_are_names(tmp_path: Path, values: list[Any], labels: list[str]) -> None:
    rows = [{"text": "x", "label": value} for value in values * 4]
    assert loaded(write(tmp_path, train=rows)).labels == labels


def test_rows_keep_their_labels_by_name(tmp_path: Path) -> None:
    data = loaded(write(tmp_path, train=GOOD), validation_share=0)
    assert [(row["text"], row["label"]) for row in data.splits["train"]] == [
        (row["text"], row["label"]) for row in GOOD
    ]


def test_rows_share_the_text_of_their_label(tmp_path: Path) -> None:
    rows = loaded(write(tmp_path, train=GOOD), validation_share=0).splits["train"]
    assert len({id(row["label"]) for row in rows}) == 2


def test_columns_without_a_role_are_dropped(tmp_path: Path) -> None:
    found = {"text": "text", "label": "label"}
    tables = {"train": [Table("d", {"text": ["a"], "other": ["b"], "label": ["c"]}, [7])]}
    (table,) = narrowed(tables, found)["train"]
    assert (table.columns, table.place(0)) == ({"text": ["a"], "label": ["c"]}, "d:7")


def test_rows_that_cannot_be_used_are_all_named(tmp_path: Path) -> None:
    bad = [
        {"text": "", "label": "good"},
        {"text": " \t", "label": "good"},
        {"text": None, "label": "good"},
        {"text": 5, "label": "good"},
        {"text": "x", "label": ""},
        {"text": "x", "label": None},
        {"text": "x"},
        {"text": "x\ud800", "label": "good"},
        {"text": None, "label": None},
    ]
    assert problems(write(tmp_path, train=[*GOOD, *bad])) == [
        f"train.jsonl:21: text is empty; {MEND}",
        f"train.jsonl:22: text is empty; {MEND}",
        f"train.jsonl:23: text is null; {MEND}",
        f"train.jsonl:24: text is 5, not a text; {MEND}",
        f"train.jsonl:25: label is empty; {MEND}",
        f"train.jsonl:26: label is null; {MEND}",
        f"train.jsonl:27: label is null; {MEND}",
        f"train.jsonl:28: text holds half a character (at 1), which no tokenizer takes; {MEND}",
        f"train.jsonl:29: text is null; {MEND}",
        f"train.jsonl:29: label is null; {MEND}",
    ]


def test_bad_rows_can_be_left_out_and_are_listed(tmp_path: Path) -> None:
    path = write(tmp_path, train=[*GOOD, {"text": "", "label": "good"}])
    data = loaded(path, bad_rows="skip", validation_share=0)
    assert len(data.splits["train"]) == 20
    assert data.skipped == [f"{path}/train.jsonl:21: text is empty; {MEND}"]


def test_a_label_of_rows_that_are_left_out_is_no_label(tmp_path: Path) -> None:
    path = write(tmp_path, train=[*GOOD, {"text": "", "label": "rare"}])
    assert loaded(path, bad_rows="skip").labels == ["bad", "good"]


def test_a_split_of_which_no_row_is_left_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, train=GOOD, test=[{"text": "", "label": "good"}])
    (problem,) = problems(path, bad_rows="skip")
    assert (
        problem == "the test split has no rows that can be used (test.jsonl:1: text is empty); correct them"
    )


@pytest.mark.parametrize(
    ("other", "name"), [(1, "a number"), (1.5, "a number"), (True, "true or false"), ({"a": 1}, "an object")]
)
def test_labels_of_two_types_are_refused_with_the_first_row_of_each(
    tmp_path: Path, other: Any, name: str
) -> None:
    path = write(tmp_path, train=[*GOOD, {"text": "x", "label": other}])
    assert problems(path) == [
        f"column 'label' mixes types: text at {path}/train.jsonl:1 and {name} at {path}/train.jsonl:21; "
        "write all labels the same way".replace(f"{path}/", "")
    ]


def test_labels_true_and_1_are_of_two_types(tmp_path: Path) -> None:
    path = write(tmp_path, train=[{"text": "x", "label": True}, {"text": "x", "label": 1}])
    (problem,) = problems(path)
    assert "true or false at train.jsonl:1 and a number at train.jsonl:2" in problem


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_label_that_training_lacks_is_refused_with_its_row(tmp_path: Path, split: str) -> None:
    rows = [GOOD[0], {"text": "x", "label": "Good"}, {"text": "x", "label": "unheard"}]
    assert problems(write(tmp_path, train=GOOD, **{split: rows})) == [
        f"{split}.jsonl:2: label 'Good' does not occur in training; did you mean 'good'?; "
        f"the labels are bad, good; {MEND}",
        f"{split}.jsonl:3: label 'unheard' does not occur in training; the labels are bad, good; {MEND}",
    ]


def test_names_in_train_and_numbers_in_test_are_refused(tmp_path: Path) -> None:
    (problem,) = problems(write(tmp_path, train=GOOD, test=[{"text": "x", "label": 1}]))
    assert problem.startswith("test.jsonl:1: label '1' does not occur in training")


def test_a_hundred_thousand_unknown_labels_are_told_at_once(tmp_path: Path) -> None:
    train = [{"text": "x", "label": f"a{i % 1000}"} for i in range(2000)]
    test = [{"text": "x", "label": f"b{i}"} for i in range(100_000)]
    assert len(problems(write(tmp_path, train=train, test=test))) == 100_000


def test_a_single_label_is_refused(tmp_path: Path) -> None:
    assert problems(write(tmp_path, train=[{"text": "x", "label": "good"}] * 5)) == [
        "training has no label but good (column 'label'), and there must be two to tell apart; "
        "add rows of another, or correct data.columns"
    ]


def test_data_without_training_rows_are_refused(tmp_path: Path) -> None:
    (problem,) = problems(write(tmp_path, test=GOOD))
    assert problem.endswith("has no training split, only test; name it with data.splits.train")


def test_columns_that_differ_between_files_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, train=GOOD, test=[{"sentence": "x", "label": "good"}])
    (problem,) = problems(path)
    assert problem == (
        f"test.jsonl has no column 'text', which {path}/train.jsonl has; "
        "its columns are sentence, label; name them alike".replace(f"{path}/", "")
    )


def test_a_column_of_ids_that_only_some_files_have_is_not_used(tmp_path: Path) -> None:
    train = [{**row, "id": f"r{i}"} for i, row in enumerate(GOOD)]
    data = loaded(write(tmp_path, train=train, test=GOOD))
    assert "id" not in data.columns
    assert [row["id"] for row in data.splits["test"]] == list(range(20))


def numbered(folder: Path) -> Path:
    """A folder of two files of training rows that each number theirs, and one of test rows."""
    rows = [{**row, "nr": i, "id": i} for i, row in enumerate(GOOD)]
    return write(folder, train_a=rows, train_b=rows, test=rows)


def test_ids_that_files_of_a_split_have_in_common_are_not_used(tmp_path: Path) -> None:
    data = loaded(numbered(tmp_path), validation_share=0)
    assert "id" not in data.columns
    assert [row["id"] for row in data.splits["train"]] == list(range(40))


def test_named_ids_that_files_of_a_split_have_in_common_are_refused(tmp_path: Path) -> None:
    named = {"text": "text", "label": "label", "id": "nr"}
    (problem,) = problems(numbered(tmp_path), columns=named)
    assert problem == (
        "data.columns.id 'nr' does not tell every row of the train split (2 tables) from the others by a "
        "text or a whole number; name another column, or leave it out to number the rows"
    )


def test_lines_that_cannot_be_read_can_be_left_out(tmp_path: Path) -> None:
    path = write(tmp_path, train=GOOD)
    with (path / "train.jsonl").open("a") as file:
        file.write('{"text": "x"\n[1]\n{"text": 5, "label": "bad"}\n')
    data = loaded(path, bad_rows="skip", validation_share=0)
    assert len(data.splits["train"]) == len(GOOD)
    assert [problem.split("train.jsonl:")[1][:2] for problem in data.skipped] == ["21", "22", "23"]


def test_labels_that_all_occur_once_are_why_nothing_can_be_cut(tmp_path: Path) -> None:
    (problem,) = problems(write(tmp_path, train=GOOD), columns={"text": "label", "label": "text"})
    assert problem.startswith("training has 20 rows, each with a label that no other has, so that")


def test_ids_of_the_data_are_kept(tmp_path: Path) -> None:
    rows = [{**row, "id": f"r{i}"} for i, row in enumerate(GOOD)]
    data = loaded(write(tmp_path, train=rows), validation_share=0)
    assert [row["id"] for row in data.splits["train"]] == [f"r{i}" for i in range(20)]


def class_labelled(values: list[Any], names: list[str], source: str = "memory") -> Table:
    from datasets import ClassLabel, Dataset, Features, Value

    features = Features({"text": Value("string"), "label": ClassLabel(names=names)})
    rows = {"text": [f"text {i}" for i in range(len(values))], "label": values}
    return from_dataset(Dataset.from_dict(rows, features=features), source)


def checked(*tables: Table) -> tuple[list[Any], list[str], list[str]]:
    """The labels of the rows of some tables, the label set, and what is wrong."""
    section = DataSection(path="x")
    found = resolve_all({"train": list(tables)}, {**TEXTS.inputs, **TEXTS.targets}, section)
    rows, wrong, _ = check_rows({"train": list(tables)}, TEXTS, TEXTS.Options(), found)
    labels = label_set(tables, [row for row in rows["train"] if "label" in row], "label", found)
    return [row.get("label") for row in rows["train"]], labels, [text for _, text in wrong]


def test_class_labels_keep_their_names_and_their_order() -> None:
    labels, label_names, _ = checked(class_labelled([1, 0, 2], ["zebra", "ape", "lion"]))
    assert labels == ["ape", "zebra", "lion"]
    assert label_names == ["zebra", "ape", "lion"]


def test_class_labels_are_matched_by_name_where_their_order_differs() -> None:
    labels, label_names, _ = checked(class_labelled([0, 1], ["a", "b"]), class_labelled([0, 1], ["b", "c"]))
    assert labels == ["a", "b", "b", "c"]
    assert label_names == ["a", "b", "c"]


def test_a_hidden_class_label_is_refused() -> None:
    *_, wrong = checked(class_labelled([0, -1, 1], ["a", "b"]))
    (problem,) = wrong
    assert problem.startswith(
        "memory row 1: label is -1, outside the 2 labels (-1 often stands for a hidden label)"
    )


def test_a_null_class_label_is_refused() -> None:
    *_, wrong = checked(class_labelled([0, None, 1], ["a", "b"]))
    assert wrong == [f"memory row 1: label is null; {MEND}"]


def test_a_missing_validation_split_is_cut_from_train(tmp_path: Path) -> None:
    data = loaded(write(tmp_path, train=GOOD), validation_share=0.2)
    texts = {name: {row["text"] for row in rows} for name, rows in data.splits.items()}
    assert (len(texts["train"]), len(texts["validation"])) == (16, 4)
    assert texts["train"] | texts["validation"] == {row["text"] for row in GOOD}


def test_the_cut_keeps_the_shares_of_labels() -> None:
    rows = [{"text": str(i), "label": "rare" if i % 10 == 0 else "common"} for i in range(200)]
    cut = cut_validation({"train": rows}, 0.25, "label", 0)
    assert Counter(row["label"] for row in cut["validation"]) == {"rare": 5, "common": 45}


def test_the_cut_leaves_every_label_in_train() -> None:
    rows = [{"text": str(i), "label": str(i % 10)} for i in range(20)]
    cut = cut_validation({"train": rows}, 0.9, "label", 0)
    assert {row["label"] for row in cut["train"]} == {str(i) for i in range(10)}


def test_the_cut_follows_the_seed() -> None:
    cuts = [cut_validation({"train": GOOD}, 0.3, "label", seed)["validation"] for seed in (1, 1, 2)]
    assert cuts[0] == cuts[1] != cuts[2]


def test_a_validation_split_that_is_there_is_kept(tmp_path: Path) -> None:
    data = loaded(write(tmp_path, train=GOOD, validation=GOOD[:3]))
    assert {name: len(rows) for name, rows in data.splits.items()} == {"train": 20, "validation": 3}


def test_no_validation_split_is_cut_where_none_is_wanted(tmp_path: Path) -> None:
    assert list(loaded(write(tmp_path, train=GOOD), validation_share=0).splits) == ["train"]


def test_too_few_rows_to_cut_from_are_refused(tmp_path: Path) -> None:
    assert problems(write(tmp_path, train=GOOD[:2])) == [
        "training has 2 rows, too few to cut a validation split from; "
        "give more, name one with data.splits.validation, or set data.validation_share=0"
    ]


def test_a_limit_draws_rows_by_the_seed_and_keeps_their_order(tmp_path: Path) -> None:
    path = write(tmp_path, train=GOOD, validation=GOOD)
    drawn = [loaded(path, seed=seed, limit={"train": 7}).splits["train"] for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert [row["id"] for row in drawn[0]] == sorted(row["id"] for row in drawn[0])
    assert len(drawn[0]) == 7


def test_the_fingerprint_follows_the_rows_and_not_the_file(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    write(tmp_path / "a", train=GOOD)
    (tmp_path / "b.json").write_text(json.dumps(GOOD))
    first, second = loaded(tmp_path / "a").facts(), loaded(tmp_path / "b.json").facts()
    assert first["splits"] == second["splits"]


def test_scoring_takes_the_test_split_where_there_is_one(tmp_path: Path) -> None:
    section = DataSection(path=str(write(tmp_path, train=GOOD, test=GOOD[:4])))
    name, data = load_split(section, TEXTS(TEXTS.Options(), None, ["bad", "good"]), None)
    assert (name, len(data.splits["test"])) == ("test", 4)


def test_scoring_refuses_labels_that_the_model_never_saw(tmp_path: Path) -> None:
    section = DataSection(path=str(write(tmp_path, test=GOOD[:4])))
    with pytest.raises(InputError, match=r"test\.jsonl:2: label 'good' does not occur in training"):
        load_split(section, TEXTS(TEXTS.Options(), None, ["bad", "fine"]), "test")


def test_scoring_refuses_a_split_that_is_not_there(tmp_path: Path) -> None:
    section = DataSection(path=str(write(tmp_path, train=GOOD)))
    with pytest.raises(InputError, match=r"has no test split; choose from train"):
        load_split(section, TEXTS(TEXTS.Options(), None, ["bad", "good"]), "test")


def test_other_rows_are_scored_by_the_columns_that_a_model_learned_from(tmp_path: Path) -> None:
    task = TEXTS(TEXTS.Options(), None, ["bad", "good"])
    task.origin = {"columns": {"text": "body", "label": "mood"}}
    row = {"text": "title", "body": "one", "label": "good", "mood": "bad"}
    path = write(tmp_path, test=[row])
    _, data = load_split(DataSection(path=str(path)), task, None)
    assert data.columns == {"text": "body", "label": "mood"}
