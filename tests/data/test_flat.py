"""Windows as a few arrays: what goes in comes out, alone and in batches."""

import tracemalloc
from typing import Any

import numpy as np
import pytest

from tunekit.data.batches import collate
from tunekit.data.flat import BLOCK, Growing, Windows
from tunekit.errors import InputError
from tunekit.tasks.base import Window


def lists(*sizes: int, first: int = 0, **others: Any) -> list[Window]:
    """Windows of so many tokens each, which count on from `first`."""
    ends = np.cumsum(sizes) + first
    return [Window({"input_ids": [*range(e - n, e)], **others}) for n, e in zip(sizes, ends, strict=True)]


def test_a_window_has_the_inputs_that_it_was_made_of() -> None:
    windows = Windows.of(lists(2, 0, 3, labels=1))
    assert [window.inputs["input_ids"].tolist() for window in windows] == [[0, 1], [], [2, 3, 4]]
    assert [int(window.inputs["labels"]) for window in windows] == [1, 1, 1]


def test_more_windows_than_are_joined_at_a_time_stay_in_order() -> None:
    windows = Windows.of(lists(*[3] * (2 * BLOCK + 5)))
    assert len(windows) == 2 * BLOCK + 5
    assert windows[-1].inputs["input_ids"].tolist() == [6 * BLOCK + 12, 6 * BLOCK + 13, 6 * BLOCK + 14]


@pytest.mark.parametrize(
    ("first", "bytes_each"), [(0, 1), (200, 2), (70_000, 4), (1 << 40, 8)], ids=["8", "16", "32", "64"]
)
def test_numbers_are_kept_in_as_few_bytes_as_hold_them(first: int, bytes_each: int) -> None:
    windows = Windows.of(lists(2, 3, first=first))
    assert windows.inputs["input_ids"].values.dtype.itemsize == bytes_each  # type: ignore[union-attr]
    assert windows[1].inputs["input_ids"].tolist() == [first + 2, first + 3, first + 4]


def test_whole_numbers_come_in_64_bits_for_the_model() -> None:
    windows = Windows.of(lists(2, 3))
    assert windows[0].inputs["input_ids"].dtype == np.int64
    assert windows.batch({})["input_ids"].dtype == np.int64


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.bool_, np.float32, np.float64])
def test_other_numbers_keep_their_type(kind: type[np.generic]) -> None:
    windows = Windows.of([Window({"mask": np.array([1, 0], kind), "labels": kind(1)})] * 2)
    assert {array.dtype for array in windows.batch({}).values()} == {np.dtype(kind)}
    assert {array.dtype for array in windows[0].inputs.values()} == {np.dtype(kind)}


def test_an_empty_list_does_not_turn_whole_numbers_into_fractions() -> None:
    assert Windows.of(lists(0, 2)).batch({})["input_ids"].dtype == np.int64


def test_batches_are_padded_on_the_right() -> None:
    batch = Windows.of(lists(2, 0, 3)).batch({"input_ids": 9})
    assert batch["input_ids"].tolist() == [[0, 1, 9], [9, 9, 9], [2, 3, 4]]


def test_batches_are_padded_on_the_left_where_that_is_asked() -> None:
    batch = Windows.of(lists(2, 0, 3)).batch({"input_ids": 9}, left=True)
    assert batch["input_ids"].tolist() == [[9, 0, 1], [9, 9, 9], [2, 3, 4]]


@pytest.mark.parametrize(("left", "second"), [(False, [[7, 0], [0, 0]]), (True, [[0, 7], [0, 0]])])
def test_several_texts_a_window_are_padded_in_number_and_length(left: bool, second: list[Any]) -> None:
    windows = [Window({"input_ids": [[1, 2], [3, 4]]}), Window({"input_ids": [[7]]})]
    assert collate(windows, 0, left=left)["input_ids"].tolist() == [[[1, 2], [3, 4]], second]


def test_inputs_of_the_same_sizes_share_where_they_begin() -> None:
    windows = Windows.of([Window({"a": [1] * n, "b": [2] * n, "c": [3]}) for n in (1, 2)])
    a, b, c = (column.begins for column in windows.inputs.values())  # type: ignore[union-attr]
    assert a is b
    assert a is not c


def test_a_picture_is_not_copied() -> None:
    picture = np.zeros((3, 4, 4), np.uint8)
    windows = Windows.of([Window({"pixel_values": picture})])
    assert windows[0].inputs["pixel_values"] is picture


def test_a_window_is_worth_as_many_tokens_as_its_longest_input() -> None:
    assert Windows.of(
        [Window({"input_ids": [1] * n, "labels": [1, 2]}) for n in (1, 5)]
    ).tokens().tolist() == [
        2,
        5,
    ]


def test_a_picture_is_worth_its_patches() -> None:
    assert Windows.of([Window({"pixel_values": np.zeros((3, 32, 48), np.uint8)})]).tokens().tolist() == [6]


def test_some_windows_are_taken_in_the_order_asked() -> None:
    some = Windows.of(lists(1, 2, 3)).take(np.array([2, 0]))
    assert [len(window.inputs["input_ids"]) for window in some] == [3, 1]
    assert some.tokens().tolist() == [3, 1]
    assert some.take(np.array([1]))[0].inputs["input_ids"].tolist() == [0]


def test_a_part_of_windows_shares_their_arrays() -> None:
    windows = Windows.of(lists(1, 2, 3))
    assert [len(window.inputs["input_ids"]) for window in windows[1:]] == [2, 3]
    assert windows[1:].inputs is windows.inputs


def test_what_windows_note_stays_with_them() -> None:
    windows = Windows.of([Window({"labels": n}, notes={"shown": n}, cut=n == 1, lost=n == 0) for n in (0, 1)])
    assert [(w.notes, w.cut, w.lost) for w in windows] == [
        ({"shown": 0}, False, True),
        ({"shown": 1}, True, False),
    ]


def test_there_may_be_no_windows() -> None:
    assert list(Windows.of([])) == []
    assert Windows.of([]).tokens().tolist() == []


def test_windows_with_different_inputs_are_refused() -> None:
    with pytest.raises(
        InputError, match="some windows have an input 'b' and others have not; encode all alike"
    ):
        Windows.of([Window({"a": 1}), Window({"a": 1, "b": 2})])


def test_an_input_that_is_a_number_here_and_a_list_there_is_refused() -> None:
    with pytest.raises(InputError, match="input 'a' has 1 dimensions in one window and 0 in another"):
        Windows.of([Window({"a": 1}), Window({"a": [1]})])


def test_windows_take_little_more_memory_than_their_numbers() -> None:
    tracemalloc.start()
    growing = Growing(notes=None)
    for _ in range(20 * BLOCK):
        growing.add(Window({"input_ids": [*range(100, 120)], "attention_mask": [1] * 20, "labels": 1}))
    windows = growing.windows()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(windows) == 20 * BLOCK
    assert held / len(windows) < 100  # bytes: 40 numbers, the label, where it begins, and two marks
