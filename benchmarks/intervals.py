"""How often intervals cover, and how often compare is wrong or sees what is there, by simulation.

    python benchmarks/intervals.py coverage --repeats 1000
    python benchmarks/intervals.py alarms --repeats 2000
    python benchmarks/intervals.py power --repeats 1000
    python benchmarks/intervals.py seconds
    python benchmarks/intervals.py coverage --only entities

Answers are drawn from populations whose metrics are known. For alarms two systems are drawn from the same
population, independently or with a share of their answers in common; for power the second one is better.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tunekit import stats
from tunekit.metrics import labels, numbers, rouge, spans, tagging
from tunekit.stats.bootstrap import bootstrap
from tunekit.stats.intervals import interval

POPULATION, MANY, ROWS = 200_000, 10_000, 300
Array = NDArray[np.float64]
Generator = np.random.Generator


@dataclass(frozen=True)
class Scores:
    """The statistics of many examples, (examples, names)."""

    names: list[str]
    rows: Array
    summarize: Callable[..., Any]
    recount: Any = None
    unit: Any = None  # (examples,), where examples depend on each other

    def only(self, names: tuple[str, ...]) -> "Scores":
        """The same with some of the metrics."""

        def summarize(totals: Any) -> dict[str, Array]:
            """The metrics that are wanted."""
            return {name: value for name, value in self.summarize(totals).items() if name in names}

        return replace(self, summarize=summarize)

    def pick(self, examples: NDArray[np.int64]) -> stats.Sample:
        """A sample of these examples, or of these units."""
        if self.unit is None:
            unit = np.arange(len(examples))
            return stats.Sample(
                self.names, csr_array(self.rows[examples]), unit, self.summarize, self.recount
            )
        begins = np.searchsorted(self.unit, examples)
        sizes = np.searchsorted(self.unit, examples, "right") - begins
        picked = np.concatenate([np.arange(b, b + size) for b, size in zip(begins, sizes, strict=True)])
        unit = np.repeat(np.arange(len(examples)), sizes)
        return stats.Sample(self.names, csr_array(self.rows[picked]), unit, self.summarize)

    @property
    def truth(self) -> dict[str, float]:
        """The metrics of the population."""
        sums = dict(zip(self.names, self.rows.sum(axis=0)[:, None], strict=True))
        return {name: float(value[0]) for name, value in self.summarize(sums).items()}


def of_labels(generator: Generator, shares: list[float], right: list[float], count: int) -> Scores:
    """Answers with one label, by how common each is and how often it is found."""
    kinds, wanted = len(shares), generator.choice(len(shares), size=count, p=shares)
    wrong = (wanted + generator.integers(1, kinds, size=count)) % kinds
    found = np.where(generator.random(count) < np.array(right)[wanted], wanted, wrong)
    return Scores(*label_counts(found, wanted, kinds), labels.summarize_labels)


def label_counts(found: Any, wanted: Any, kinds: int) -> tuple[list[str], Array]:
    """The statistics of labels as a table."""
    names = [f"{kind}/{n}" for kind in ("tp", "fp", "fn") for n in range(kinds)]
    eye = np.eye(kinds)
    same = (found == wanted)[:, None]
    parts = [eye[wanted] * same, eye[found] * ~same, eye[wanted] * ~same]
    return names, np.concatenate(parts, axis=1)


def of_entities(generator: Generator, quality: float, count: int) -> Scores:
    """Sentences with about two entities of four types; some sentences are harder than others."""
    common = np.array([1.0, 0.6, 0.3, 0.15])
    wanted = generator.poisson(common, size=(count, 4))
    ease = generator.beta(8 * quality, 8 * (1 - quality), size=(count, 1))
    right = generator.binomial(wanted, ease)
    invented = generator.poisson((1 - ease) * common / 2) + generator.binomial(wanted - right, 0.5)
    words = 5.0 + generator.integers(40, size=(count, 1))
    right_words = np.maximum(words - (wanted - right).sum(axis=1, keepdims=True), 0)
    names = [f"{kind}/{n}" for kind in ("tp", "fp", "fn") for n in range(4)]
    rows = np.concatenate([right, invented, wanted - right, words, right_words], axis=1).astype(float)
    return Scores([*names, "words", "right_words"], rows, tagging.summarize_entities)


def of_summaries(generator: Generator, quality: float, count: int) -> Scores:
    """Scores between 0 and 1, more of them small."""
    score = generator.beta(10 * quality, 10 * (1 - quality), size=count)
    rows = np.stack([np.ones(count), *[np.clip(score * part, 0, 1) for part in (0.8, 1.0, 0.5, 0.9)]], axis=1)
    return Scores(["summaries", *rouge.KINDS], rows, rouge.summarize_summaries)


def of_questions(generator: Generator, quality: float, contexts: int) -> Scores:
    """Answers to 1 to 9 questions on each context; some contexts are harder than others."""
    unit = np.repeat(np.arange(contexts), generator.integers(1, 10, size=contexts))
    ease = generator.beta(3 * quality, 3 * (1 - quality), size=contexts)[unit]
    exact = (generator.random(len(unit)) < ease).astype(float)
    f1 = np.maximum(exact, generator.beta(2, 3, size=len(unit)) * (generator.random(len(unit)) < 0.6))
    rows = np.stack([np.ones(len(unit)), exact, f1, np.ones(len(unit)), exact, f1], axis=1)
    names = ["examples", "exact", "f1", "with", "with_exact", "with_f1"]
    return Scores(names, rows, spans.summarize_spans, unit=unit)


def of_numbers(generator: Generator, correlation: float, count: int) -> Scores:
    """Predicted and right numbers of a normal distribution."""
    right, noise = generator.normal(size=(2, count))
    found = correlation * right + np.sqrt(1 - correlation**2) * noise
    rows = numbers.score_numbers(found, right)
    table = np.array([list(row.values()) for row in rows])
    return Scores(list(rows[0]), table, numbers.summarize_numbers, numbers.recount_ranks)


def populations() -> Iterator[tuple[str, Scores, tuple[str, ...]]]:
    """What coverage is tried on, and the metrics of each."""
    generator, many = np.random.default_rng(0), POPULATION
    even, rare = [0.5, 0.3, 0.2], [0.4, 0.3, 0.15, 0.1, 0.05]
    yield "3 labels", of_labels(generator, even, [0.85] * 3, many), ("accuracy", "macro_f1", "mcc")
    yield (
        "5 labels, some rare",
        of_labels(generator, rare, [0.9, 0.85, 0.8, 0.7, 0.6], many),
        (
            "accuracy",
            "macro_f1",
        ),
    )
    yield "2 labels, 97 % right", of_labels(generator, [0.5, 0.5], [0.97] * 2, many), ("accuracy", "macro_f1")
    yield (
        "2 labels, 99.5 % right",
        of_labels(generator, [0.5, 0.5], [0.995] * 2, many),
        (
            "accuracy",
            "macro_f1",
        ),
    )
    yield "entities", of_entities(generator, 0.8, many), ("f1", "precision", "recall", "macro_f1")
    yield "entities, 98 % right", of_entities(generator, 0.98, many), ("f1",)
    yield "summaries", of_summaries(generator, 0.25, many), ("rougeL",)
    yield "questions by context", of_questions(generator, 0.7, many // 5), ("f1", "exact")
    yield "numbers, 0.8", of_numbers(generator, 0.8, many), ("pearson", "spearman")
    yield "numbers, 0.95", of_numbers(generator, 0.95, many), ("pearson", "spearman")


def coverage(repeats: int, only: str) -> None:
    """How often the interval of a sample has the population's value inside."""
    print("| answers | metric | true | 50 | 200 | 1,000 |\n|---|---|---|---|---|---|")
    for name, scores, wanted in populations():
        if only not in name:
            continue
        scores = scores.only(wanted)
        units = len(scores.rows) if scores.unit is None else int(scores.unit[-1]) + 1
        shares = {metric: [] for metric in wanted}  # type: dict[str, list[float]]
        for size in (50, 200, 1000):
            for metric, share in covered(scores, wanted, units, size, repeats).items():
                shares[metric].append(share)
        for metric, found in shares.items():
            cells = " | ".join(f"{100 * share:.1f}" for share in found)
            print(f"| {name} | {metric} | {scores.truth[metric]:.3f} | {cells} |", flush=True)


