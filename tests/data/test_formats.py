"""Text formats give every value as it is written, with its line, and name each line that is not of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from tunekit.data.files import Table, read
from tunekit.errors import InputError


def table(
    folder: Path, name: str, text: str | bytes, encoding: str = "utf-8", separator: str | None = None
) -> Table:
    """The table of a file with this content."""
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(folder / name, encoding, separator)


def problems(folder: Path, name: str, text: str | bytes, **options: Any) -> list[str]:
    """What is wrong with a file, without the folder's name."""
    with pytest.raises(InputError) as caught:
        table(folder, name, text, **options)
    return [problem.replace(f"{folder}/", "") for problem in caught.value.problems]


@pytest.mark.parametrize(
    "value", ["NA", "None", "null", "nan", "NaN", "N/A", "", "01", "1e3", "True", "1_000", " x "]
)
def test_a_csv_value_stays_as_it_is_written(tmp_path: Path, value: str) -> None:
    assert table(tmp_path, "d.csv", f"text,label\nsome,{value}\n").columns["label"] == [value]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=repr)
def test_csv_lines_may_end_in_any_way(tmp_path: Path, end: str) -> None:
    assert table(tmp_path, "d.csv", f"a,b{end}1,2{end}").columns == {"a": ["1"], "b": ["2"]}


def test_a_csv_row_knows_the_line_it_begins_in(tmp_path: Path) -> None:
    assert table(tmp_path, "d.csv", 'a,b\n"one\ntwo",x\n\nthree,y\n').lines == [2, 5]


def test_quoted_values_may_hold_separators_and_quotes(tmp_path: Path) -> None:
    assert table(tmp_path, "d.csv", 'a,b\n"x, ""y""",1\n').columns["a"] == ['x, "y"']


def test_a_separator_can_be_given(tmp_path: Path) -> None:
    assert table(tmp_path, "d.csv", "a;b\n1,5;2\n", separator=";").columns == {"a": ["1,5"], "b": ["2"]}


def test_tsv_is_separated_by_tabs(tmp_path: Path) -> None:
    assert table(tmp_path, "d.tsv", "a\tb\n1,5\t2\n").columns == {"a": ["1,5"], "b": ["2"]}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a,a\n1,2\n", "d.csv:1: columns a occur more than once; rename them"),
        ("a,,\n1,2,3\n", "d.csv:1: columns '' occur more than once; rename them"),
        ("", "d.csv has no rows; give a file with at least one"),
        ("\n\n", "d.csv has no rows; give a file with at least one"),
        ("a,b\n", "d.csv has no rows; give a file with at least one"),
        ('a,b\n1,2\n"open,3\n', "d.csv:3: unexpected end of data; check the quotes from there on"),
        ('a,b\n"x"y,3\n', "d.csv:2: ',' expected after '\"'; check the quotes from there on"),
    ],
)
def test_what_is_no_csv_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    assert problems(tmp_path, "d.csv", text) == [problem]


def test_every_ragged_csv_row_is_named(tmp_path: Path) -> None:
    advice = "quote values that contain the separator"
    assert problems(tmp_path, "d.csv", "a,b\n1,2,3\n4,5\n6\n") == [
        f"d.csv:2: 3 values for 2 columns (a, b); {advice}",
        f"d.csv:4: 1 values for 2 columns (a, b); {advice}",
    ]


@pytest.mark.parametrize("separator", [None, ","])
def test_a_header_that_another_sign_parts_is_one_problem(tmp_path: Path, separator: str | None) -> None:
    rows = "text;label\n" + "one, two;good\n" * 9
    (problem,) = problems(tmp_path, "d.csv", rows, separator=separator)
    assert problem.startswith("d.csv:1: its only column is 'text;label'; set data.separator=';', or, where ")


def test_a_column_called_so_can_be_read(tmp_path: Path) -> None:
    assert table(tmp_path, "d.csv", "text|note\none\n", separator=",").columns == {"text|note": ["one"]}


@pytest.mark.parametrize("separator", [None, ";"])
@pytest.mark.parametrize("name", ["d.csv", "d.tsv"])
def test_a_first_line_may_name_the_separator(tmp_path: Path, name: str, separator: str | None) -> None:
    found = table(tmp_path, name, "sep=;\r\na;b\r\n1,5;2\r\n", separator=separator)
    assert (found.columns, found.lines) == ({"a": ["1,5"], "b": ["2"]}, [3])


