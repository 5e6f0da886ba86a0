"""What a machine prepares once: the others wait as long as the first lives, and map what it has left."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import tiny
from tests.building import make_task
from tunekit.data.batches import collate
from tunekit.data.mapped import read_windows, write_windows
from tunekit.data.windows import Encoded, encode
from tunekit.prepare import once as onces
from tunekit.prepare.once import Once, prepared_once

TASK = "text-classification"
FIRST = """
import os, sys, time
from tunekit.prepare.once import prepared_once
with prepared_once():
    print("begun", flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def launch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """This process is one of two on this machine, whose folder is one of this test."""
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(onces, "CALLS", iter(lambda: 0, 1))  # both processes of a test make their first call


def second(found: list[Any]) -> threading.Thread:
    """The second process, as a thread that ends when it need not wait any more."""

    def run() -> None:
        try:
            folder = onces.place()
            found.append(Once(folder, first=False, told=onces.wait(folder)))
        except SystemExit as end:
            found.append(end.code)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def encoded_rows(checkpoint: Callable[..., Path], family: str = "bert", task: str = TASK) -> Encoded:
    """The windows of some rows with their targets."""
    rows = [{**row, "place": f"train.jsonl:{n}"} for n, row in enumerate(tiny.DATA[task](9), 1)]
    labels = {TASK: ["negative", "positive"], "token-classification": ["O", "B-PER", "B-LOC"]}
    taught = make_task(task, checkpoint(family), labels.get(task, []))
    if task == "token-classification":
        rows = [{"words": row["tokens"], "tags": row["ner_tags"], "place": row["place"]} for row in rows]
    return encode(taught, rows, targets=True)


def test_nobody_waits_where_a_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1")
    with prepared_once() as once:
        assert once.folder is None
        assert once.first


def test_the_others_begin_when_the_first_is_through() -> None:
    found: list[Any] = []
    with prepared_once() as first:
        waiting = second(found)
        waiting.join(0.2)
        assert waiting.is_alive()
        first.told = {"data": {}}
    waiting.join(30)
    assert found[0].told == {"data": {}}
    assert not found[0].first
    first.clear()
    assert first.folder is not None
    assert not first.folder.exists()


def test_the_others_end_silently_and_alike_when_the_first_fails(
    capfd: pytest.CaptureFixture[str],
) -> None:
    found: list[Any] = []
    waiting = second(found)
    with pytest.raises(SystemExit), prepared_once():
        raise SystemExit(2)
    waiting.join(30)
    assert found == [2]
    assert capfd.readouterr() == ("", "")


def test_the_others_end_when_the_first_is_killed() -> None:
    environment = os.environ | {"LOCAL_RANK": "0"}
    first = subprocess.Popen([sys.executable, "-c", FIRST], env=environment, stdout=subprocess.PIPE)
    found: list[Any] = []
    waiting = second(found)
    assert first.stdout is not None
    first.stdout.readline()
    waiting.join(0.2)
    assert waiting.is_alive()
    first.send_signal(signal.SIGKILL)
    first.wait()
    first.stdout.close()
    waiting.join(30)
    assert found == [1]


def test_what_an_earlier_launch_has_left_is_not_believed() -> None:
    left = onces.place()
    left.mkdir()
    (left / "lock").touch()
    for name, content in (("begun", {}), ("word", {"failed": 2, "told": {"data": "old"}})):
        (left / f"{name}.json").write_text(json.dumps({**content, "at": 1.0}))
    found: list[Any] = []
    waiting = second(found)
    waiting.join(0.2)
    assert waiting.is_alive()
    with prepared_once() as first:
        first.told = {"data": "new"}
    waiting.join(30)
    assert found[0].told == {"data": "new"}
    first.clear()


def test_the_others_have_nothing_to_do_when_the_first_has_not() -> None:
    found: list[Any] = []
    with prepared_once():
        waiting = second(found)
    waiting.join(30)
    assert found[0].idle


@pytest.mark.parametrize(
    ("task", "family"),
    [
        (TASK, "bert"),
        ("token-classification", "bert"),
        ("summarization", "t5"),
        ("question-answering", "bert"),
    ],
)
def test_windows_are_the_same_when_they_are_mapped(
    task: str, family: str, checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    wanted = encoded_rows(checkpoint, family, task)
    write_windows(tmp_path, wanted)
    found = read_windows(tmp_path)
    for name in ("row", "first", "lengths", "counts"):
        assert np.array_equal(getattr(found, name), getattr(wanted, name))
    assert [*found.places] == [f"train.jsonl:{n}" for n in range(1, 10)]
    assert found.facts() == wanted.facts()
    one, other = (collate(each.windows, 0) for each in (found, wanted))
    assert one.keys() == other.keys()
    assert all(one[key].equal(other[key]) for key in one)


def test_pictures_of_different_sizes_are_mapped(tmp_path: Path) -> None:
    from tunekit.data.flat import Windows
    from tunekit.data.windows import Encoded as Windowed
    from tunekit.tasks.base import Window

    pictures = [np.full((3, size, 5), size, np.uint8) for size in (4, 7, 2)]
    windows = Windows.of([Window({"pixel_values": each, "labels": 1}) for each in pictures])
    rows = [{"id": n} for n in range(3)]
    write_windows(tmp_path, Windowed.of(windows, np.arange(4), np.ones(3, np.int64), rows, 0, 0))
    found = read_windows(tmp_path).windows
    for number, picture in enumerate(pictures):
        assert np.array_equal(found[number].inputs["pixel_values"], picture)


def test_the_arrays_of_mapped_windows_stay_on_the_disk(
    checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    write_windows(tmp_path, encoded_rows(checkpoint))
    tokens = read_windows(tmp_path).windows.inputs["input_ids"]
    assert isinstance(tokens.values, np.memmap)  # type: ignore[union-attr]


def test_a_full_disk_says_where(checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    from tunekit.errors import EnvironmentFailure

    once = Once(tmp_path / "missing")
    with pytest.raises(EnvironmentFailure, match="TMPDIR"):
        once.leave("train", encoded_rows(checkpoint))


def test_a_call_that_found_nothing_to_do_is_still_told_to_who_comes_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(onces, "CALLS", iter([0, 1, 0]))  # two of the first process, then one of the other
    for _ in range(2):
        with prepared_once():
            pass
    found: list[Any] = []
    second(found).join(30)
    assert found[0].idle
