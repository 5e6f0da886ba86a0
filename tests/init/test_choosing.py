"""Data that could mean several things, or nothing that tunekit can do: what is said, and how to say more."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tests.init.shapes import moods, sheet, texts
from tunekit import init
from tunekit.errors import InputError
from tunekit.init.choosing import Choice

LONG = [" and ".join([text] * 4) for text in texts()]


def decided(data: Path, task: str | None = None, **given: str) -> Choice:
    """What is decided on data."""
    return init.decide(init.inspect_data(str(data)), task, given, None)[1]


def refused(data: Path, task: str | None = None, **given: str) -> str:
    """The one problem with data, without the folder's name."""
    with pytest.raises(InputError) as caught:
        decided(data, task, **given)
    (problem,) = caught.value.problems
    return problem.replace(f"{data.parent}/", "")


def table(folder: Path, **columns: Sequence[Any]) -> Path:
    """Rows with some columns, as JSON lines."""
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return tiny.write_jsonl(folder / "rows.jsonl", rows)


def labelled_news(folder: Path) -> Path:
    return table(folder, text=LONG, summary=texts(), label=moods())


def two_labels(folder: Path) -> Path:
    return table(folder, title=texts(), country=["US", "UK"] * 20, language=["en", "fr", "de", "en"] * 10)


def test_data_for_two_tasks_are_described_and_neither_is_taken(tmp_path: Path) -> None:
    assert refused(labelled_news(tmp_path)) == (
        "rows.jsonl could be meant for summarization or text-classification: it has 'text' (texts of about "
        "39 words, all different), 'summary' (texts of about 9 words, all different), 'label' (2 different "
        "values: negative, positive). Say which with --task NAME, or name its columns with --column "
        "ROLE=COLUMN"
    )


@pytest.mark.parametrize("task", ["summarization", "text-classification"])
def test_the_task_that_is_named_is_taken(task: str, tmp_path: Path) -> None:
    assert decided(labelled_news(tmp_path), task).task == task


@pytest.mark.parametrize(
    ("given", "task"),
    [({"summary": "summary"}, "summarization"), ({"label": "label"}, "text-classification")],
)
def test_a_column_that_is_named_tells_the_task(given: Mapping[str, str], task: str, tmp_path: Path) -> None:
    assert decided(labelled_news(tmp_path), **given).task == task


def test_two_columns_that_could_be_the_label_are_named(tmp_path: Path) -> None:
    assert refused(two_labels(tmp_path)).startswith(
        "rows.jsonl looks like text-classification, but columns 'country', 'language' could each be what is "
        "asked; choose with --column label=NAME (it has "
    )


def test_the_label_that_is_named_is_taken(tmp_path: Path) -> None:
    columns = decided(two_labels(tmp_path), label="language").guess.columns
    assert columns == {"text": "title", "label": "language"}


def test_columns_of_yes_and_no_are_told_to_be_written_as_one(tmp_path: Path) -> None:
    data = table(tmp_path, comment=texts(), rude=[0, 1] * 20, wrong=[1, 0, 0, 1] * 10)
    assert "or write the names of those that are true into one, as a;b;c" in refused(data)


def test_ratings_become_a_number_when_the_user_says_so(tmp_path: Path) -> None:
    data = table(tmp_path, review=texts(), stars=[1, 2, 3, 4] * 10)
    choice = decided(data, value="stars")
    assert choice.guess.options == {"kind": "regression"}


def test_why_ratings_are_taken_for_classes_is_said(tmp_path: Path) -> None:
    data = table(tmp_path, review=texts(), stars=[1, 2, 3, 4] * 10)
    assert decided(data).guess.notes["label"] == (
        "4 different numbers from 1 to 4, so few that they are taken for classes (to predict a number "
        "instead: --column value='stars')"
    )


def test_many_numbers_are_predicted_as_numbers(tmp_path: Path) -> None:
    choice = decided(table(tmp_path, review=texts(), rating=list(range(0, 80, 2))))
    assert choice.guess.options == {"kind": "regression"}
    assert choice.guess.notes["value"] == (
        "40 different numbers from 0 to 78, too many for classes; bring them to about -10 to 10 first"
    )


