"""Bootstrap intervals."""

import numpy as np
import pytest

from tunekit import metrics, stats
from tunekit.metrics import labels, tagging


def accuracy_rows(right: int, wrong: int) -> list[metrics.Statistics]:
    """Statistics of so many right and wrong answers."""
    return [labels.score_label("a", "a")] * right + [labels.score_label("b", "a")] * wrong


def test_the_interval_of_an_accuracy_is_that_of_the_binomial() -> None:
    found = stats.estimate(accuracy_rows(700, 300), labels.summarize_labels)["accuracy"]
    half = 1.96 * np.sqrt(0.7 * 0.3 / 1000)
    assert found.value == pytest.approx(0.7)
    assert found.low == pytest.approx(0.7 - half, abs=0.004)
    assert found.high == pytest.approx(0.7 + half, abs=0.004)
    assert found.n == 1000


def test_the_same_statistics_give_the_same_interval() -> None:
    rows = accuracy_rows(40, 20)
    assert stats.estimate(rows, labels.summarize_labels) == stats.estimate(rows, labels.summarize_labels)


def test_entities_are_resampled_by_sentence() -> None:
    rows = [
        tagging.score_entities(["B-PER"] * 20, ["B-PER"] * 20),
        tagging.score_entities(["O"], ["B-PER"]),
    ]
    found = stats.estimate(rows, tagging.summarize_entities)["f1"]
    assert found.n == 2
    assert found.low == 0.0  # the resamples that hold the second sentence twice
    assert found.high == 1.0


def test_one_example_has_no_spread() -> None:
    found = stats.estimate(accuracy_rows(1, 0), labels.summarize_labels)["accuracy"]
    assert (found.value, found.low, found.high, found.n) == (1.0, 1.0, 1.0, 1)


def test_totals_add_up() -> None:
    totals = stats.totals(accuracy_rows(3, 2))
    assert {name: float(value) for name, value in totals.items()} == {"tp/a": 3.0, "fp/b": 2.0, "fn/a": 2.0}
