"""Which column plays which role: as the recipe says, else by its name, else by what it holds."""

from collections.abc import Mapping
from typing import Any

import pytest

from tunekit import tasks
from tunekit.data import columns
from tunekit.data.files import Table
from tunekit.errors import InputError

TEXT, WORD = tasks.find("text-classification"), tasks.find("token-classification")
TEXTS = columns.roles_of(TEXT, TEXT.Options(), targets=True)
WORDS = columns.roles_of(WORD, WORD.Options(), targets=True)
LABELS = ["pos", "neg", "pos"]
PROSE = ["some text", "more text", "a third"]


def resolve(values: Mapping[str, list[Any]], given: Mapping[str, str] | None = None) -> dict[str, str]:
    return columns.resolve(Table("d.csv", dict(values)), TEXTS, given)


def problems(
    values: Mapping[str, list[Any]], given: Mapping[str, str] | None = None, **roles: Any
) -> list[str]:
    with pytest.raises(InputError) as caught:
        columns.resolve(Table("d.csv", dict(values)), roles.get("roles", TEXTS), given)
    return caught.value.problems


@pytest.mark.parametrize("text", ["text", "sentence", "review", "Content", " body ", "TWEET"])
@pytest.mark.parametrize("label", ["label", "labels", "sentiment", "Class", " category "])
def test_usual_names_are_found(text: str, label: str) -> None:
    assert resolve({"other": PROSE, label: LABELS, text: PROSE}) == {"text": text, "label": label}


def test_the_most_usual_name_is_taken() -> None:
    assert resolve({"sentence": PROSE, "text": PROSE, "label": LABELS})["text"] == "text"


def test_a_name_is_passed_over_where_its_values_cannot_be_meant() -> None:
    assert resolve({"text": [1, 2, 3], "sentence": PROSE, "label": LABELS})["text"] == "sentence"


def test_a_column_is_found_by_what_it_holds() -> None:
    assert resolve({"words": PROSE, "stars_given": [1, 2, 1]}) == {"text": "words", "label": "stars_given"}


def test_a_column_with_another_value_in_every_row_is_not_taken_for_labels() -> None:
    (problem,) = problems({"text": PROSE, "price": [10, 20, 30]})
    assert problem.startswith("d.csv has no column for label")


@pytest.mark.parametrize("name", ["", "index", "Unnamed: 0", "id"])
def test_row_numbers_are_not_taken_for_labels(name: str) -> None:
    (problem,) = problems({name: [0, 0, 1], "text": PROSE})
    assert problem.startswith("d.csv has no column for label")


def test_nothing_is_guessed_between_two_columns() -> None:
    (problem,) = problems({"one": PROSE, "two": PROSE, "label": LABELS})
    assert problem == (
        "d.csv has no column for text, which is a text; its columns are one, two, label; "
        "name it with data.columns.text=COLUMN"
    )


@pytest.mark.parametrize("name", ["id", "idx", "guid", "UID"])
def test_a_column_of_ids_is_found(name: str) -> None:
    assert resolve({name: ["a", "b", "c"], "text": PROSE, "label": LABELS})["id"] == name


@pytest.mark.parametrize("ids", [["a", "a", "b"], [1, None, 2], ["", "a", "b"], [[1], [2], [3]]], ids=repr)
def test_ids_that_tell_no_rows_apart_are_not_used(ids: list[Any]) -> None:
    assert "id" not in resolve({"id": ids, "text": PROSE, "label": LABELS})


def test_columns_can_be_given() -> None:
    values = {"a": PROSE, "b": LABELS, "text": PROSE, "label": LABELS}
    assert resolve(values, {"text": "a", "label": "b"}) == {"text": "a", "label": "b"}


def test_every_given_column_that_is_missing_is_told_the_nearest() -> None:
    given = {"text": "txet", "label": "lable", "id": "nmber"}
    there = "its columns are text, label, number; correct the name"
    assert problems({"text": PROSE, "label": LABELS, "number": [1, 2, 3]}, given) == [
        f"data.columns.text 'txet' is no column of d.csv; did you mean 'text'?; {there}",
        f"data.columns.label 'lable' is no column of d.csv; did you mean 'label'?; {there}",
        f"data.columns.id 'nmber' is no column of d.csv; did you mean 'number'?; {there}",
    ]


def test_a_name_with_spaces_around_it_is_shown_and_suggested() -> None:
    (problem,) = problems({" text ": PROSE, "label": LABELS}, {"text": "text"})
    assert "did you mean ' text '?; its columns are ' text ', label; " in problem


@pytest.mark.parametrize(("sign", "shown"), [(";", ";"), ("\t", "\\t"), ("|", "|")])
def test_a_single_column_is_told_its_separator(sign: str, shown: str) -> None:
    (problem,) = problems({f"text{sign}label": [f"some{sign}pos"]})
    assert problem.endswith(f"set data.separator='{shown}'")


def test_a_column_that_holds_something_else_is_named_with_its_first_value() -> None:
    assert problems({"text": PROSE, "label": [None, 0.5, 0.7]}) == [
        "column 'label' holds 0.5 (d.csv row 1), not a label; to predict numbers set task.kind=regression; "
        "name another with data.columns.label=COLUMN, or correct its values"
    ]


def test_a_given_column_that_holds_something_else_is_named() -> None:
    (problem,) = problems({"text": PROSE, "label": LABELS, "n": [1, 2, 3]}, {"text": "n"})
    assert problem.startswith("column 'n' holds 1 (d.csv row 0), not a text; name another")


def test_texts_are_no_lists_of_tags() -> None:
    found = problems({"tokens": ["a b"], "ner_tags": ["O O"]}, roles=WORDS)
    assert [problem.split("; ")[0] for problem in found] == [
        "column 'ner_tags' holds 'O O' (d.csv row 0), not a list with one label for each word",
    ]


def test_one_bad_value_does_not_hide_the_column() -> None:
    assert resolve({"text": [*PROSE[:2], 5], "label": LABELS, "note": PROSE})["text"] == "text"


def test_a_long_value_leaves_the_message_short() -> None:
    (problem,) = problems({"text": PROSE, "label": [[1] * 10_000] * 3})
    assert len(problem) < 250