def test_jsonl_keeps_types(tmp_path: Path) -> None:
    found = table(tmp_path, "d.jsonl", '{"a": "1", "b": 1}\n\n{"a": "é", "b": [0.5, null]}\n')
    assert (found.columns, found.lines) == ({"a": ["1", "é"], "b": [1, [0.5, None]]}, [1, 3])


def test_a_row_that_lacks_a_column_has_none_there_wherever_it_stands(tmp_path: Path) -> None:
    found = table(tmp_path, "d.jsonl", '{"a": 1}\n{"b": 2, "a": 3}\n{"c": 4}\n')
    assert list(found.columns.items()) == [
        ("a", [1, 3, None]),
        ("b", [None, 2, None]),
        ("c", [None, None, 4]),
    ]


def test_a_key_that_a_jsonl_row_lacks_is_none(tmp_path: Path) -> None:
    assert table(tmp_path, "d.jsonl", '{"a": 1}\n{"b": 2}\n').columns == {"a": [1, None], "b": [None, 2]}


def test_a_line_separator_inside_a_json_text_ends_no_line(tmp_path: Path) -> None:
    assert table(tmp_path, "d.jsonl", '{"a": "x\u2028y"}\n').columns == {"a": ["x\u2028y"]}


def test_every_line_that_is_no_json_object_is_named(tmp_path: Path) -> None:
    lines = [
        '{"a": 1}',
        "{bad}",
        "[1]",
        '{"a": 1, "a": 2}',
        '{"a": ' + "1" * 5000 + "}",
        '{"a": ' + "[" * 100_000,
    ]
    found = problems(tmp_path, "d.jsonl", "\n".join(lines))
    assert [problem[:9] for problem in found] == [f"d.jsonl:{line}" for line in range(2, 7)]
    assert found[:3] == [
        "d.jsonl:2: Expecting property name enclosed in double quotes at column 2; correct the JSON there",
        'd.jsonl:3: [1] is no JSON object; write {"column": value, ...}',
        "d.jsonl:4: key 'a' is given twice; correct the JSON there",
    ]
    assert "nested too deeply" in found[4]


def test_a_json_array_in_a_jsonl_file_is_refused_in_one_line(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "d.jsonl", json.dumps([{"a": 1}, {"a": 2}], indent=1))
    assert problem == "d.jsonl begins a JSON array; write one object a line, or call the file .json"


@pytest.mark.parametrize(
    "text", ['[{"a": 1}, {"a": 2}]', '{"data": [{"a": 1}, {"a": 2}]}', '{"a": 1}\n{"a": 2}']
)
def test_json_holds_an_array_or_data_or_lines(tmp_path: Path, text: str) -> None:
    assert table(tmp_path, "d.json", text).columns == {"a": [1, 2]}


def test_rows_of_a_json_array_are_numbered_not_lined(tmp_path: Path) -> None:
    found = table(tmp_path, "d.json", '[{"a": 1}, {"a": 2}]')
    assert found.place(1).endswith("d.json row 1")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "d.json:1: Expecting value at column 1; correct the JSON there"),
        ("[{},\n,]", "d.json:2: Expecting value at column 1; correct the JSON there"),
        ("[" * 100_000, "d.json:1: nested too deeply; correct the JSON there"),
        ("[]", "d.json has no rows; give a file with at least one"),
        ('["a"]', 'd.json row 0: "a" is no JSON object; write {"column": value, ...}'),
        (
            '{"a": ["x"]}',
            "d.json is no list of objects; write [{...}, ...] or one object a line in a .jsonl file",
        ),
    ],
    ids=lambda text: text[:20],
)
def test_what_is_no_list_of_objects_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    assert problems(tmp_path, "d.json", text) == [problem]


def test_txt_is_a_text_a_line(tmp_path: Path) -> None:
    found = table(tmp_path, "d.txt", "one line\r\n\nanother\n")
    assert (found.columns, found.lines) == ({"text": ["one line", "another"]}, [1, 3])


