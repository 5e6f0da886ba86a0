"""How long texts are, and what limits destroy: text beyond `max_length`, answers, entities, summaries."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tunekit.checks.finding import Finding, counted, graded, share, worst
from tunekit.checks.sizes import NO_LIMIT, Index, changed, damage
from tunekit.checks.subject import Subject
from tunekit.data.load import given_only
from tunekit.errors import InputError
from tunekit.tasks.base import Damage, Task

TOLERATED = 0.01  # share that a limit may take
ROUND = 8  # tokens that a proposed limit is a multiple of
TRIED = (1.25, 1.5, 2, 3, 4, 6, 8, 12, 16)  # times a limit
SAMPLE = 400  # rows that are tried with other limits
UNKNOWN = 0.01  # share of tokens

Loses = Callable[[int], float | None]  # the share that a limit takes; None where the model does not allow it


def tell_lengths(subject: Subject) -> Iterator[Finding]:
    """How many tokens rows have."""
    if subject.sizes:
        told = [f"{split} {profile(sizes.tokens)}" for split, sizes in subject.sizes.items()]
        yield Finding(
            "note", "lengths", f"tokens of a row (median, 95 % have up to, most): {', '.join(told)}"
        )


def profile(tokens: Index) -> str:
    """The median, the 95th percentile and the maximum."""
    return "{:,.0f}, {:,.0f}, {:,.0f}".format(*np.quantile(tokens, [0.5, 0.95, 1], method="inverted_cdf"))


def find_cut_text(subject: Subject) -> Iterator[Finding]:
    """Text that the model never sees, for it lies beyond the limit."""
    cut = {split: sizes for split, sizes in subject.sizes.items() if sizes.beyond.any()}
    if not cut:
        return
    tokens = np.concatenate([sizes.tokens for sizes in subject.sizes.values()])
    option = subject.task.options.lengths[0]
    told = [
        f"{share(int((sizes.beyond > 0).sum()), len(sizes.tokens))} of the rows and "
        f"{share(int(sizes.beyond.sum()), int(sizes.tokens.sum()))} of the tokens of {split}"
        for split, sizes in cut.items()
    ]

    def loses(limit: int) -> float | None:
        """The share of all tokens that lie beyond a limit."""
        return (
            float(np.maximum(tokens - limit, 0).sum() / tokens.sum())
            if allowed(subject, option, limit)
            else None
        )

    grade = worst(
        graded(int(sizes.beyond.sum()), int(sizes.tokens.sum()), TOLERATED) for sizes in cut.values()
    )
    yield Finding(
        grade,
        "cut text",
        f"task.{option}={getattr(subject.task.options, option)} cuts {', '.join(told)}",
        [name for split, sizes in cut.items() for name in longest_first(subject, split, sizes.beyond)],
        advice(subject, option, loses) if grade == "warning" else "",
    )


def longest_first(subject: Subject, split: str, lost: Index) -> list[str]:
    """The names of the rows that lose something, those that lose most first."""
    order = np.argsort(-lost, kind="stable")
    return subject.names(split, order[: int((lost > 0).sum())].tolist())


def find_lost_parts(subject: Subject) -> Iterator[Finding]:
    """What the task says that limits take: answers, entities, summaries, words."""
    kinds = {(d.option, d.what): None for sizes in subject.sizes.values() for of in sizes.damages for d in of}
    for option, what in kinds:
        lost = {split: losses(sizes.damages, option, what) for split, sizes in subject.sizes.items()}
        hit = {split: table for split, table in lost.items() if table[:, 0].any()}
        if hit:
            yield lost_parts(subject, option, what, hit)


def lost_parts(subject: Subject, option: str | None, what: str, hit: Mapping[str, Index]) -> Finding:
    """One thing that a limit takes from some splits; of each split (rows, 2) are the lost and all."""
    told = [
        f"{t[:, 0].sum():,} of {t[:, 1].sum():,} {what} of {split} ({shared(t)})" for split, t in hit.items()
    ]
    rows = [
        name
        for split, table in hit.items()
        for name in subject.names(split, np.flatnonzero(table[:, 0]).tolist())
    ]
    grade = worst(graded(t[:, 0].sum(), t[:, 1].sum(), TOLERATED) for t in hit.values())
    if option is None:
        text = f"the tokenizer drops {', '.join(told)} altogether"
        return Finding(grade, f"lost {what}", text, rows, "remove them, or choose another checkpoint")
    text = f"task.{option}={getattr(subject.task.options, option)} loses {', '.join(told)}"
    todo = advice(subject, option, trial(subject, option, what, hit)) if grade == "warning" else ""
    return Finding(grade, f"lost {what}", text, rows, todo)


def losses(damages: Sequence[Sequence[Damage]], option: str | None, what: str) -> Index:
    """How many of a thing each row loses, and how many it has, shape (rows, 2)."""
    found = [[(d.lost, d.of) for d in of if (d.option, d.what) == (option, what)] for of in damages]
    return np.array([np.sum(each, axis=0) if each else (0, 0) for each in found], np.int64).reshape(-1, 2)


def shared(table: Index) -> str:
    """The share that is lost."""
    return share(int(table[:, 0].sum()), int(table[:, 1].sum()))


def trial(subject: Subject, option: str, what: str, hit: Mapping[str, Index]) -> Loses:
    """What other values of an option would take, tried on the rows that lose something now."""
    losing = [
        subject.data.splits[split][number]
        for split, table in hit.items()
        for number in np.flatnonzero(table[:, 0])
    ]
    sample = losing[:: -(-len(losing) // SAMPLE)]
    total = sum(int(table[:, 1].sum()) for table in hit.values())

    def loses(limit: int) -> float | None:
        """The share that is lost with another value."""
        task = allowed(subject, option, limit)
        return (
            None if task is None else lost_by(task, sample, option, what) * len(losing) / len(sample) / total
        )

    return loses


def lost_by(task: Task, rows: list[dict[str, Any]], option: str, what: str) -> int:
    """How many of a thing rows lose with a task."""
    found = [
        damage(task, row, list(task.encode(given)))
        for row, given in zip(rows, given_only(rows, type(task)), strict=True)
    ]
    return int(losses(found, option, what)[:, 0].sum())


def allowed(subject: Subject, option: str, value: int) -> Task | None:
    """The task with another value of an option; None where the model does not allow it."""
    options = subject.recipe.task.options.model_copy(update={option: value})
    try:
        fitted = options.fitted(subject.limit, subject.task.head)  # type: ignore[attr-defined]
    except InputError:
        return None
    return changed(subject.task, fitted)


def advice(subject: Subject, option: str, loses: Loses) -> str:
    """The smallest value of an option that takes less than is tolerated, if the model allows any."""
    now = int(getattr(subject.task.options, option))
    value = smallest(now, subject.limit, loses)
    if value is not None:
        return f"task.{option}={value} loses {loses(value) or 0:.1%}"
    return (
        f"no task.{option} that the model allows loses less than {TOLERATED:.0%} (it reads "
        f"{subject.limit or NO_LIMIT:,} tokens): choose a checkpoint that reads more, or cut the texts where "
        "they may be cut"
    )


def smallest(now: int, limit: int | None, loses: Loses) -> int | None:
    """The smallest value from `now` on, up to rounding, that loses less than is tolerated."""
    low = now
    for high in [rounded(now * factor) for factor in TRIED] + [limit or NO_LIMIT]:
        found = loses(high)
        if found is not None and found < TOLERATED:
            return between(low, high, loses)
        low = high if found is not None else low
    return None


def between(low: int, high: int, loses: Loses) -> int:
    """The smallest multiple between two values, of which the higher loses little enough."""
    while rounded(low + 1) < high:
        middle = rounded((low + high) / 2)
        middle = middle if middle < high else high - ROUND
        found = loses(middle)
        low, high = (low, middle) if found is not None and found < TOLERATED else (middle, high)
    return high


def rounded(tokens: float) -> int:
    """A number of tokens, rounded up."""
    return int(-(-tokens // ROUND) * ROUND)


def find_unknown_words(subject: Subject) -> Iterator[Finding]:
    """Text that the tokenizer does not know."""
    for split, sizes in subject.sizes.items():
        strange, total = int(sizes.unknown.sum()), int(sizes.tokens.sum())
        if strange and graded(strange, total, UNKNOWN) == "warning":
            yield Finding(
                "warning",
                "unknown words",
                f"{share(strange, total)} of the tokens of {split} are unknown to the tokenizer of "
                f"{subject.checkpoint.name} ({counted(int((sizes.unknown > 0).sum()), 'row')})",
                longest_first(subject, split, sizes.unknown),
                "choose a checkpoint for this language or these signs",
            )
