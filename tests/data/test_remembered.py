"""Windows that are kept on disk: found again by what they follow from, and trusted only where they can be."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import tiny
from tests.building import make_task
from tunekit.data import remembered
from tunekit.data.drawing import fingerprint
from tunekit.data.remembered import drop_oldest, encode_once, keep, kept_in, key_of, look_up
from tunekit.data.windows import Encoded, encode
from tunekit.tasks.base import Task

TEXT = "text-classification"
LABELS = ["negative", "positive"]
Rows = list[dict[str, Any]]


@pytest.fixture
def task(checkpoint: Callable[..., Path]) -> Task:
    """Text classification by a tiny BERT."""
    return make_task(TEXT, checkpoint("bert"), LABELS, max_length=16)


@pytest.fixture
def rows() -> Rows:
    """Rows of different lengths."""
    return [{**row, "id": i, "place": f"train.jsonl:{i + 1}"} for i, row in enumerate(tiny.reviews(50))]


@pytest.fixture
def kept(tmp_path: Path, task: Task, rows: Rows) -> Path:
    """The one file of a folder with the windows of these rows."""
    keep(tmp_path / "encoded", "key", encode(task, rows, targets=True))
    (path,) = (tmp_path / "encoded").iterdir()
    return path


def found(path: Path, rows: Rows) -> Encoded | None:
    return look_up(path.parent, "key", rows)


def same(a: Encoded, b: Encoded) -> bool:
    """Whether two sets of windows are the same in everything."""
    batches = [each.windows.batch({}) for each in (a, b)]
    alike = all((batches[0][key] == batches[1][key]).all() for key in batches[0].keys() | batches[1].keys())
    numbers = all((getattr(a, n) == getattr(b, n)).all() for n in ("row", "first", "lengths", "counts"))
    return alike and numbers and (a.places, a.cut, a.lost) == (b.places, b.cut, b.lost)


def test_windows_come_back_as_they_were(kept: Path, task: Task, rows: Rows) -> None:
    again = found(kept, rows)
    assert again is not None
    assert same(again, encode(task, rows, targets=True))


def test_inputs_come_back_in_their_types(kept: Path, task: Task, rows: Rows) -> None:
    again = found(kept, rows)
    assert again is not None
    types = [
        {k: v.dtype for k, v in e.windows[0].inputs.items()}
        for e in (again, encode(task, rows, targets=True))
    ]
    assert types[0] == types[1]


def test_inputs_of_the_same_sizes_still_share_where_they_begin(kept: Path, rows: Rows) -> None:
    again = found(kept, rows)
    assert again is not None
    begins = [again.windows.inputs[key].begins for key in ("input_ids", "attention_mask")]  # type: ignore[union-attr]
    assert begins[0] is begins[1]


def test_nothing_is_found_under_another_key(kept: Path, rows: Rows) -> None:
    assert look_up(kept.parent, "other", rows) is None


def test_a_damaged_file_is_not_used_and_removed(kept: Path, rows: Rows) -> None:
    content = bytearray(kept.read_bytes())
    content[-1] ^= 1
    kept.write_bytes(content)
    assert found(kept, rows) is None
    assert not kept.exists()


def test_a_file_that_is_cut_short_is_not_used(kept: Path, rows: Rows) -> None:
    kept.write_bytes(kept.read_bytes()[:100])
    assert found(kept, rows) is None


def test_windows_of_another_number_of_rows_are_not_used(kept: Path, rows: Rows) -> None:
    assert found(kept, rows[1:]) is None


def test_only_the_user_can_read_what_is_kept(kept: Path) -> None:
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700


def test_a_file_that_others_can_write_is_not_used(kept: Path, rows: Rows) -> None:
    kept.chmod(0o620)
    assert found(kept, rows) is None


def test_a_link_is_not_followed(kept: Path, tmp_path: Path, rows: Rows) -> None:
    kept.rename(tmp_path / kept.name)
    kept.symlink_to(tmp_path / kept.name)
    assert found(kept, rows) is None


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_is_not_used(kept: Path, rows: Rows) -> None:
    os.chown(kept, 12345, -1)
    assert found(kept, rows) is None
    assert kept.exists()


def test_objects_are_not_unpickled(kept: Path, rows: Rows) -> None:
    import hashlib

    np.save(kept.parent / "objects.npy", np.array([{}], object), allow_pickle=True)
    content = (kept.parent / "objects.npy").read_bytes()
    planted = kept.parent / f"other-{hashlib.sha256(content).hexdigest()}.npy"
    planted.write_bytes(content)
    planted.chmod(0o600)
    assert look_up(kept.parent, "other", rows) is None


def test_pictures_are_not_kept(tmp_path: Path, checkpoint: Callable[..., Path]) -> None:
    task = make_task("image-classification", checkpoint("vit"), LABELS)
    row = {"image": np.zeros((3, 8, 8), np.uint8), "label": "positive", "id": 0}
    keep(tmp_path / "encoded", "key", encode(task, [row], targets=True))
    assert not (tmp_path / "encoded").exists()


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path: Path, task: Task, rows: Rows) -> None:
    (tmp_path / "file").write_text("in the way")
    keep(tmp_path / "file" / "encoded", "key", encode(task, rows, targets=True))
    assert (tmp_path / "file").read_text() == "in the way"


def test_the_files_that_were_used_longest_ago_are_dropped(tmp_path: Path) -> None:
    for number, name in enumerate("abc"):
        (tmp_path / name).write_bytes(bytes(10))
        os.utime(tmp_path / name, (number, number))
    drop_oldest(tmp_path, 20)
    assert {path.name for path in tmp_path.iterdir()} == {"b", "c"}


def test_the_key_is_the_same_before_and_after_encoding(task: Task, rows: Rows) -> None:
    before = key_of(task, "rows")
    encode(task, rows, targets=True)
    assert key_of(task, "rows") == before


@pytest.mark.parametrize("changed", ["rows", "option", "labels", "learned", "tokenizer"])
def test_the_key_changes_with_whatever_windows_follow_from(
    changed: str, task: Task, checkpoint: Callable[..., Path]
) -> None:
    other = make_task(
        TEXT,
        checkpoint("roberta" if changed == "tokenizer" else "bert"),
        LABELS[::-1] if changed == "labels" else LABELS,
        max_length=15 if changed == "option" else 16,
    )
    if changed == "learned":
        other.learned = {"weights": [1.0, 2.0]}
    assert key_of(other, "others" if changed == "rows" else "rows") != key_of(task, "rows")


def test_rows_are_encoded_once(
    tmp_path: Path, task: Task, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(remembered, "FEWEST_ROWS", 1)
    monkeypatch.setattr(remembered, "FEWEST_TOKENS", 1)
    first = encode_once(task, rows, fingerprint(rows))
    (path,) = (tmp_path / "tunekit" / "encoded").iterdir()
    os.utime(path, (0, 0))
    second = encode_once(task, rows, fingerprint(rows))
    assert path.stat().st_mtime > 0  # it was used
    assert same(first, second)


def test_few_rows_are_not_kept(
    tmp_path: Path, task: Task, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    encode_once(task, rows, fingerprint(rows))
    assert not list(tmp_path.iterdir())


def test_keeping_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNEKIT_CACHE", "0")
    assert kept_in() is None


def test_a_cache_that_is_named_by_a_relative_path_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    assert kept_in() == Path.home() / ".cache" / "tunekit" / "encoded"
