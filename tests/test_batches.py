"""The plan of batches, their division and their tensors."""

import numpy as np
import pytest

from tunekit.data import batches
from tunekit.tasks.base import Window


def test_the_plan_is_a_pure_function_whose_first_batches_are_these() -> None:
    first = batches.plan(10, seed=0, epoch=0, batch_size=4)
    assert [batch.tolist() for batch in first] == [[4, 6, 2, 7], [3, 5, 9, 0], [8, 1]]
    second = batches.plan(10, seed=0, epoch=1, batch_size=4)
    assert [batch.tolist() for batch in second] == [[9, 1, 3, 8], [7, 6, 0, 4], [2, 5]]


def test_the_plan_uses_every_row_once_an_epoch() -> None:
    rows = np.concatenate(batches.plan(101, seed=3, epoch=5, batch_size=8))
    assert sorted(rows.tolist()) == list(range(101))


@pytest.mark.parametrize("processes", [1, 2, 3, 7])
def test_shares_of_processes_are_all_windows_once(processes: int) -> None:
    lengths = np.random.default_rng(0).integers(1, 50, 33)
    shares = [batches.share(lengths, processes, process) for process in range(processes)]
    assert sorted(np.concatenate(shares).tolist()) == list(range(33))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_shares_of_processes_have_similar_numbers_of_tokens() -> None:
    lengths = np.random.default_rng(0).integers(1, 50, 64)
    tokens = [lengths[batches.share(lengths, 2, process)].sum() for process in range(2)]
    assert max(tokens) / min(tokens) < 1.1


def test_cutting_by_tokens_keeps_every_window_and_the_budget() -> None:
    lengths = np.random.default_rng(1).integers(1, 60, 40)
    groups = batches.cut_by_tokens(lengths, budget=200, overhead=10)
    assert sorted(np.concatenate(groups).tolist()) == list(range(40))
    assert all(lengths[group].max() * len(group) <= 200 for group in groups)


def test_cutting_by_tokens_is_the_cheapest_way() -> None:
    lengths = np.array([50, 10, 10, 9, 50])
    assert [sorted(group.tolist()) for group in batches.cut_by_tokens(lengths, 1000, overhead=20)] == [
        [0, 4],
        [1, 2, 3],
    ]
    assert len(batches.cut_by_tokens(lengths, 1000, overhead=500)) == 1


def test_a_window_longer_than_the_budget_is_alone() -> None:
    groups = batches.cut_by_tokens(np.array([500, 3, 3]), budget=100, overhead=10)
    assert [group.tolist() for group in groups] == [[0], [1, 2]]


def test_packing_keeps_every_window_and_the_budget() -> None:
    lengths = np.random.default_rng(2).integers(1, 60, 500)
    packed = batches.pack(lengths, 512)
    assert sorted(np.concatenate(packed).tolist()) == list(range(500))
    assert all(lengths[batch].max() * len(batch) <= 512 for batch in packed)


def test_collate_pads_each_input_with_what_the_model_ignores() -> None:
    short = Window(
        {"input_ids": np.array([5, 6]), "attention_mask": np.array([1, 1]), "labels": np.array([1, -100])}
    )
    long = Window(
        {
            "input_ids": np.array([7, 8, 9]),
            "attention_mask": np.array([1, 1, 1]),
            "labels": np.array([0, 0, 0]),
        }
    )
    batch = batches.collate([short, long], pad_token=3)
    assert batch["input_ids"].tolist() == [[5, 6, 3], [7, 8, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 0], [1, 1, 1]]
    assert batch["labels"].tolist() == [[1, -100, -100], [0, 0, 0]]


def test_collate_stacks_numbers() -> None:
    windows = [Window({"labels": np.array(label)}) for label in (2, 0)]
    assert batches.collate(windows, pad_token=0)["labels"].tolist() == [2, 0]
