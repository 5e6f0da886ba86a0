"""Rows for question answering: nested or flat, answers in any of the usual forms, each in its context."""

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

QUESTIONS = tasks.find("question-answering")
CONTEXT = "Ada went to Paris, and Bob went to Rome."
PARIS = {"text": ["Paris"], "answer_start": [12]}
MEND = "correct the row, or set data.bad_rows=skip"


def loaded(path: Path, *, allow_no_answer: bool = False, **settings: Any) -> Data:
    section = DataSection(path=str(path), validation_share=0, **settings)
    return load(section, QUESTIONS, QUESTIONS.Options(allow_no_answer=allow_no_answer), 0)


def problems(path: Path, **settings: Any) -> list[str]:
    """What is wrong with a file, without the folder's name."""
    with pytest.raises(InputError) as caught:
        loaded(path, **settings)
    return [problem.replace(f"{path.parent}/", "") for problem in caught.value.problems]


def nested(folder: Path, *questions: dict[str, Any], context: str = CONTEXT) -> Path:
    """A file in SQuAD's nesting with one paragraph."""
    article = {"title": "Journeys", "paragraphs": [{"context": context, "qas": list(questions)}]}
    path = folder / "train.json"
    path.write_text(json.dumps({"version": "v2.0", "data": [article]}))
    return path


def question(**further: Any) -> dict[str, Any]:
    """A question with its answer in SQuAD's form."""
    answers = [{"text": "Paris", "answer_start": 12}, {"text": "to Paris", "answer_start": 9}]
    return {"id": "56be", "question": "Where did Ada go?", "answers": answers} | further


def flat(folder: Path, answers: Any, context: str = CONTEXT) -> Path:
    """A file of one flat row."""
    row = {"question": "Where did Ada go?", "context": context, "answers": answers}
    return tiny.write_jsonl(folder / "d.jsonl", [row])


def answers_in(path: Path, **settings: Any) -> Any:
    return loaded(path, **settings).splits["train"][0]["answers"]


def test_a_nested_question_is_a_row_with_its_id_context_and_answers(tmp_path: Path) -> None:
    (row,) = loaded(nested(tmp_path, question())).splits["train"]
    place = row.pop("place")
    assert row == {
        "id": "56be",
        "question": "Where did Ada go?",
        "context": CONTEXT,
        "answers": {"text": ["Paris", "to Paris"], "answer_start": [12, 9]},
    }
    assert place.endswith("train.json row 0")


def test_an_impossible_question_has_no_answers(tmp_path: Path) -> None:
    impossible = question(answers=[], is_impossible=True, plausible_answers=[{"text": "Rome"}])
    path = nested(tmp_path, impossible)
    assert answers_in(path, allow_no_answer=True) == {"text": [], "answer_start": []}


def test_an_impossible_question_need_not_list_its_answers(tmp_path: Path) -> None:
    impossible = {"question": "Where is Eve?", "is_impossible": True}
    data = loaded(nested(tmp_path, question(), impossible), allow_no_answer=True)
    assert data.splits["train"][1]["answers"]["text"] == []


def test_an_impossible_question_with_an_answer_is_refused(tmp_path: Path) -> None:
    assert problems(nested(tmp_path, question(is_impossible=True))) == [
        "train.json: article 0 paragraph 0 question 0 is_impossible but has answers; correct one of the two"
    ]


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (
            [{"paragraphs": [{"qas": [question()]}]}],
            "article 0 paragraph 0 question 0 has no context; add it",
        ),
        (
            [{"paragraphs": [{"context": CONTEXT, "qas": [question(), {"answers": []}]}]}],
            "article 0 paragraph 0 question 1 has no question; add it",
        ),
        (
            [{"paragraphs": [{"context": CONTEXT, "qas": [question(), {"question": "Who?"}]}]}],
            "article 0 paragraph 0 question 1 has no answers; add it",
        ),
        ([{"paragraphs": [{"context": CONTEXT}]}], "article 0 paragraph 0 has no list of qas; add it"),
        (
            [{"paragraphs": [{"context": CONTEXT, "qas": []}]}, {"title": "x"}],
            "article 1 has no list of paragraphs; add it",
        ),
        (
            [{"paragraphs": [{"context": "x", "qas": []}, 5]}],
            "article 0 paragraph 1 has no list of qas; add it",
        ),
    ],
)
def test_what_a_nested_file_lacks_is_named_by_its_place(tmp_path: Path, document: Any, problem: str) -> None:
    (tmp_path / "train.json").write_text(json.dumps({"data": document}))
    assert problems(tmp_path / "train.json") == [f"train.json: {problem}"]


def test_a_column_called_paragraphs_makes_no_articles(tmp_path: Path) -> None:
    row = {"question": "Where?", "context": CONTEXT, "answers": PARIS, "paragraphs": ["one", "two"]}
    path = tmp_path / "train.json"
    path.write_text(json.dumps([row]))
    assert answers_in(path) == PARIS


def test_a_nested_file_without_answers_can_be_answered(tmp_path: Path) -> None:
    from tunekit.data.streams import stream

    path = nested(tmp_path, {"id": "a", "question": "Where?"}, {"id": "b", "question": "Who?"})
    (rows,) = stream(str(path), QUESTIONS(QUESTIONS.Options(), None))
    assert [row["id"] for row in rows] == ["a", "b"]


