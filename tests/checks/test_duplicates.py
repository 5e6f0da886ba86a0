"""Duplicates, leaks and conflicts: what is planted is found, and nothing else."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import tiny
from tests.checks import planting
from tests.checks.conftest import TASK
from tunekit import examination
from tunekit.checks import Report
from tunekit.checks.texts import Texts

Examine = Callable[..., Report]
Faulty = tuple[Path, dict[str, set[str]]]


@pytest.fixture(scope="module")
def report(faulty: Faulty, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """What is found in the faulty data."""
    file = tiny.recipe(tmp_path_factory.mktemp("faulty") / "recipe.yaml", TASK, model, faulty[0])
    return examination.examine(file, step=False)


def rows(report: Report, name: str, split: str = "") -> set[str]:
    """The rows of findings with a name, of one split."""
    found = {row for finding in report.findings if finding.name == name for row in finding.rows}
    return {row for row in found if row.startswith(split)}


def recall_and_precision(found: set[str], known: set[str]) -> tuple[float, float]:
    """The share of known faults that is found, and of found ones that is known."""
    return len(found & known) / len(known), len(found & known) / max(1, len(found))


@pytest.mark.parametrize(
    ("name", "split", "kind"),
    [
        ("leak", "test", "leak"),
        ("leak", "validation", "leak of validation"),
        ("duplicates", "train", "duplicates"),
        ("conflicting labels", "train", "conflicting labels"),
    ],
)
def test_rows_with_the_same_words_are_all_found_and_no_others(
    name: str, split: str, kind: str, report: Report, faulty: Faulty
) -> None:
    assert rows(report, name, split) == faulty[1][kind]


@pytest.mark.parametrize(
    ("name", "split", "kind"),
    [("near leak", "test", "near leak"), ("near duplicates", "train", "near duplicates")],
)
def test_rows_with_two_other_words_are_found_with_high_recall_and_precision(
    name: str, split: str, kind: str, report: Report, faulty: Faulty
) -> None:
    recall, precision = recall_and_precision(rows(report, name, split), faulty[1][kind])
    assert recall >= 0.9
    assert precision >= 0.95


def test_leaks_duplicates_and_conflicts_are_warnings(report: Report) -> None:
    assert {finding.name for finding in report.of("warning")} == {
        "leak",
        "near leak",
        "duplicates",
        "conflicting labels",
    }
    assert report.code == 0


def test_a_leak_is_no_duplicate_of_the_split_that_it_is_in(report: Report) -> None:
    assert not rows(report, "duplicates", "test")


def test_texts_that_share_a_frame_are_not_nearly_the_same() -> None:
    frame = "the {} {} slowly follows a {} {} while the {} {} never opens a {} {}"
    words = planting.NOUNS.split()
    texts = [frame.format(*random.Random(n).sample(words, 8)) for n in range(40)]
    assert not list(Texts.of(texts).pairs(range(len(texts))))


def test_short_texts_are_nearly_the_same_only_when_they_are_the_same() -> None:
    texts = Texts.of(["a small movie with a big heart", "a small movie with a big impact"])
    assert not texts.near(0, 1)


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("彼は昨日の夜に新しい映画を見てとても喜んだ", "彼は昨日の夜に新しい映画を見てとても泣いた"),
        ("วันนี้ฉันไปดูหนังเรื่องใหม่กับเพื่อน", "วันนี้ฉันไปดูหนังเรื่องใหม่กับแม่"),
    ],
)
def test_texts_without_blanks_are_compared_letter_by_letter(text: str, near: str) -> None:
    assert list(Texts.of([text, near]).pairs([0, 1])) == [(0, 1)]


def test_a_pair_leaks_only_when_both_texts_do(examine: Examine) -> None:
    data = planting.splits(40, 10)
    for split, found in data.items():
        for number, row in enumerate(found):
            row["pair"] = planting.review(5000 + number % 10, "positive")  # ten of them, in every split
            row["text"] = planting.review(9000 + hash_of(split, number), "negative")
    data["test"][0] = planting.copy(data["train"][7], "same")
    data["test"][1] = planting.copy(
        data["train"][8], "near", text=planting.edited(data["train"][8]["text"], 1)
    )
    report = examine(data)
    assert rows(report, "leak") == {"test same = train a7"}
    assert rows(report, "near leak") == {"test near ~ train a8"}
    assert len(rows(report, "shared parts", "test")) == 10


def hash_of(split: str, number: int) -> int:
    """A number of its own for each row."""
    return ["train", "validation", "test"].index(split) * 1000 + number


def test_questions_about_one_context_are_no_duplicates(examine: Examine, model: Path) -> None:
    context = planting.review(1, "positive")
    word = context.split()[1]
    found = [
        {
            "id": f"q{n}",
            "question": f"which {planting.NOUNS.split()[n]} ?",
            "context": context,
            "answers": {"text": [word], "answer_start": [context.index(word)]},
        }
        for n in range(40)
    ]
    report = examine({"train": found[:30], "test": found[30:]}, task="question-answering")
    names = {finding.name for finding in report.findings}
    assert "shared parts" in names
    assert not names & {"leak", "near leak", "duplicates", "near duplicates", "conflicting labels"}


def test_a_validation_split_that_is_cut_from_train_leaks_too(examine: Examine) -> None:
    data = planting.reviews(60)
    report = examine(
        {"train": [row for n, row in enumerate(data) for row in (row, planting.copy(row, f"x{n}"))]}
    )
    assert rows(report, "leak", "validation")