def covered(scores: Scores, wanted: tuple[str, ...], units: int, size: int, repeats: int) -> dict[str, float]:
    """The share of samples of a size whose intervals have the true value inside."""
    generator, truth, hits = np.random.default_rng(size), scores.truth, dict.fromkeys(wanted, 0)
    for _ in range(repeats):
        sample = scores.pick(generator.integers(units, size=size))
        found = bootstrap(sample.metrics, sample.units)
        for metric in wanted:
            each = interval(sample, metric, found[metric])
            hits[metric] += bool(each.low <= truth[metric] <= each.high)
    return {metric: hit / repeats for metric, hit in hits.items()}


Couple = Callable[[Generator, int, float, float], tuple[Scores, Scores]]  # examples, shared part, advantage


def two_labellings(generator: Generator, count: int, shared: float, more: float) -> tuple[Scores, Scores]:
    """Two systems with 3 labels; a part of the answers is the same, but for what B has more right."""
    wanted, wrong = generator.integers(3, size=count), generator.integers(1, 3, size=count)
    right = generator.random((2, count)) < 0.85
    right[1] = np.where(generator.random(count) < shared, *right)
    right[1] |= generator.random(count) < more / 0.15
    tables = [label_counts(np.where(side, wanted, (wanted + wrong) % 3), wanted, 3) for side in right]
    first, second = (Scores(*table, labels.summarize_labels) for table in tables)
    return first, second


