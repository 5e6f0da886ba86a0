"""Rows for token classification: tags in the recipe's scheme, one for each word."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tunekit import tasks
from tunekit.data.files import from_dataset
from tunekit.data.load import Data, check_rows, load, resolve_all
from tunekit.errors import InputError
from tunekit.recipe import DataSection

WORDS = tasks.find("token-classification")
GOOD = tiny.sentences(10)
MEND = "correct the row, or set data.bad_rows=skip"


def loaded(path: Path, *, scheme: str = "bio", **settings: Any) -> Data:
    return load(DataSection(path=str(path), **settings), WORDS, WORDS.Options(scheme=scheme), 0)


def with_row(folder: Path, tokens: Any, tags: Any) -> Path:
    """Good sentences, and one more in line 11."""
    return tiny.write_jsonl(folder / "d.jsonl", [*GOOD, {"tokens": tokens, "ner_tags": tags}])


def problems(path: Path, **settings: Any) -> list[str]:
    with pytest.raises(InputError) as caught:
        loaded(path, **settings)
    return [problem.replace(f"{path.parent}/", "") for problem in caught.value.problems]


def test_labels_are_those_of_all_words(tmp_path: Path) -> None:
    assert loaded(tiny.write_jsonl(tmp_path / "d.jsonl", GOOD)).labels == ["B-LOC", "B-PER", "O"]


@pytest.mark.parametrize(
    ("tokens", "tags", "problem"),
    [
        (["a"], ["O", "O"], "1 words but 2 tags"),
        (["a", "b"], ["O"], "2 words but 1 tags"),
        (["a"], ["X-PER"], "tag 'X-PER' of word 0 is neither O nor B-TYPE or I-TYPE"),
        (["a"], ["PER"], "tag 'PER' of word 0 is neither O nor B-TYPE or I-TYPE"),
        (["a"], ["b-PER"], "tag 'b-PER' of word 0 is neither O nor B-TYPE or I-TYPE"),
        (["a"], ["B-"], "tag 'B-' of word 0 is neither O nor B-TYPE or I-TYPE"),
        (["a", "b"], ["O", "I-PER"], "tag 'I-PER' of word 1 follows 'O', which begins no PER"),
        (["a", "b"], ["B-PER", "I-LOC"], "tag 'I-LOC' of word 1 follows 'B-PER', which begins no LOC"),
        ([], [], "tokens is an empty list, not a text or a list of words"),
        (None, ["O"], "tokens is null"),
        ("a b c", ["O", "O"], "3 words but 2 tags"),
        (7, ["O"], "tokens is 7, not a text or a list of words"),
        (["a", None], ["O", "O"], "tokens item 1 is null"),
        (["a", " "], ["O", "O"], "tokens item 1 is empty"),
        (["a", 5], ["O", "O"], "tokens item 1 is 5, not a text"),
        (["a", "b"], ["O", None], "ner_tags item 1 is null"),
        (["a", "b"], ["O", ""], "ner_tags item 1 is empty"),
    ],
)
def test_a_bad_sentence_is_named_with_its_line(tmp_path: Path, tokens: Any, tags: Any, problem: str) -> None:
    assert problems(with_row(tmp_path, tokens, tags))[0].startswith(f"d.jsonl:11: {problem}; ")


def test_a_wrong_length_and_a_wrong_tag_are_both_named(tmp_path: Path) -> None:
    assert len(problems(with_row(tmp_path, ["a"], ["X", "O"]))) == 2


@pytest.mark.parametrize(
    ("scheme", "tags"),
    [
        ("bio", ["B-PER", "I-PER", "B-PER"]),
        ("iob1", ["I-PER", "I-PER", "B-PER"]),
        ("bioes", ["B-PER", "E-PER", "S-LOC"]),
        ("plain", ["NOUN", "X-PER", "I-what"]),
    ],
)
def test_tags_of_the_scheme_are_taken(tmp_path: Path, scheme: str, tags: list[str]) -> None:
    path = with_row(tmp_path, ["a", "b", "c"], tags)
    assert set(tags) <= set(loaded(path, scheme=scheme).labels)


@pytest.mark.parametrize(
    ("scheme", "tags"), [("bio", ["S-PER", "O"]), ("bioes", ["O", "E-PER"]), ("iob1", ["E-PER", "O"])]
)
def test_tags_of_another_scheme_are_refused_with_what_to_set(
    tmp_path: Path, scheme: str, tags: list[str]
) -> None:
    (problem,) = problems(with_row(tmp_path, ["a", "b"], tags), scheme=scheme)
    assert "set task.scheme" in problem


def test_tags_of_sentences_that_are_left_out_are_no_labels(tmp_path: Path) -> None:
    data = loaded(with_row(tmp_path, ["a"], ["X-PER"]), bad_rows="skip")
    assert data.labels == ["B-LOC", "B-PER", "O"]


def test_names_and_numbers_as_tags_are_refused(tmp_path: Path) -> None:
    (problem,) = problems(with_row(tmp_path, ["a"], [1]))
    assert problem == (
        "column 'ner_tags' mixes types: text at d.jsonl:1 and a number at d.jsonl:11; "
        "write all labels the same way"
    )


def test_a_tag_that_training_lacks_is_refused_with_its_row(tmp_path: Path) -> None:
    tiny.write_jsonl(tmp_path / "train.jsonl", GOOD)
    tiny.write_jsonl(tmp_path / "test.jsonl", [{"tokens": ["a", "b"], "ner_tags": ["B-ORG", "B-ORG"]}])
    (problem,) = problems(tmp_path)
    assert "test.jsonl:1: label 'B-ORG' does not occur in training; did you mean 'B-" in problem


def test_column_files_are_sentences(tmp_path: Path) -> None:
    (tmp_path / "d.conll").write_text("Ada B-PER\nwent O\n\n" * 4)
    data = loaded(tmp_path / "d.conll", validation_share=0)
    assert data.splits["train"][1]["words"] == ["Ada", "went"]
    assert data.splits["train"][1]["place"].endswith("d.conll:4")


def test_a_wrong_tag_in_a_column_file_is_named_with_the_line_of_its_sentence(tmp_path: Path) -> None:
    (tmp_path / "d.txt").write_text("Ada B-PER\nwent O\n\nBob B-PER\nto X-LOC\n")
    (problem,) = problems(tmp_path / "d.txt")
    assert problem.startswith("d.txt:4: tag 'X-LOC' of word 1 is neither O nor")


def test_class_labels_in_lists_become_their_names() -> None:
    from datasets import ClassLabel, Dataset, Features, List, Value

    features = Features({"tokens": List(Value("string")), "ner_tags": List(ClassLabel(names=["O", "B-PER"]))})
    rows = {"tokens": [["Ada", "went"], ["He"], ["She"]], "ner_tags": [[1, 0], [-1], [0]]}
    table = from_dataset(Dataset.from_dict(rows, features=features), "memory")
    found = resolve_all({"train": [table]}, {**WORDS.inputs, **WORDS.targets}, DataSection(path="x"))
    checked, wrong, _ = check_rows({"train": [table]}, WORDS, WORDS.Options(), found)
    assert checked["train"][0]["tags"] == ["B-PER", "O"]
    assert [text for _, text in wrong] == [
        "memory row 1: ner_tags item 0 is -1, outside the 2 labels (-1 often stands for a hidden label); "
        + MEND
    ]


def test_sentences_are_cut_for_validation_by_the_seed(tmp_path: Path) -> None:
    path = tiny.write_jsonl(tmp_path / "d.jsonl", GOOD)
    first, second = loaded(path, validation_share=0.3), loaded(path, validation_share=0.3)
    assert len(first.splits["validation"]) == 3
    assert json.dumps(first.splits) == json.dumps(second.splits)
