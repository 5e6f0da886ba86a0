"""What limits destroy: text, answers, entities and summaries, and the limit that would not."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tests.checks import planting
from tunekit.checks import Finding, Report

Examine = Callable[..., Report]
WORDS = planting.NOUNS.split()


def found(report: Report, name: str) -> Finding:
    """The only finding with a name."""
    (finding,) = (finding for finding in report.findings if finding.name == name)
    return finding


def of_length(tokens: int, number: int) -> str:
    """A text of so many tokens, two of which stand around it."""
    return " ".join(WORDS[(number * 7 + k * (1 + number % 5)) % len(WORDS)] for k in range(tokens - 2))


def sized(lengths: list[int]) -> list[dict[str, Any]]:
    """Rows of known lengths."""
    return [
        {"id": f"{n}", "text": of_length(size, n), "label": ("good", "bad")[n % 2]}
        for n, size in enumerate(lengths)
    ]


def test_the_length_profile_is_that_of_the_rows(examine: Examine) -> None:
    report = examine({"train": sized([10] * 60 + [20] * 36 + [40] * 4), "validation": sized([12] * 8)})
    assert found(report, "lengths").text.endswith("train 10, 20, 40, validation 12, 12, 12")


def test_rows_that_are_cut_are_all_named_and_no_others(examine: Examine) -> None:
    lengths = [10] * 80 + [30] * 20
    report = examine({"train": sized(lengths), "validation": sized([9] * 10)}, "task.max_length=16")
    assert set(found(report, "cut text").rows) == {f"train {n}" for n in range(80, 100)}


def test_the_share_that_is_cut_is_the_true_one(examine: Examine) -> None:
    report = examine(
        {"train": sized([10] * 80 + [30] * 20), "validation": sized([9] * 10)}, "task.max_length=16"
    )
    text = found(report, "cut text").text  # 20 rows lose 14 of 30 tokens each, of 1,400 in all
    assert "20.0% of the rows and 20.0% of the tokens of train" in text


def test_the_proposed_length_is_the_smallest_that_loses_little(examine: Examine) -> None:
    data = {"train": sized([10] * 50 + [37] * 50), "validation": sized([9] * 10)}
    advice = found(examine(data, "task.max_length=16"), "cut text").advice
    assert re.match(r"task.max_length=40 loses 0.0%", advice)  # a multiple of 8


def test_a_length_beyond_the_model_is_not_proposed(examine: Examine) -> None:
    data = {"train": sized([10] * 50 + [300] * 50), "validation": sized([9] * 10)}
    finding = found(examine(data), "cut text")
    assert "no task.max_length that the model allows" in finding.advice
    assert "128 tokens" in finding.advice


def test_a_little_that_is_cut_is_a_note(examine: Examine) -> None:
    data = {"train": sized([10] * 199 + [20]), "validation": sized([9] * 10)}
    assert found(examine(data, "task.max_length=16"), "cut text").grade == "note"


def questions(*answers: tuple[int, int]) -> list[dict[str, Any]]:
    """Questions whose answers begin at a word of their contexts, and have so many words."""
    rows = []
    for number, (start, size) in enumerate(answers):
        words = [f"{WORDS[(number * 3 + k) % len(WORDS)]}" for k in range(60)]
        text = " ".join(words[start : start + size])
        rows.append(
            {
                "id": f"q{number}",
                "question": f"which {WORDS[number % len(WORDS)]} ?",
                "context": " ".join(words),
                "answers": {"text": [text], "answer_start": [len(" ".join(words[:start])) + (start > 0)]},
            }
        )
    return rows


@pytest.mark.parametrize(("size", "lost"), [(4, False), (7, True)])
def test_answers_longer_than_any_that_is_given_are_lost(size: int, lost: bool, examine: Examine) -> None:
    report = examine(
        {"train": questions(*[(n % 20, size if n % 5 == 0 else 2) for n in range(40)])},
        "task.max_answer_tokens=5",
        task="question-answering",
    )
    names = [finding.name for finding in report.findings]
    assert ("lost answers" in names) == lost
    if lost:
        assert re.search(r"task.max_answer_tokens=8 loses 0.0%", found(report, "lost answers").advice)


def test_answers_that_no_window_shows_whole_are_lost(examine: Examine) -> None:
    report = examine(
        {"train": questions(*[(0, 30) if n % 4 == 0 else (1, 2) for n in range(40)])},
        *("task.max_length=24", "task.max_answer_tokens=40"),
        task="question-answering",
    )
    finding = found(report, "lost answers")
    assert "task.max_length=24 loses 9 of 36 answers of train" in finding.text
    assert "task.max_length=" in finding.advice


def tagged(count: int, long: int) -> list[dict[str, Any]]:
    """Sentences of 40 words with an entity: every fourth has one of so many words, the others of two."""
    rows = []
    for number in range(count):
        size = long if number % 4 == 0 else 2
        tokens = [WORDS[(number * 3 + k) % len(WORDS)] for k in range(40)]
        tags = ["O", "B-X", *["I-X"] * (size - 1), *["O"] * (39 - size)]
        rows.append({"tokens": tokens, "ner_tags": tags})
    return rows


def test_entities_that_no_window_shows_whole_are_lost(examine: Examine) -> None:
    data = {"train": tagged(40, 20), "validation": tagged(8, 3)}
    finding = found(examine(data, "task.max_length=16", task="token-classification"), "lost entities")
    assert "task.max_length=16 loses 10 of 40 entities of train (25.0%)" in finding.text
    assert len(finding.rows) == 10
    assert re.match(r"task.max_length=24 loses 0.0%", finding.advice)


def test_windows_that_show_everything_lose_nothing(examine: Examine) -> None:
    report = examine({"train": tagged(40, 3), "validation": tagged(8, 3)}, task="token-classification")
    assert not [finding.name for finding in report.findings if finding.name.startswith("lost")]


def test_words_that_the_tokenizer_drops_are_told(examine: Examine) -> None:
    data = {"train": tagged(40, 3), "validation": tagged(8, 3)}
    data["train"][3]["tokens"][30] = "\u200b"
    finding = found(examine(data, task="token-classification"), "lost words")
    assert len(finding.rows) == 1
    assert "the tokenizer drops 1 of 1,600 words of train" in finding.text


@pytest.mark.parametrize("family", ["t5", "gpt2"])
def test_summaries_that_are_taught_without_their_end_are_told(
    family: str, examine: Examine, checkpoint: Callable[..., Path]
) -> None:
    data = {"train": tiny.documents(40), "validation": tiny.documents(8, start=40)}
    for row in data["train"][:10]:
        row["summary"] = "great film and great cast and great plot and great film"
    report = examine(data, "task.max_summary=6", task="summarization", model=checkpoint(family))
    finding = found(report, "lost summaries")
    assert "loses 10 of 40 summaries of train" in finding.text
    assert "task.max_summary=16 loses 0.0%" in finding.advice


def test_text_that_the_tokenizer_does_not_know_is_told(examine: Examine) -> None:
    data = planting.splits(60, 10)
    for row in data["train"][:30]:
        row["text"] = "привет мир " * 5 + row["text"]
    finding = found(examine(data), "unknown words")
    assert set(finding.rows) == {f"train a{n}" for n in range(30)}


def test_pictures_have_no_tokens(examine: Examine, checkpoint: Callable[..., Path]) -> None:
    report = examine({"train": tiny.pictures(24)}, task="image-classification", model=checkpoint("vit"))
    assert "lengths" not in {finding.name for finding in report.findings}