CONLL = "Ada B-PER\nin O\nRome B-LOC\n\nHe O\nwent O\n"
SENTENCES = {
    "tokens": [["Ada", "in", "Rome"], ["He", "went"]],
    "ner_tags": [["B-PER", "O", "B-LOC"], ["O", "O"]],
}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("d.conll", CONLL),
        ("d.bio", CONLL),
        ("d.iob2", CONLL.replace("\n", "\r\n")),
        ("d.conll", CONLL.replace(" ", "\t")),
        ("d.conll", "-DOCSTART- -X- O O\n\n" + CONLL.replace(" ", " NN I-NP ")),
        ("d.txt", CONLL),
        ("D.CONLL", f"\n\n{CONLL}\n\n"),
    ],
)
def test_column_files_hold_a_word_and_its_tag_a_line(tmp_path: Path, name: str, text: str) -> None:
    assert table(tmp_path, name, text).columns == SENTENCES


def test_a_sentence_knows_the_line_it_begins_in(tmp_path: Path) -> None:
    assert table(tmp_path, "d.conll", CONLL).lines == [1, 5]


def test_a_word_may_hold_spaces_where_a_tab_separates(tmp_path: Path) -> None:
    found = table(tmp_path, "d.conll", "Ada Lovelace\tB-PER\n", separator="\t")
    assert found.columns["tokens"] == [["Ada Lovelace"]]


def test_every_odd_line_of_a_column_file_is_named(tmp_path: Path) -> None:
    found = problems(tmp_path, "d.conll", f"# a comment line\n{CONLL}alone\nx y z\n")
    assert found == [
        f"d.conll:{line}: {width} columns where 2 are expected (word ... tag); correct the line"
        for line, width in ((1, 4), (8, 1), (9, 3))
    ]


def test_a_file_of_tagged_words_with_a_wrong_tag_is_still_one(tmp_path: Path) -> None:
    assert table(tmp_path, "d.txt", CONLL.replace("B-LOC", "X-LOC")).columns["ner_tags"][0][2] == "X-LOC"


def test_a_text_file_of_sentences_is_no_file_of_tagged_words(tmp_path: Path) -> None:
    assert list(table(tmp_path, "d.txt", "type O\nI am O\nnot tagged\nat all\n").columns) == ["text"]


@pytest.mark.parametrize("encoding", ["utf-8", "UTF_8", "utf8"])
def test_a_byte_order_mark_is_dropped(tmp_path: Path, encoding: str) -> None:
    assert list(table(tmp_path, "d.csv", b"\xef\xbb\xbfa,b\n1,2\n", encoding).columns) == ["a", "b"]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-16-le", "cp1252", "gb18030"])
def test_an_encoding_can_be_given(tmp_path: Path, encoding: str) -> None:
    assert table(tmp_path, "d.csv", "a,b\né,2\n".encode(encoding), encoding).columns["a"] == ["é"]


@pytest.mark.parametrize("name", ["d.csv", "d.tsv", "d.json", "d.jsonl", "d.txt", "d.conll"])
def test_bytes_that_are_not_utf_8_are_named_with_line_and_encoding(tmp_path: Path, name: str) -> None:
    (problem,) = problems(tmp_path, name, b"a,b\nx,1\ny\xe9,2\n")
    assert problem == (
        f"{name}:3: byte 9 is not utf-8; name the file's encoding, for example data.encoding=latin-1"
    )


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_recognized(tmp_path: Path, encoding: str) -> None:
    (problem,) = problems(tmp_path, "d.csv", "a,b\nx,1\n".encode(encoding))
    assert problem.endswith("name the file's encoding, for example data.encoding=utf-16")


def test_bytes_that_are_not_of_the_given_encoding_are_named(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "d.csv", b"a,b\nx,\xe9\n", encoding="ascii")
    assert problem.startswith("d.csv:2: byte 6 is not ascii; name the file's encoding")


@pytest.mark.parametrize(
    ("name", "text"),
    [("d.csv", "a,b\n1\n1,2\n"), ("d.jsonl", 'x\n{"a": 1}\n'), ("d.json", '[1, {"a": 1}]')],
)
def test_rows_that_cannot_be_read_can_be_left_out(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    found = read(tmp_path / name, "utf-8", None, skip=True)
    assert (len(found), len(found.unread)) == (1, 1)


@pytest.mark.parametrize(
    ("name", "text"), [("d.csv", 'a,b\n1,2\n"open,3\n'), ("d.conll", "a O\nb\n"), ("d.jsonl", "x\n")]
)
def test_what_others_depend_on_is_never_left_out(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError):
        read(tmp_path / name, "utf-8", None, skip=True)