@pytest.mark.parametrize(
    "answers",
    [
        PARIS,
        [{"text": "Paris", "answer_start": 12}],
        {"text": "Paris", "answer_start": 12},
        {"text": ["Paris"], "answer_start": [12.0]},
        {"text": ["Paris"]},
        [{"text": "Paris"}],
        ["Paris"],
        "Paris",
    ],
    ids=json.dumps,
)
def test_answers_may_be_written_in_many_forms(tmp_path: Path, answers: Any) -> None:
    assert answers_in(flat(tmp_path, answers)) == PARIS


def test_a_csv_file_may_hold_the_answer_alone(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text(f'question,context,answer\nWhere?,"{CONTEXT}",Paris\n')
    assert answers_in(path) == PARIS


@pytest.mark.parametrize("empty", [[], "", {"text": [], "answer_start": []}], ids=json.dumps)
def test_no_answer_may_be_written_in_many_forms(tmp_path: Path, empty: Any) -> None:
    assert answers_in(flat(tmp_path, empty), allow_no_answer=True) == {"text": [], "answer_start": []}


@pytest.mark.parametrize("form", ["struct of lists", "list of structs"])
def test_columns_of_a_data_set_are_taken_in_both_forms(form: str) -> None:
    from datasets import Dataset, Features, List, Value

    fields = {"text": Value("string"), "answer_start": Value("int32")}
    lists = {key: List(value) for key, value in fields.items()}
    answers = PARIS if form == "struct of lists" else [{"text": "Paris", "answer_start": 12}]
    texts = {"question": Value("string"), "context": Value("string")}
    features = Features({**texts, "answers": lists if form == "struct of lists" else List(fields)})
    rows = {"question": ["Where?"], "context": [CONTEXT], "answers": [answers]}
    table = from_dataset(Dataset.from_dict(rows, features=features), "memory")
    roles = {**QUESTIONS.inputs, **QUESTIONS.targets}
    found = resolve_all({"train": [table]}, roles, DataSection(path="x"))
    splits, wrong, _ = check_rows({"train": [table]}, QUESTIONS, QUESTIONS.Options(), found)
    assert not wrong
    assert splits["train"][0]["answers"] == PARIS


def test_a_wrong_start_is_put_right_where_the_text_occurs_once(tmp_path: Path) -> None:
    data = loaded(flat(tmp_path, {"text": ["Paris"], "answer_start": [14]}))
    assert data.splits["train"][0]["answers"] == PARIS
    (said,) = data.corrected
    assert said.endswith("d.jsonl:1: the answer 'Paris' starts at 12, not at 14")


def test_a_negative_start_does_not_count_from_the_end(tmp_path: Path) -> None:
    assert answers_in(flat(tmp_path, {"text": ["Rome."], "answer_start": [-5]}))["answer_start"] == [35]


def test_an_answer_without_a_start_that_occurs_twice_is_the_first_and_that_is_said(tmp_path: Path) -> None:
    data = loaded(flat(tmp_path, "went"))
    assert data.splits["train"][0]["answers"]["answer_start"] == [4]
    assert data.corrected[0].endswith("the answer 'went' is taken to be the first of its kind")


def test_a_start_counts_characters_and_not_bytes(tmp_path: Path) -> None:
    path = flat(tmp_path, {"text": ["Paris"], "answer_start": [7]}, context="\U0001f600 Zoë: Paris and Paris")
    assert loaded(path).corrected == []


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        (
            {"text": ["went"], "answer_start": [5]},
            f"the answer 'went' does not start at 5, but in more than one other place; {MEND}",
        ),
        ("London", f"the answer 'London' is not in the context; {MEND}"),
        ({"text": ["London"], "answer_start": [12]}, f"the answer 'London' is not in the context; {MEND}"),
        ([], "the question has no answer; set task.allow_no_answer=true, or data.bad_rows=skip"),
        ({"text": ["Paris"], "answer_start": []}, f"answers has 1 in text but 0 in answer_start; {MEND}"),
        ({"text": ["Paris", "  "]}, f"answers text 1 is empty; {MEND}"),
        ({"text": [5]}, f"answers text 0 is 5, not a text; {MEND}"),
        (
            {"text": ["Paris"], "answer_start": ["x"]},
            f"answers answer_start 0 is 'x', not a whole number; {MEND}",
        ),
        (None, f"answers is null; {MEND}"),
    ],
)
def test_a_bad_answer_is_named_with_its_line(tmp_path: Path, answers: Any, problem: str) -> None:
    good = {"question": "Where?", "context": CONTEXT, "answers": PARIS}
    path = tiny.write_jsonl(tmp_path / "d.jsonl", [good, good | {"answers": answers}])
    assert problems(path) == [f"d.jsonl:2: {problem}"]


@pytest.mark.parametrize("answers", [5, {"start": 3}, [[]]], ids=json.dumps)
def test_a_column_that_holds_no_answers_is_refused(tmp_path: Path, answers: Any) -> None:
    (problem,) = problems(flat(tmp_path, answers))
    assert 'not answers such as {"text": ["Rome"], "answer_start": [12]}' in problem


@pytest.mark.parametrize("role", ["question", "context"])
def test_a_blank_text_is_refused(tmp_path: Path, role: str) -> None:
    row = {"question": "Where?", "context": CONTEXT, "answers": PARIS} | {role: " \t"}
    path = tiny.write_jsonl(tmp_path / "d.jsonl", [row])
    assert problems(path)[0].startswith(f"d.jsonl:1: {role} is empty; ")
