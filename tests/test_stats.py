"""Intervals around scores, and tests of differences."""

from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats
from numpy.typing import NDArray

from tunekit import metrics, stats
from tunekit.metrics import labels, likelihood, numbers, rouge, tagging
from tunekit.stats.bootstrap import bootstrap
from tunekit.stats.paired import exact_bounds, swapped


def accuracy_rows(right: int, wrong: int) -> list[metrics.Statistics]:
    """Statistics of so many right and wrong answers."""
    return [labels.score_label("a", "a")] * right + [labels.score_label("b", "a")] * wrong


def rouge_rows(values: NDArray[np.float64]) -> list[metrics.Statistics]:
    """Statistics of summaries with these scores."""
    return [{"summaries": 1.0, **dict.fromkeys(rouge.KINDS, float(value))} for value in values]


def rouge_sample(values: NDArray[np.float64]) -> stats.Sample:
    """A sample of summaries with these scores."""
    return stats.Sample.of(rouge_rows(values), rouge.summarize_summaries)


def test_the_interval_of_an_accuracy_is_wilsons() -> None:
    found = stats.estimate(accuracy_rows(70, 30), labels.summarize_labels)["accuracy"]
    wilson = scipy.stats.binomtest(70, 100).proportion_ci(method="wilson")
    assert (found.value, found.low, found.high, found.n) == (0.7, wilson.low, wilson.high, 100)


def test_the_interval_of_a_mean_is_scipys_bca() -> None:
    values = np.random.default_rng(0).beta(1, 4, size=80)
    found = stats.estimate(rouge_rows(values), rouge.summarize_summaries)["rougeL"]
    scipys = scipy.stats.bootstrap((values,), np.mean, n_resamples=20_000, method="BCa", rng=1)
    assert found.low is not None and found.high is not None
    width = found.high - found.low
    assert found.low == pytest.approx(scipys.confidence_interval.low, abs=0.05 * width)
    assert found.high == pytest.approx(scipys.confidence_interval.high, abs=0.05 * width)


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


def test_one_right_answer_says_little_of_the_accuracy() -> None:
    found = stats.estimate(accuracy_rows(1, 0), labels.summarize_labels)["accuracy"]
    assert (found.value, found.high, found.n) == (1.0, 1.0, 1)
    assert found.low == pytest.approx(0.2065, abs=1e-4)


def test_one_example_gives_no_interval_of_what_is_no_share() -> None:
    found = stats.estimate(rouge_rows(np.array([0.3])), rouge.summarize_summaries)["rougeL"]
    assert (found.value, found.low, found.high) == (0.3, None, None)


def test_a_perfect_score_has_an_interval_too() -> None:
    sentences = [["B-PER", "O"], ["O", "O"]] * 20
    rows = [tagging.score_entities(tags, tags) for tags in sentences]
    found = stats.estimate(rows, tagging.summarize_entities)["f1"]
    assert found.low == pytest.approx(0.912, abs=1e-3)
    assert found.high == 1.0


def test_what_is_no_share_has_no_interval_where_all_resamples_are_equal() -> None:
    constant = [labels.score_label("a", wanted) for wanted in "aabb" * 10]
    right = numbers.score_numbers([1.0, 2.0] * 6, [1.0, 2.0] * 6)
    pairs = ((metrics.CLASSIFICATION, constant, "mcc"), (metrics.REGRESSION, right, "mse"))
    for measure, rows, name in pairs:
        found = stats.estimate(rows, measure.summarize, recount=measure.recount, shares=measure.shares)[name]
        assert (found.value, found.low, found.high) == (0.0, None, None)


def test_a_correlation_of_zero_has_the_interval_of_its_resamples() -> None:
    rows = [labels.score_label(found, wanted) for found in "ab" for wanted in "ab" * 25]
    found = stats.estimate(rows, labels.summarize_labels, shares=metrics.CLASSIFICATION.shares)["mcc"]
    assert found.value == 0 and found.low is not None and found.low < -0.1


def test_all_right_against_all_wrong_has_the_interval_of_the_pairs() -> None:
    sides = (accuracy_rows(40, 0), accuracy_rows(0, 40))
    found = stats.paired(*(stats.Sample.of(rows, labels.summarize_labels) for rows in sides))["accuracy"]
    assert (found.low, found.high) == (-1.0, pytest.approx(-0.823, abs=1e-3))


