"""Rows to answer come from a file or standard input, in chunks, and a bad one is named with its line."""

import io
from pathlib import Path
from typing import Any

import pytest

from tunekit import tasks
from tunekit.data import streams
from tunekit.errors import InputError

TEXT, WORD = tasks.find("text-classification"), tasks.find("token-classification")
SAVE = "save the input as UTF-8, or say what it is in, for example with --encoding latin-1"
TEXTS, WORDS = TEXT(TEXT.Options(), None), WORD(WORD.Options(), None)


def rows(source: Path | str, **given: str) -> list[dict[str, Any]]:
    return [row for chunk in streams.stream(str(source), TEXTS, given or None) for row in chunk]


def problems(source: Path | str, **given: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        rows(source, **given)
    return [problem.replace(f"{Path(source).parent}/", "") for problem in caught.value.problems]


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("d.txt", "one\r\n\ntwo\n"),
        ("d.csv", "text\none\ntwo\n"),
        ("D.JSONL", '{"text": "one"}\n{"text": "two"}\n'),
        ("d.json", '[{"text": "one"}, {"text": "two"}]'),
        ("d.tsv", "\ufefftext\tx\none\t1\ntwo\t2\n"),
        ("d.txt", "\ufeffone\ntwo"),
    ],
)
def test_rows_come_in_order_and_are_numbered(tmp_path: Path, name: str, content: str) -> None:
    expected = [{"text": "one", "id": 0}, {"text": "two", "id": 1}]
    assert rows(write(tmp_path / name, content)) == expected


def test_a_text_may_begin_with_a_brace(tmp_path: Path) -> None:
    assert rows(write(tmp_path / "d.txt", "{not json\n")) == [{"text": "{not json", "id": 0}]


@pytest.mark.parametrize("content", [b'{"text": "one"}\n', b"one\n"])
def test_standard_input_is_json_lines_or_texts(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content), encoding="ascii"))
    assert rows("-") == [{"text": "one", "id": 0}]


def test_ids_of_the_rows_are_kept_and_targets_are_not_needed(tmp_path: Path) -> None:
    path = write(tmp_path / "d.jsonl", '{"id": "a", "text": "one"}\n{"id": "b", "text": "two"}\n')
    assert [row["id"] for row in rows(path)] == ["a", "b"]


def test_numbers_go_on_over_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "CHUNK", 3)
    assert [row["id"] for row in rows(write(tmp_path / "d.txt", "x\n" * 8))] == list(range(8))


def test_every_bad_row_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "d.jsonl", '{"text": "one"}\n{"text": ""}\n{"text": null}\n')
    assert problems(path) == [
        "d.jsonl:2: text is empty; correct the row or leave it out",
        "d.jsonl:3: text is null; correct the row or leave it out",
    ]


def test_a_line_that_is_no_json_is_named(tmp_path: Path) -> None:
    (problem,) = problems(write(tmp_path / "d.jsonl", '{"text": "one"}\ntwo\n'))
    assert problem == "d.jsonl:2: Expecting value at column 1; correct the JSON there"


@pytest.mark.parametrize("name", ["d.txt", "d.jsonl"])
def test_a_line_that_is_not_utf_8_is_named(tmp_path: Path, name: str) -> None:
    (problem,) = problems(write(tmp_path / name, b'{"text": "one"}\n{"text": "\xe9"}\n'))
    assert problem == f"{name}:2: byte 10 of the line is not utf-8; {SAVE}"


def test_standard_input_that_is_not_utf_8_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"one\n\xe9\n")))
    assert problems("-") == [f"standard input:2: byte 0 of the line is not utf-8; {SAVE}"]


def test_a_column_can_be_given(tmp_path: Path) -> None:
    assert rows(write(tmp_path / "d.csv", "a,b\nx,one\n"), text="b") == [{"text": "one", "id": 0}]


def test_a_missing_column_is_named_with_the_nearest(tmp_path: Path) -> None:
    (problem,) = problems(write(tmp_path / "d.csv", "first,second\nx,one\n"), text="secnd")
    assert "is no column of " in problem
    assert "did you mean 'second'?; its columns are first, second" in problem


def test_texts_are_split_where_words_are_needed(tmp_path: Path) -> None:
    ((row,),) = streams.stream(str(write(tmp_path / "d.txt", "one  two!\n")), WORDS)
    assert row["words"] == ["one", "two", "!"]
    assert row["words"].text == "one  two!"


