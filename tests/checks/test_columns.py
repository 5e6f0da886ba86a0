"""Values and labels: empty, damaged, wrong, rare, uneven, unscored."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tests.checks import planting
from tunekit.checks import Report

Examine = Callable[..., Report]
Data = dict[str, list[dict[str, Any]]]


@pytest.fixture
def data() -> Data:
    """Rows without faults."""
    return planting.splits(120, 20)


def names(report: Report, grade: str = "warning") -> list[str]:
    """The names of the findings of a grade."""
    return [finding.name for finding in report.of(grade)]


def rows(report: Report, name: str) -> set[str]:
    """The rows of the only finding with a name."""
    (finding,) = (finding for finding in report.findings if finding.name == name)
    return set(finding.rows)


def test_clean_data_yield_no_warnings(examine: Examine, clean: Path) -> None:
    report = examine(clean)
    assert not names(report, "error")
    assert not names(report)


@pytest.mark.parametrize("text", ["n/a", "NULL", "[deleted]", " - ", "#N/A", "None"])
def test_texts_that_stand_for_no_text_are_named(text: str, data: Data, examine: Examine) -> None:
    data["train"][5]["text"] = data["test"][3]["text"] = text
    assert {"train a5", "test c143"} <= rows(examine(data), "empty values")


def test_texts_without_words_are_named(data: Data, examine: Examine) -> None:
    data["train"][5]["text"] = "!!! ;-)"
    assert rows(examine(data), "texts without words") == {"train a5"}


@pytest.mark.parametrize("text", ["cafÃ© in the city", "it isnâ€™t good", "a caf\ufffd"])
def test_text_that_was_read_in_a_wrong_encoding_is_named(text: str, data: Data, examine: Examine) -> None:
    data["train"][5]["text"] = text
    assert rows(examine(data), "damaged text") == {"train a5"}


@pytest.mark.parametrize("text", ["un café à São Paulo", "naïve — “really”…", "ÄÖÜ âge Ångström €5"])
def test_text_with_accents_is_not_damaged(text: str, data: Data, examine: Examine) -> None:
    data["train"][5]["text"] = text
    assert "damaged text" not in [finding.name for finding in examine(data).findings]


def test_rows_that_are_left_out_are_named(data: Data, examine: Examine) -> None:
    data["train"][5]["text"] = ""
    report = examine(data, "data.bad_rows=skip")
    (row,) = rows(report, "rows left out")
    assert "train.jsonl:6: text is empty" in row


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (lambda row: "no comment", "holds one and the same text in 100.0%"),
        (lambda row: str(len(row["text"])), "holds nothing but a number in 100.0%"),
        (lambda row: row["label"], "holds the same as label in 100.0%"),
    ],
)
def test_a_column_that_is_not_what_it_is_for_is_told(
    value: Callable[[dict[str, Any]], str], said: str, data: Data, examine: Examine
) -> None:
    for found in data.values():
        for row in found:
            row["text"] = value(row)
    texts = [finding.text for finding in examine(data).of("warning") if finding.name == "wrong column"]
    assert any(said in text for text in texts)


def test_a_pair_of_equal_texts_is_told(data: Data, examine: Examine) -> None:
    for found in data.values():
        for row in found:
            row["pair"] = row["text"].upper()
    assert "holds the same as text" in str([f.text for f in examine(data).of("warning")])


def test_columns_that_do_not_exist_are_errors_all_at_once(data: Data, examine: Examine) -> None:
    report = examine(data, "data.columns={text: body, label: stars}")
    assert report.code == 2
    assert [finding.name for finding in report.of("error")] == ["input", "input"]
    assert all("correct the name" in finding.advice for finding in report.of("error"))


def test_bad_rows_are_errors_with_their_places(data: Data, examine: Examine) -> None:
    data["train"][5]["text"], data["test"][2]["label"] = "", None
    places = [row.rsplit("/", 1)[-1] for finding in examine(data).of("error") for row in finding.rows]
    assert sorted(places) == ["test.jsonl:3", "train.jsonl:6"]


def test_rare_labels_are_named_with_their_rows(data: Data, examine: Examine) -> None:
    for row in data["train"][:3]:
        row["label"] = "mixed"
    report = examine(data)
    assert rows(report, "rare labels") == {"train a0", "train a1", "train a2"}
    assert "mixed (3)" in next(f.text for f in report.findings if f.name == "rare labels")


def test_a_label_that_outweighs_another_is_told(data: Data, examine: Examine) -> None:
    for row in data["train"][10:]:
        row["label"] = "positive"
    (finding,) = (f for f in examine(data).of("warning") if f.name == "uneven labels")
    assert finding.text == "training has 115 rows of positive (95.8%) and only 5 of negative"
    assert finding.advice == "set task.class_weights=auto and judge by macro_f1 (train.best=macro_f1)"


def test_a_label_that_nothing_scores_is_told(data: Data, examine: Examine) -> None:
    for row in data["train"][:6]:
        row["label"] = "mixed"
    report = examine(data)
    assert names(report, "note").count("unscored labels") == 2


def test_labels_are_counted_in_every_split(data: Data, examine: Examine) -> None:
    (finding,) = (f for f in examine(data).findings if f.name == "labels")
    assert "train positive 60 (50.0%), negative 60 (50.0%); validation positive 10" in finding.text


def test_numbers_have_no_labels(data: Data, examine: Examine) -> None:
    for found in data.values():
        for number, row in enumerate(found):
            row["label"] = number / 10
    report = examine(data, "task.kind=regression")
    assert not names(report)
    assert "labels" not in names(report, "note")


def test_any_number_of_labels_a_row_is_counted(data: Data, examine: Examine) -> None:
    for found in data.values():
        for number, row in enumerate(found):
            row["label"] = [["good"], ["good", "long"], []][number % 3]
    report = examine(data, "task.kind=multi-label")
    assert "train good 80 (66.7%), long 40 (33.3%)" in next(
        f.text for f in report.findings if f.name == "labels"
    )


def test_the_labels_of_words_are_counted_by_rows(examine: Examine) -> None:
    report = examine(
        {"train": tiny.sentences(40), "validation": tiny.sentences(10, start=40)}, task="token-classification"
    )
    assert "O 40 (100.0%)" in next(f.text for f in report.findings if f.name == "labels")