def test_questions_on_one_text_are_drawn_together() -> None:
    rows = rouge_rows(np.repeat(np.linspace(0.1, 0.9, 20), 10))
    alone = stats.estimate(rows, rouge.summarize_summaries)["rougeL"]
    groups = stats.estimate(rows, rouge.summarize_summaries, units=[n // 10 for n in range(200)])["rougeL"]
    one_each = stats.estimate(rows[::10], rouge.summarize_summaries)["rougeL"]
    assert groups.n == 200
    assert (groups.low, groups.high) == pytest.approx((one_each.low, one_each.high))
    assert groups.high - groups.low > 2.5 * (alone.high - alone.low)  # type: ignore[operator]


def test_totals_add_up() -> None:
    totals = stats.totals(accuracy_rows(3, 2))
    assert {name: float(value) for name, value in totals.items()} == {"tp/a": 3.0, "fp/b": 2.0, "fn/a": 2.0}


def test_ranks_in_a_resample_are_those_of_the_resample() -> None:
    generator = np.random.default_rng(3)
    right = generator.integers(0, 4, 60).astype(float)
    found = right + generator.normal(size=60).round(1)
    columns = stats.Sample.of(numbers.score_numbers(found, right), numbers.summarize_numbers).columns
    picks = generator.integers(60, size=(5, 60))
    counts = np.stack([np.bincount(pick, minlength=60) for pick in picks], axis=1).astype(float)
    ours = numbers.recount_ranks(columns, counts)["spearman"]
    theirs = [scipy.stats.spearmanr(found[pick], right[pick]).statistic for pick in picks]
    assert ours == pytest.approx(theirs)


def test_the_p_value_of_a_difference_agrees_with_its_interval() -> None:
    values = np.random.default_rng(5).normal(0.1, 0.5, size=60)
    found = bootstrap(lambda counts: {"mean": (values @ counts) / counts.sum(axis=0)}, 60)["mean"]
    bounds = found.bounds(1 - found.p_of_zero())
    assert bounds is not None
    low, high = bounds
    assert min(abs(low), abs(high)) < 1e-3


def test_mcnemars_test_is_the_binomial_one_for_few_pairs() -> None:
    found = stats.mcnemar(9, 2)
    assert found.exact
    assert found.p == pytest.approx(scipy.stats.binomtest(2, 11).pvalue)


def test_mcnemars_test_is_the_chi_square_one_for_many_pairs() -> None:
    found = stats.mcnemar(60, 40)
    assert not found.exact
    assert found.p == pytest.approx(scipy.stats.chi2.sf((60 - 40) ** 2 / 100, 1))


@pytest.mark.parametrize("only_b", range(12))
def test_the_interval_of_few_pairs_agrees_with_their_test(only_b: int) -> None:
    pairs = stats.mcnemar(11 - only_b, only_b)
    bounds = exact_bounds(pairs, 300)
    assert bounds is not None
    low, high = bounds
    assert (low <= 0 <= high) == (pairs.p >= 0.05)


@pytest.mark.parametrize("words", [0.01, 0.1])  # of a text without blanks
def test_metrics_without_end_have_no_interval_and_no_test(words: float) -> None:
    def rows(surprises: list[float]) -> list[metrics.Statistics]:
        """Statistics of texts that are so surprising, in ever fewer words."""
        counts = [words, words, 1.0, 10.0]
        each = zip(surprises, counts, strict=True)
        return [{"surprise": s, "tokens": 50.0, "words": count, "bytes": 100.0} for s, count in each]

    sides = rows([95.0, 100.0, 105.0, 95.0]), rows([96.0, 101.0, 105.0, 95.0])
    found = stats.estimate(sides[0], likelihood.summarize_likelihood)
    assert (found["word_perplexity"].low, found["word_perplexity"].high) == (None, None)
    assert found["perplexity"].low is not None and found["perplexity"].high is not None
    tested = stats.paired(*(stats.Sample.of(side, likelihood.summarize_likelihood) for side in sides))
    assert list(tested) == ["perplexity", "bits_per_byte"]


def test_few_units_that_differ_are_no_finding() -> None:
    scores = np.random.default_rng(0).random(500)
    better = scores.copy()
    better[:5] += 0.2  # five of five in favour of one system: 2 / 2^5
    found = stats.paired(rouge_sample(scores), rouge_sample(better))["rougeL"]
    assert found.p == pytest.approx(1 / 16)
    assert found.low == 0.0


def test_changing_sides_is_tried_in_every_way_as_scipy_does() -> None:
    generator = np.random.default_rng(2)
    scores, others = generator.random(10), generator.random(10)
    value = float((others - scores).mean())
    ours = swapped(rouge_sample(scores), rouge_sample(others), "rougeL", np.arange(10), value)
    theirs = scipy.stats.permutation_test(
        (others, scores), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf
    )
    assert ours == pytest.approx(theirs.pvalue)


def test_holms_correction_is_as_defined() -> None:
    assert stats.holm([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.09, 0.09, 0.5])


def test_the_examples_needed_are_those_of_the_formula() -> None:
    generator = np.random.default_rng(1)
    scores = generator.random(400)
    others = scores + 0.02 + generator.normal(0, 0.3, 400)
    found = stats.paired(rouge_sample(scores), rouge_sample(others))["rougeL"]
    apart = others - scores
    assert stats.needed(found, 400) == pytest.approx(
        ((1.959964 + 0.841621) * apart.std() / apart.mean()) ** 2, rel=0.05
    )


def drawn(generator: np.random.Generator, count: int) -> tuple[list[metrics.Statistics], ...]:
    """Answers to 3 labels of two systems: 85 % of each are right, and they share half of them."""
    right = generator.integers(3, size=count)
    found = [np.where(generator.random(count) < 0.85, right, (right + 1) % 3) for _ in range(2)]
    found[1] = np.where(generator.random(count) < 0.5, *found)
    return tuple(
        [labels.score_label(str(p), str(r)) for p, r in zip(side, right, strict=True)] for side in found
    )


def test_the_intervals_cover_as_often_as_they_say() -> None:
    covered = dict.fromkeys(("accuracy", "macro_f1"), 0)
    for seed in range(200):
        rows, _ = drawn(np.random.default_rng(seed), 200)
        for name, found in stats.estimate(rows, labels.summarize_labels, seed).items():
            if name in covered:
                covered[name] += bool(found.low <= 0.85 <= found.high)  # type: ignore[operator]
    assert all(0.91 <= count / 200 <= 0.99 for count in covered.values())  # 2.6 standard errors


def test_systems_of_equal_quality_are_told_apart_as_rarely_as_promised() -> None:
    found = dict.fromkeys(("accuracy", "macro_f1"), 0)
    for seed in range(200):
        sides = drawn(np.random.default_rng(seed), 200)
        differences = stats.paired(*(stats.Sample.of(rows, labels.summarize_labels) for rows in sides), seed)
        for name in found:
            found[name] += differences[name].p < 0.05
    assert all(0.01 <= count / 200 <= 0.09 for count in found.values())  # 2.6 standard errors


def random_answers(kind: str) -> tuple[list[metrics.Statistics], Callable[..., metrics.Metrics]]:
    """The statistics of 300 random answers in one form."""
    generator = np.random.default_rng(0)
    if kind == "regression":
        return numbers.score_numbers(*generator.random((2, 300))), numbers.summarize_numbers
    tags = np.array(["O", "B-PER", "B-LOC"])[generator.integers(3, size=(2, 300, 8))].tolist()
    rows = [tagging.score_entities(p, r) for p, r in zip(*tags, strict=True)]
    return rows, tagging.summarize_entities


@pytest.mark.parametrize("kind", ["entities", "regression"])
def test_parts_of_the_resamples_give_the_intervals_of_all_at_once(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, summarize = random_answers(kind)
    sizes = []
    for cells in (10**9, 10**5):
        monkeypatch.setattr("tunekit.stats.sample.CELLS", cells)
        monkeypatch.setattr("tunekit.stats.bootstrap.CELLS", cells)
        sizes.append(stats.estimate(rows, summarize))
    for name, whole in sizes[0].items():
        width = whole.high - whole.low  # type: ignore[operator]
        assert sizes[1][name].low == pytest.approx(whole.low, abs=0.1 * width)