def test_lists_of_words_keep_their_words(tmp_path: Path) -> None:
    ((row,),) = streams.stream(str(write(tmp_path / "d.jsonl", '{"tokens": ["one", "two!"]}\n')), WORDS)
    assert row["words"] == ["one", "two!"]
    assert row["words"].text == "one two!"


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("nowhere.csv", "--input nowhere.csv is no file; give a file, or - for standard input"),
        ("x" * 5000, "is no file; give a file, or - for standard input"),
        ("~nobody/x", "--input ~nobody/x is no file; give a file, or - for standard input"),
    ],
    ids=["missing", "long", "home"],
)
def test_a_source_that_is_not_there_is_refused(source: str, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        rows(source)
    assert str(caught.value).endswith(problem)


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    (problem,) = problems(write(tmp_path / "d.docx", "x"))
    assert "has an unknown format '.docx'; convert it to one of .csv" in problem


def learned(**origin: Any) -> Any:
    """A task whose model was made from data that were written so."""
    task = TEXT(TEXT.Options(), None)
    task.origin = origin
    return task


def texts(source: Path, task: Any, given: dict[str, str] | None = None, **written: str) -> list[str]:
    return [row["text"] for chunk in streams.stream(str(source), task, given, **written) for row in chunk]


def test_the_column_that_a_model_learned_from_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "d.csv", "text,body\ntitle,one\n")
    assert texts(path, learned(columns={"text": "body", "label": "text"})) == ["one"]
    assert capsys.readouterr().err == "columns: text = body\n"


def test_what_is_given_goes_before_what_a_model_learned_from(tmp_path: Path) -> None:
    path = write(tmp_path / "d.csv", "text,body\ntitle,one\n")
    assert texts(path, learned(columns={"text": "body"}), {"text": "text"}) == ["title"]


@pytest.mark.parametrize("content", ["text,body\nx,été\n", "text;body\nx;été\n"], ids=["comma", "semicolon"])
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_files_are_read_as_a_model_s_own_data_where_they_can_be_so(
    tmp_path: Path, content: str, encoding: str
) -> None:
    task = learned(columns={"text": "body"}, separator=";", encoding="cp1252")
    assert texts(write(tmp_path / "d.csv", content.encode(encoding)), task) == ["été"]


def test_a_separator_and_an_encoding_can_be_given(tmp_path: Path) -> None:
    content = "text|x\nété|1\n".encode("utf-16")
    assert texts(write(tmp_path / "d.csv", content), TEXTS, separator="|", encoding="utf-16") == ["été"]


def test_lines_in_another_encoding_can_be_given(tmp_path: Path) -> None:
    content = "été\nune\n".encode("utf-16")
    assert texts(write(tmp_path / "d.txt", content), TEXTS, encoding="utf-16") == ["été", "une"]


def test_a_header_that_another_sign_parts_is_told_what_to_give(tmp_path: Path) -> None:
    (problem,) = problems(write(tmp_path / "d.csv", "text;label\none, two;good\n"))
    assert problem.startswith("d.csv:1: its only column is 'text;label'; set --separator ';', or")


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"txt": "text"}, "--column txt is no role here; did you mean 'text'?; choose from text, id"),
        ({"x": "text"}, "--column x is no role but a column; write --column text=x"),
    ],
    ids=["misspelt", "turned round"],
)
def test_a_column_for_what_is_no_role_is_refused(tmp_path: Path, given: dict[str, str], problem: str) -> None:
    assert problems(write(tmp_path / "d.csv", "text,x\none,1\n"), **given) == [problem]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('[{"text": "one"}]', "begins a JSON array; write one object a line, or give the file"),
        ('[\n {"text": "one"}\n]', "begins a JSON array; write one object a line, or give the file"),
        (
            "text;label\none;good\n",
            ":1: 'text;label' is the header of a table, and lines are taken for texts",
        ),
        ("", " has no rows; give some"),
    ],
    ids=["array", "array over lines", "table", "nothing"],
)
def test_standard_input_that_is_no_lines_of_texts_is_refused(
    monkeypatch: pytest.MonkeyPatch, content: str, problem: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
    (found,) = problems("-")
    assert found.removeprefix("standard input").strip().startswith(problem.strip())


@pytest.mark.parametrize("text", ["[1] a note", "[applause] text, and more"])
def test_a_text_may_begin_with_a_bracket(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert [row["text"] for row in rows("-")] == [text]


def test_blank_lines_are_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows(write(tmp_path / "d.txt", "one\n\ntwo\n\n"))
    assert "d.txt:2 is blank; blank lines get no answer" in capsys.readouterr().err


def test_a_file_without_rows_is_refused(tmp_path: Path) -> None:
    (problem,) = problems(write(tmp_path / "d.jsonl", ""))
    assert problem.endswith("has no rows; give some")
