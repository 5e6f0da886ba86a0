"""How files are written: encodings and separators, told from the files alone."""

from pathlib import Path

import pytest

from tests.init.shapes import moods, sheet, texts
from tunekit import init
from tunekit.errors import InputError
from tunekit.init.sniffing import encoding_of, separator_of

RUSSIAN = "текст,метка\n" + "фильм был очень хороший,хорошо\nплохой и скучный фильм,плохо\n" * 5
GERMAN = "text;label\nDer Film war schön, und müde bin ich;gut\nGrüße aus Köln;schlecht\n"
POLISH = "text;label\nŹle, zażółć gęślą jaźń;dobry\nFilm był bardzo dobry;zły\n"
JAPANESE = "テキスト,ラベル\nこの映画はとても良かったです,良い\nつまらない映画でした,悪い\n"
FRENCH = "text,label\n" + "Delivery was très quick — merci,good\n" * 5
QUOTES = "text,label\nthe film — “great”, it’s said,good\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (GERMAN, "cp1252"),
        (QUOTES, "cp1252"),
        (FRENCH, "cp1252"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8_r"),
        (POLISH, "cp1250"),
        (JAPANESE, "shift_jis"),
        (GERMAN, "utf-16"),
        (RUSSIAN, "utf-8"),
    ],
    ids=lambda value: value if len(value) < 12 else value[:6].strip(),
)
def test_an_encoding_is_told(text: str, encoding: str) -> None:
    content = text.encode(encoding)
    assert content.decode(encoding_of(content)[0]) == text


def test_plain_ascii_says_nothing_of_its_encoding() -> None:
    assert encoding_of(b"text,label\n") == ("", "")


def test_a_byte_that_windows_does_not_know_leaves_latin_1() -> None:
    assert encoding_of("schön \x81".encode("latin-1"))[0] == "latin-1"


def test_what_is_not_utf_8_is_shown_for_people_to_judge() -> None:
    _, note = encoding_of(GERMAN.encode("cp1252"))
    assert note.startswith("line 2 is not in UTF-8; if 'Der Film war schön, und")


@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
def test_a_separator_is_told_by_even_rows(sign: str, tmp_path: Path) -> None:
    path = sheet(tmp_path / "rows.csv", ["text", "label"], texts(), moods(), sign=sign)
    assert separator_of(path, "utf-8")[0] == sign


def test_a_first_line_that_names_the_separator_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("sep=|\ntext,label|mood\none|good\n")
    assert separator_of(path, "utf-8")[0] == "|"


def test_commas_in_texts_are_no_separators(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text;score\n" + "good, bad, and dull;3,5\n" * 9)
    assert separator_of(path, "utf-8")[0] == ";"


def test_one_column_has_no_separator(tmp_path: Path) -> None:
    assert separator_of(sheet(tmp_path / "rows.csv", ["text"], ["good", "bad"]), "utf-8") == ("", "")


def test_files_that_are_written_differently_are_named(tmp_path: Path) -> None:
    for split, sign in (("train", ","), ("test", ";")):
        sheet(tmp_path / f"{split}.csv", ["text", "label"], texts(), moods(), sign=sign)
    with pytest.raises(
        InputError, match="files differ in their separator .train.csv ',', test.csv ';'.*alike"
    ):
        init.inspect_data(str(tmp_path))


def test_what_the_user_says_is_not_looked_for(tmp_path: Path) -> None:
    path = sheet(tmp_path / "rows.csv", ["text", "label"], texts(), moods(), sign=";")
    look = init.inspect_data(str(path), ["data.separator='|'"])
    assert list(look.tables["train"][0].columns) == ["text;label"]


def test_columns_without_names_and_values_are_left_out(tmp_path: Path) -> None:
    blank = [""] * 40
    path = sheet(tmp_path / "rows.csv", ["text", "label", "", ""], texts(), moods(), blank, blank)
    names = list(init.inspect_data(str(path)).tables["train"][0].columns)
    assert names == ["text", "label"]
