"""Parquet, arrow and `datasets` objects become the same tables, and damaged files are named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tunekit.data.files import Table, from_dataset, read
from tunekit.errors import InputError

ROWS = {"text": ["one", "two", "three"], "label": [0, 1, 1], "tags": [[0, 1], [1], [0]]}


def dataset() -> Any:
    """Rows with class labels, alone and in lists."""
    from datasets import ClassLabel, Dataset, Features, List, Value

    names = ClassLabel(names=["bad", "good"])
    features = Features(
        {"text": Value("string"), "label": names, "tags": List(ClassLabel(names=["O", "B-X"]))}
    )
    return Dataset.from_dict(ROWS, features=features)


def write_parquet(path: Path) -> None:
    from pyarrow import parquet

    parquet.write_table(dataset().data.table, path)


def write_arrow_stream(path: Path) -> None:
    import pyarrow

    content = dataset().data.table
    with pyarrow.OSFile(str(path), "wb") as sink, pyarrow.ipc.new_stream(sink, content.schema) as writer:
        writer.write_table(content)


def write_arrow_file(path: Path) -> None:
    import pyarrow

    content = dataset().data.table
    with pyarrow.OSFile(str(path), "wb") as sink, pyarrow.ipc.new_file(sink, content.schema) as writer:
        writer.write_table(content)


WRITERS = {"d.parquet": write_parquet, "stream.arrow": write_arrow_stream, "file.arrow": write_arrow_file}


def problem(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read(path, "utf-8", None)
    (found,) = caught.value.problems
    return found.replace(f"{path.parent}/", "")


@pytest.mark.parametrize("name", WRITERS)
def test_columnar_files_keep_values_and_class_names(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name)
    found = read(tmp_path / name, "utf-8", None)
    assert found == Table(str(tmp_path / name), ROWS, None, {"label": ["bad", "good"], "tags": ["O", "B-X"]})


def test_a_dataset_in_memory_gives_the_same_table() -> None:
    assert from_dataset(dataset(), "memory").class_names == {"label": ["bad", "good"], "tags": ["O", "B-X"]}


def test_rows_without_lines_are_numbered() -> None:
    assert from_dataset(dataset(), "memory").place(2) == "memory row 2"


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize(
    "damage",
    [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"no table"],
    ids=["half", "empty", "other"],
)
def test_a_damaged_columnar_file_is_named_with_its_size(
    tmp_path: Path, name: str, damage: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    WRITERS[name](tmp_path / name)
    content = damage((tmp_path / name).read_bytes())
    (tmp_path / name).write_bytes(content)
    found = problem(tmp_path / name)
    assert found.startswith(f"{name} ({len(content):,} bytes) cannot be read: ")
    assert found.endswith("; write the file again")
    assert not caplog.records


def test_a_columnar_file_without_rows_is_refused(tmp_path: Path) -> None:
    from pyarrow import parquet

    parquet.write_table(dataset().data.table.slice(0, 0), tmp_path / "d.parquet")
    assert problem(tmp_path / "d.parquet") == "d.parquet has no rows; give a file with at least one"