def test_one_label_with_a_comma_in_it_is_one(tmp_path: Path) -> None:
    choice = decided(
        table(tmp_path, text=texts(), category=["Shoes, Bags", "Toys", "Home, Garden", "Toys"] * 10)
    )
    assert choice.guess.options == {}


@pytest.mark.parametrize(("low", "whole"), [("1,5", "2,0"), ("1.234,5", "3")])
def test_decimal_commas_are_no_several_labels(low: str, whole: str, tmp_path: Path) -> None:
    path = table(tmp_path, text=texts(), score=[low, whole] * 20)
    assert "'score' holds numbers with a comma before their fractions (1" in refused(path)
    assert "write a point there (1.5)" in refused(path, value="score")
    assert decided(path, labels="score").guess.options["kind"] == "multi-label"


def test_text_alone_teaches_nothing(tmp_path: Path) -> None:
    problem = refused(table(tmp_path, text=texts()))
    assert problem.startswith(
        "no task fits rows.jsonl: it has 'text' (texts of about 9 words, all different)"
    )
    assert "--task NAME (of image-classification," in problem
    assert problem.endswith("--column ROLE=COLUMN")


def test_rows_about_sound_are_not_taken_for_texts(tmp_path: Path) -> None:
    files = [f"clips/{number}.wav" for number in range(40)]
    problem = refused(table(tmp_path, file_name=files, text=texts(), speaker=["Ada", "Bob"] * 20))
    assert "'file_name' (names of .wav files)" in problem


def test_translations_are_no_summaries(tmp_path: Path) -> None:
    assert refused(table(tmp_path, source=texts(), target=texts()[::-1])).startswith(
        "rows.jsonl could be meant for text2text or translation: it has 'source' (texts of about 9 words"
    )


@pytest.mark.parametrize("form", ["en", "English", "translation"])
def test_columns_that_are_called_by_languages_are_translations(form: str, tmp_path: Path) -> None:
    both = zip(texts(), texts()[::-1], strict=True)
    if form == "translation":
        data = table(tmp_path, id=list(range(40)), translation=[{"en": a, "de": b} for a, b in both])
    else:
        data = table(tmp_path, **{form: texts(), "de": texts()[::-1]})
    choice = decided(data)
    source, target = {"translation": ("translation.en", "translation.de")}.get(form, (form, "de"))
    assert (choice.task, choice.guess.columns) == ("translation", {"source": source, "target": target})
    assert choice.guess.options == {
        "prefix": "translate English to German: ",
        "source_language": "en",
        "target_language": "de",
    }


def test_the_direction_of_translations_is_the_users(tmp_path: Path) -> None:
    data = table(tmp_path, en=texts(), de=texts()[::-1])
    choice = decided(data, source="de", target="en")
    assert choice.guess.options["prefix"] == "translate German to English: "


def test_inputs_and_outputs_are_texts_for_texts(tmp_path: Path) -> None:
    choice = decided(table(tmp_path, input=texts(), output=texts()[::-1]))
    assert (choice.task, choice.guess.columns) == ("text2text", {"input": "input", "output": "output"})


def test_outputs_that_repeat_are_labels(tmp_path: Path) -> None:
    assert decided(table(tmp_path, input=texts(), output=moods())).task == "text-classification"


def test_questions_and_answers_without_a_context_are_texts_for_texts(tmp_path: Path) -> None:
    answers = [f"number {i} of them" for i in range(40)]
    assert decided(table(tmp_path, question=texts(), answer=answers)).task == "text2text"


def test_answers_in_words_of_their_own_are_refused(tmp_path: Path) -> None:
    data = table(tmp_path, question=texts(), context=LONG, answer=[f"number {i}" for i in range(40)])
    assert "0% of the answers in 'answer' stand in 'context'" in refused(data)