def two_taggers(generator: Generator, count: int, shared: float, more: float) -> tuple[Scores, Scores]:
    """Two taggers on the same entities; sentences that are hard for one are hard for the other if shared."""
    common = np.array([1.0, 0.6, 0.3, 0.15])
    wanted, words = generator.poisson(common, size=(count, 4)), 5.0 + generator.integers(40, size=(count, 1))
    ease = generator.beta(6.4, 1.6, size=(2, count, 1))
    ease[1] = np.where(generator.random((count, 1)) < shared, *ease)
    ease[1] += more * (1 - ease[1]) / 0.2
    sides = []
    for each in ease:
        right = generator.binomial(wanted, each)
        invented = generator.poisson((1 - each) * common / 2)
        right_words = np.maximum(words - (wanted - right).sum(axis=1, keepdims=True), 0)
        sides.append(np.concatenate([right, invented, wanted - right, words, right_words], 1).astype(float))
    names = [f"{kind}/{n}" for kind in ("tp", "fp", "fn") for n in range(4)] + ["words", "right_words"]
    first, second = (Scores(names, rows, tagging.summarize_entities) for rows in sides)
    return first, second


def two_writers(generator: Generator, count: int, shared: float, more: float) -> tuple[Scores, Scores]:
    """Two writers of summaries, whose scores depend on the document as far as they share it."""
    document = generator.normal(size=count)
    own = generator.normal(size=(2, count))
    scores = 0.3 + 0.1 * (np.sqrt(shared) * document + np.sqrt(1 - shared) * own)
    scores[1] += more
    tables = [
        np.stack([np.ones(count), *[each * part for part in (1, 1.2, 0.6, 1.1)]], axis=1) for each in scores
    ]
    first, second = (Scores(["summaries", *rouge.KINDS], rows, rouge.summarize_summaries) for rows in tables)
    return first, second


COUPLES: dict[str, tuple[Couple, tuple[str, ...], float]] = {  # metrics, and an advantage for power
    "labels": (two_labellings, ("accuracy", "macro_f1"), 0.06),
    "entities": (two_taggers, ("f1",), 0.05),
    "summaries": (two_writers, ("rougeL",), 0.02),
}


def alarms(repeats: int, only: str) -> None:
    """How often two systems of equal quality are told apart on 300 examples."""
    print("| answers | shared | metric | told apart |\n|---|---|---|---|")
    for name, (draw, metrics, _) in COUPLES.items():
        if only not in name:
            continue
        for shared in (0.0, 0.8):
            found = told_apart(draw, metrics, ROWS, shared, 0.0, repeats)
            for metric, share in found.items():
                print(f"| {name} | {shared:.0%} | {metric} | {share:.1%} |", flush=True)


def told_apart(
    draw: Couple, metrics: tuple[str, ...], size: int, shared: float, more: float, repeats: int
) -> dict[str, float]:
    """The share of repeats with p below 0.05."""
    hits = dict.fromkeys(metrics, 0)
    for seed in range(repeats):
        sides = draw(np.random.default_rng([seed, size]), size, shared, more)
        found = stats.paired(*(side.only(metrics).pick(np.arange(size)) for side in sides))
        for metric in metrics:
            hits[metric] += found[metric].p < 0.05
    return {metric: hit / repeats for metric, hit in hits.items()}


def power(repeats: int, only: str) -> None:
    """How often a difference is found with as many examples as compare says that it takes for 80 %."""
    print("| answers | shared | metric | difference | examples needed | found |\n|---|---|---|---|---|---|")
    for name, (draw, metrics, more) in COUPLES.items():
        if only not in name:
            continue
        for shared in (0.0, 0.8):
            large = draw(np.random.default_rng(0), 2 * POPULATION, shared, more)
            some = [side.only(metrics).pick(np.arange(MANY)) for side in large]
            found = stats.paired(some[0], some[1])
            for metric in metrics:
                value = large[1].truth[metric] - large[0].truth[metric]
                size = stats.needed(replace(found[metric], value=value), MANY)
                assert size is not None
                share = told_apart(draw, (metric,), size, shared, more, repeats)[metric]
                print(
                    f"| {name} | {shared:.0%} | {metric} | {value:.4f} | {size:,} | {share:.1%} |", flush=True
                )


def seconds(_: int, only: str) -> None:
    """What 10,000 rows take, in seconds of one core."""
    print("| answers | seconds |\n|---|---|")
    for name, scores, _metrics in populations():
        if only not in name:
            continue
        units = 10_000 if scores.unit is None else 2_000
        sample = scores.pick(np.arange(units))
        began = time.process_time()
        found = bootstrap(sample.metrics, sample.units)
        for metric, each in found.items():
            interval(sample, metric, each)
        print(f"| {name} | {time.process_time() - began:.2f} |", flush=True)


def main() -> None:
    """Print the table of one question."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    questions = {each.__name__: each for each in (coverage, alarms, power, seconds)}
    parser.add_argument("question", choices=list(questions))
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--only", default="", help="the answers whose name has this in it")
    arguments = parser.parse_args()
    questions[arguments.question](arguments.repeats, arguments.only)


if __name__ == "__main__":
    main()
