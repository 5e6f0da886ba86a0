"""YAML is read as it is written, and a file that is none, or that blows up, is refused with its line."""

from pathlib import Path
from typing import Any

import pytest

from tunekit.errors import InputError
from tunekit.recipe.reading import MAX_BYTES, Reading, read_file, read_mapping


def read(text: str) -> dict[str, Any]:
    values, reading = read_mapping(Reading(text, "r.yaml"))
    assert not reading.problems
    return values


def refusal(text: str) -> str:
    """The one problem of a text."""
    with pytest.raises(InputError) as caught:
        _, reading = read_mapping(Reading(text, "r.yaml"))
        raise InputError(reading.problems)
    (problem,) = caught.value.problems
    return problem


def refusal_of_bytes(tmp_path: Path, content: bytes) -> str:
    """The one problem of a file."""
    (tmp_path / "r.yaml").write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_file(tmp_path / "r.yaml")
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize(
    "scalar",
    ["no", "on", "yes", "5e-5", "010", "12:30", "1_000", "2024-01-01", "1234567", "0x10", "=", ".nan"],
)
def test_a_scalar_stays_the_string_it_is_written_as(scalar: str) -> None:
    assert read(f"a: {scalar}") == {"a": scalar}


def test_a_key_called_no_is_a_string() -> None:
    assert read("no: 1") == {"no": "1"}


@pytest.mark.parametrize("null", ["", "~", "null"])
def test_null_is_none(null: str) -> None:
    assert read(f"a: {null}") == {"a": None}


def test_a_quoted_null_is_a_string() -> None:
    assert read("a: 'null'") == {"a": "null"}


@pytest.mark.parametrize("prefix", [b"\xef\xbb\xbf", b"# r\r\n", b"%YAML 1.1\n---\n"], ids=repr)
def test_a_byte_order_mark_and_windows_lines_and_a_header_are_fine(tmp_path: Path, prefix: bytes) -> None:
    (tmp_path / "r.yaml").write_bytes(prefix + b"a: 1\r\nb: 2\r\n")
    assert read_file(tmp_path / "r.yaml")[0] == {"a": "1", "b": "2"}


def test_every_key_knows_its_line() -> None:
    _, reading = read_mapping(Reading("a: 1\n\nb:\n  c: {d: 2}\n", "r.yaml"))
    assert reading.lines == {("a",): 1, ("b",): 3, ("b", "c"): 4, ("b", "c", "d"): 4}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: 2\na: 3", "r.yaml:3: key 'a' is already given in line 1; remove one"),
        ("s:\n  a: 1\n  a: 1", "r.yaml:3: key 'a' is already given in line 2; remove one"),
        ("? [a, b]\n: 1", "r.yaml:1: a key must be a word; write it as one"),
        ("a: !local 1", "r.yaml:1: tag '!local' is not allowed; remove it"),
        ("a: !!binary aGk=", "r.yaml:1: tag 'tag:yaml.org,2002:binary' is not allowed; remove it"),
        ("", "r.yaml is empty; write keys such as task:, model: and data:"),
        ("# nothing\n", "r.yaml is empty; write keys such as task:, model: and data:"),
        ("- a", "r.yaml is not a mapping; write keys such as task:, model: and data:"),
        ("word", "r.yaml is not a mapping; write keys such as task:, model: and data:"),
        (
            "a: 1\n---\nb: 2",
            "r.yaml:2:1: a second document begins (---); a recipe is one; correct the YAML there",
        ),
        ("a:\n\tb: 1", "r.yaml:2:1: a tab, where YAML indents with spaces; correct the YAML there"),
        ("a: 1\nb: c: d", "r.yaml:2:5: mapping values are not allowed here; correct the YAML there"),
        ("a: x\x00y", "r.yaml:1: character U+0000 is not allowed in YAML; remove it"),
    ],
)
def test_what_is_no_recipe_is_refused_with_its_line(text: str, problem: str) -> None:
    assert refusal(text) == problem


@pytest.mark.parametrize("text", ["a: 'x\nb: 1", "a: [1, 2\n", "a: {b: 1\n"])
def test_what_is_left_open_is_refused_with_line_and_column(text: str) -> None:
    problem = refusal(text)
    assert problem.startswith("r.yaml:")
    assert problem.split(": ")[0].count(":") == 2
    assert problem.endswith("correct the YAML there")


def test_python_objects_are_never_made() -> None:
    problem = refusal("a: !!python/object/apply:os.system [exit 1]")
    assert problem.startswith(
        "r.yaml:1: tag 'tag:yaml.org,2002:python/object/apply:os.system' is not allowed"
    )


def test_an_alias_is_refused() -> None:
    problem = refusal("a: &x {b: 1}\nc: *x")
    assert problem == "r.yaml:2: aliases (*x) are not supported; write the value out"


def test_a_bomb_of_aliases_is_refused_at_the_first() -> None:
    levels = "".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]\n" for i in range(1, 10))
    assert refusal(f"l0: &l0 [x, x]\n{levels}").startswith("r.yaml:2: aliases (*l0)")


@pytest.mark.parametrize("opening", ["[", "{a: "])
def test_deep_nesting_is_refused_before_it_is_read_to_the_end(opening: str) -> None:
    assert "r.yaml:1: nested too deeply; a recipe has three levels" in refusal("a: " + opening * 20_000)


def test_a_recipe_that_is_not_utf_8_is_refused_with_its_line(tmp_path: Path) -> None:
    problem = refusal_of_bytes(tmp_path, b"a: 1\nb: \xe9\n")
    assert problem == f"{tmp_path}/r.yaml:2: byte 8 is not UTF-8; save the recipe as UTF-8"


def test_an_oversized_file_is_refused(tmp_path: Path) -> None:
    problem = refusal_of_bytes(tmp_path, b"#" * (MAX_BYTES + 1))
    assert "has more than 100,000 bytes; that is no recipe, give another file" in problem


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder; give the recipe file itself"):
        read_file(tmp_path)