def test_one_word_a_row_is_told_to_be_written_as_conll(tmp_path: Path) -> None:
    data = sheet(tmp_path / "words.csv", ["Word", "Tag"], texts(), ["O", "B-PER", "I-PER", "O"] * 10)
    assert "a row must be a sentence; write them as a .conll file" in refused(data)


def test_lists_that_are_written_as_python_does_are_named(tmp_path: Path) -> None:
    cells = [str(["film", "plot"][: 1 + i % 2]).replace(",", ";") for i in range(40)]
    data = sheet(tmp_path / "lists.csv", ["text", "topics"], texts(), cells)
    assert "column 'topics' holds lists as Python writes them" in refused(data)


def test_a_file_without_a_header_is_named(tmp_path: Path) -> None:
    data = sheet(tmp_path / "rows.csv", [texts()[0], moods()[0]], texts()[1:], moods()[1:])
    assert refused(data) == (
        "rows.csv seems to have no header line: 'negative' is the name of a column and one of its values; "
        "write names such as text,label into a first line"
    )


def test_a_named_column_that_does_not_exist_is_told_with_the_nearest(tmp_path: Path) -> None:
    problem = refused(table(tmp_path, text=texts(), mood=moods()), label="moods")
    assert problem == (
        "--column label=moods: rows.jsonl has no such column; did you mean 'mood'?; its columns are text, "
        "mood"
    )


def test_a_task_without_its_columns_says_what_its_roles_are(tmp_path: Path) -> None:
    problem = refused(table(tmp_path, text=texts(), label=moods()), "image-classification")
    assert problem.endswith("--column ROLE=COLUMN; its roles are image (image), label (label)")


def test_an_unknown_task_is_told_with_the_nearest(tmp_path: Path) -> None:
    problem = refused(table(tmp_path, text=texts(), label=moods()), "text-clasification")
    assert "did you mean 'text-classification'?" in problem


def test_rows_that_mostly_cannot_be_used_speak_against_the_guess(tmp_path: Path) -> None:
    labels = ["good", "bad", "", ""] * 10
    data = sheet(tmp_path / "rows.csv", ["text", "label"], texts(), labels)
    look = init.inspect_data(str(data))
    with pytest.raises(InputError, match="looks like text-classification, but 20 rows cannot be used"):
        init.propose(look, *init.decide(look, None, {}, None), None)


def test_two_texts_of_which_neither_is_called_so_are_a_pair(tmp_path: Path) -> None:
    data = table(tmp_path, heading=texts(), lead=LONG, verdict=["yes", "no"] * 20)
    assert decided(data).guess.columns == {"text": "heading", "pair": "lead", "label": "verdict"}


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        (["B-PER", "I-PER", "O"], "bio"),
        (["I-PER", "I-PER", "O"], "iob1"),
        (["B-PER", "E-PER", "S-LOC"], "bioes"),
        (["B-PER", "L-PER", "U-LOC"], "bilou"),
        (["NOUN", "NOUN", "VERB"], "plain"),
    ],
)
def test_the_scheme_of_tags_is_read_off_them(tags: list[str], scheme: str, tmp_path: Path) -> None:
    data = table(tmp_path, tokens=[["Ada", "Bob", str(i)] for i in range(40)], ner_tags=[tags] * 40)
    assert decided(data).guess.options == {"scheme": scheme}


def test_a_task_of_ones_own_takes_part_by_its_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tunekit.tasks

    example = Path(__file__).parents[2] / "docs" / "examples" / "multiple_choice.py"
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / example.name).write_text(example.read_text())
    monkeypatch.setattr(tunekit.tasks, "__path__", [*tunekit.tasks.__path__, str(tmp_path / "own")])
    endings = [[f"a {i}", f"b {i}", f"c {i}", f"d {i}"] for i in range(40)]
    choice = decided(table(tmp_path, ctx=texts(), endings=endings, label=[0, 1, 2, 3] * 10))
    assert choice.task == "multiple-choice"
    assert choice.guess.columns == {"context": "ctx", "endings": "endings", "answer": "label"}
