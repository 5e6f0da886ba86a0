"""Rows for token classification as texts with spans of characters, which become tags of words."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tunekit import tasks
from tunekit.data.load import Data, load
from tunekit.errors import InputError
from tunekit.recipe import DataSection

WORDS = tasks.find("token-classification")
GOOD = [
    {"text": "Ada  went to New York!", "spans": [{"start": 0, "end": 3, "label": "PER"}]},
    {"text": "Rome", "spans": [{"start": 0, "end": 4, "label": "LOC"}]},
    {"text": "nothing here", "spans": []},
]


def loaded(folder: Path, *rows: Any, **options: Any) -> Data:
    """Good rows, and more from line 4 on."""
    path = tiny.write_jsonl(folder / "d.jsonl", [*GOOD, *rows])
    return load(DataSection(path=str(path), validation_share=0), WORDS, WORDS.Options(**options), 0)


def row(text: str, *spans: tuple[int, int, str]) -> dict[str, Any]:
    return {
        "text": text,
        "spans": [{"start": start, "end": end, "label": label} for start, end, label in spans],
    }


def problems(folder: Path, *rows: Any, **options: Any) -> list[str]:
    with pytest.raises(InputError) as caught:
        loaded(folder, *rows, **options)
    return [problem.replace(f"{folder}/", "") for problem in caught.value.problems]


def last(data: Data) -> dict[str, Any]:
    """The last training row."""
    return dict(data.splits["train"][-1])


def test_spans_become_tags_of_the_words_they_cover(tmp_path: Path) -> None:
    found = last(loaded(tmp_path, row("Ada went to New York!", (12, 20, "LOC"), (0, 3, "PER"))))
    assert found["words"] == ["Ada", "went", "to", "New", "York", "!"]
    assert found["tags"] == ["B-PER", "O", "O", "B-LOC", "I-LOC", "O"]


def test_neighbouring_spans_stay_apart(tmp_path: Path) -> None:
    found = last(loaded(tmp_path, row("Ada Bob", (0, 3, "PER"), (4, 7, "PER"))))
    assert found["tags"] == ["B-PER", "B-PER"]


def test_every_type_can_begin_and_go_on(tmp_path: Path) -> None:
    assert loaded(tmp_path).labels == ["B-LOC", "B-PER", "I-LOC", "I-PER", "O"]


def test_a_tag_that_only_goes_on_outside_training_is_known(tmp_path: Path) -> None:
    tiny.write_jsonl(tmp_path / "d" / "train.jsonl", GOOD)
    tiny.write_jsonl(tmp_path / "d" / "test.jsonl", [row("Ada Lovelace", (0, 12, "PER"))])
    data = load(DataSection(path=str(tmp_path / "d"), validation_share=0), WORDS, WORDS.Options(), 0)
    assert data.splits["test"][0]["tags"] == ["B-PER", "I-PER"]


def test_a_type_that_training_lacks_is_refused(tmp_path: Path) -> None:
    tiny.write_jsonl(tmp_path / "train.jsonl", GOOD)
    tiny.write_jsonl(tmp_path / "test.jsonl", [row("Ada", (0, 3, "ORG"))])
    with pytest.raises(InputError, match="test.jsonl:1: label 'B-ORG' does not occur in training"):
        load(DataSection(path=str(tmp_path)), WORDS, WORDS.Options(), 0)


def test_a_span_with_an_edge_inside_a_word_is_widened_and_reported(tmp_path: Path) -> None:
    data = loaded(tmp_path, row("in Parisian cafés", (3, 8, "LOC")))
    assert last(data)["tags"] == ["O", "B-LOC", "O"]
    (note,) = data.corrected
    assert note.endswith("d.jsonl:4: span 0 (3 to 8, 'LOC') is taken as the whole words 'Parisian' (3 to 11)")


def test_a_span_with_blanks_around_it_loses_them_and_is_reported(tmp_path: Path) -> None:
    data = loaded(tmp_path, row("in Rome now", (2, 8, "LOC")))
    assert last(data)["tags"] == ["O", "B-LOC", "O"]
    assert data.corrected[0].endswith("is taken as the whole words 'Rome' (3 to 7)")


@pytest.mark.parametrize(
    ("spans", "problem"),
    [
        ([(0, 99, "PER")], "span 0 (0 to 99, 'PER') lies outside the text, which has 8 characters"),
        ([(-1, 3, "PER")], "span 0 (-1 to 3, 'PER') lies outside the text, which has 8 characters"),
        ([(3, 3, "PER")], "span 0 (3 to 3, 'PER') is empty (end is the first character after it)"),
        ([(3, 2, "PER")], "span 0 (3 to 2, 'PER') is empty (end is the first character after it)"),
        ([(0, 3, "O")], "span 0 (0 to 3, 'O') is called O, which stands for words of no entity"),
        ([(3, 5, "PER")], "span 0 (3 to 5, 'PER') covers only blanks"),
        (
            [(0, 8, "PER"), (5, 8, "LOC")],
            "span 1 (5 to 8, 'LOC') and span 0 (0 to 8, 'PER') share 'Bob', and a word can have one tag only",
        ),
        (
            [(6, 8, "LOC"), (5, 6, "PER")],
            "span 1 (5 to 6, 'PER') and span 0 (6 to 8, 'LOC') share 'Bob', and a word can have one tag only",
        ),
    ],
)
def test_a_misplaced_span_is_named_with_its_row(
    spans: list[tuple[int, int, str]], problem: str, tmp_path: Path
) -> None:
    (found,) = problems(tmp_path, row("Ada  Bob", *spans))
    assert found == f"d.jsonl:4: {problem}; correct the row, or set data.bad_rows=skip"


@pytest.mark.parametrize(
    ("span", "problem"),
    [
        ({"start": 0, "label": "PER"}, "spans item 0 has no 'end'"),
        ({"start": 0, "end": 3}, "spans item 0 has no 'label'"),
        ({"start": 0, "end": 3.5, "label": "PER"}, "spans item 0 has end 3.5, which is no whole number"),
        ({"start": 0, "end": 3, "label": " "}, "spans item 0 is empty"),
        ([0, 3, "PER"], "spans item 0 is [0, 3, 'PER'], not {start, end, label}"),
    ],
)
def test_what_is_no_span_is_named_with_its_row(span: Any, problem: str, tmp_path: Path) -> None:
    (found,) = problems(tmp_path, {"text": "Ada", "spans": [span]})
    assert found.startswith(f"d.jsonl:4: {problem}; ")


def test_predicted_entities_are_spans(tmp_path: Path) -> None:
    rows = [{"text": "Ada went", "entities": [{"type": "PER", "start": 0, "end": 3, "score": 0.9}]}] * 2
    path = tiny.write_jsonl(tmp_path / "d.jsonl", rows)
    data = load(DataSection(path=str(path), validation_share=0), WORDS, WORDS.Options(), 0)
    assert data.columns == {"words": "text", "spans": "entities"}
    assert last(data)["tags"] == ["B-PER", "O"]


def test_spans_in_lists_of_words_count_characters_with_single_blanks(tmp_path: Path) -> None:
    rows = [{"tokens": ["so", "Ada", "went"], "spans": [{"start": 3, "end": 6, "label": "PER"}]}]
    path = tiny.write_jsonl(tmp_path / "d.jsonl", rows)
    data = load(DataSection(path=str(path), validation_share=0), WORDS, WORDS.Options(), 0)
    assert last(data)["tags"] == ["O", "B-PER", "O"]


def test_tags_are_taken_where_both_are_given(tmp_path: Path) -> None:
    rows = [
        {"tokens": ["so", "Ada"], "ner_tags": ["B-X", "O"], "spans": [{"start": 3, "end": 6, "label": "PER"}]}
    ]
    path = tiny.write_jsonl(tmp_path / "d.jsonl", rows)
    data = load(DataSection(path=str(path), validation_share=0), WORDS, WORDS.Options(), 0)
    assert last(data)["tags"] == ["B-X", "O"]
    assert data.labels == ["B-X", "O"]


def test_spans_in_another_scheme_are_refused(tmp_path: Path) -> None:
    found = problems(tmp_path, scheme="plain")
    assert found[0].endswith("spans are read as tags of the scheme bio, not plain; set task.scheme=bio")


def test_a_file_with_neither_tags_nor_spans_is_told_both(tmp_path: Path) -> None:
    path = tiny.write_jsonl(tmp_path / "d.jsonl", [{"text": "Ada", "note": 1}])
    with pytest.raises(InputError) as caught:
        load(DataSection(path=str(path)), WORDS, WORDS.Options(), 0)
    assert "no column for tags, which is a list with one label for each word, nor for spans, a" in str(
        caught.value
    )


def test_bilou_tags_become_bioes_tags(tmp_path: Path) -> None:
    rows = [{"tokens": ["Ada", "King", "L.", "Rome"], "ner_tags": ["B-PER", "I-PER", "L-PER", "U-LOC"]}] * 2
    path = tiny.write_jsonl(tmp_path / "d.jsonl", rows)
    options = WORDS.Options(scheme="bilou")
    data = load(DataSection(path=str(path), validation_share=0), WORDS, options, 0)
    assert last(data)["tags"] == ["B-PER", "I-PER", "E-PER", "S-LOC"]
    assert data.labels == ["B-PER", "E-PER", "I-PER", "S-LOC"]


@pytest.mark.parametrize(
    ("tags", "problem"),
    [
        (["O", "L-PER"], "tag 'L-PER' of word 1 follows 'O', which begins no PER"),
        (["B-PER", "E-PER"], "tag 'E-PER' of word 1 is neither O nor B-TYPE or I-TYPE or L-TYPE or U-TYPE"),
    ],
)
def test_tags_that_are_not_bilou_are_named_as_they_are_written(
    tags: list[str], problem: str, tmp_path: Path
) -> None:
    rows = [{"tokens": ["a", "b"], "ner_tags": ["B-PER", "L-PER"]}, {"tokens": ["a", "b"], "ner_tags": tags}]
    path = tiny.write_jsonl(tmp_path / "d.jsonl", rows)
    with pytest.raises(InputError) as caught:
        load(DataSection(path=str(path)), WORDS, WORDS.Options(scheme="bilou"), 0)
    assert f"d.jsonl:2: {problem}" in str(caught.value)


def test_the_names_of_class_labels_in_bilou_become_bioes_names() -> None:
    names = ["O", "B-PER", "I-PER", "L-PER", "U-PER"]
    found = WORDS.all_labels(WORDS.Options(scheme="bilou"), names, {"words": "tokens", "tags": "ner_tags"})
    assert found == ["O", "B-PER", "I-PER", "E-PER", "S-PER"]


def test_the_rows_of_spans_are_plain_json(tmp_path: Path) -> None:
    assert json.loads(json.dumps(last(loaded(tmp_path))))["words"] == ["nothing", "here"]
