"""Labels: how many there are of each, in which split, and whether they can be learned and scored."""

from collections import Counter
from collections.abc import Iterator, Mapping

from tunekit.checks.finding import Finding, counted, share
from tunekit.checks.subject import Subject
from tunekit.data.load import as_list
from tunekit.errors import cut, listing

LISTED = 8  # labels that are counted one by one
RARE = 5  # training rows from which on a label can be learned at all
UNEVEN = 20  # times as many rows of one label as of another
ONE_SIDED = 0.9  # share of one label
MOST_NAMED = 5  # labels in a sentence

Counts = Mapping[str, Counter[str]]  # split -> label -> rows that have it


def count_labels(subject: Subject) -> Iterator[Finding]:
    """How many rows of each split have each label."""
    told = [
        f"{split} {summary(counts, len(subject.data.splits[split]))}"
        for split, counts in label_counts(subject).items()
    ]
    if told:
        yield Finding("note", "labels", "; ".join(told))


def summary(counts: Counter[str], rows: int) -> str:
    """How many of so many rows have which label, or of many labels the most and the least frequent."""
    if len(counts) <= LISTED:
        return ", ".join(f"{cut(label)} {n:,} ({share(n, rows)})" for label, n in counts.most_common())
    (most, high), *_, (least, low) = counts.most_common()
    return f"{len(counts)} labels, from {cut(most)} in {counted(high, 'row')} to {cut(least)} in {low:,}"


def find_rare_labels(subject: Subject) -> Iterator[Finding]:
    """Labels with too few training rows to learn them from."""
    counts = label_counts(subject)
    known = {label: counts["train"][label] for label in subject.task.labels} if counts else {}
    rare = [label for label, n in sorted(known.items(), key=lambda each: each[1]) if n < RARE]
    if rare:
        shown = [f"{cut(label)} ({known[label]})" for label in rare]
        those = "1 label occurs" if len(rare) == 1 else f"{len(rare):,} labels occur"
        yield Finding(
            "warning",
            "rare labels",
            f"{those} in fewer than {RARE} training rows: {listing(shown, MOST_NAMED)}",
            rows_with(subject, set(rare)),
            "add rows that have them, merge them with others, or look whether data.columns is right",
        )


def find_uneven_labels(subject: Subject) -> Iterator[Finding]:
    """One label that outweighs others so much that accuracy hides how these fare."""
    role = subject.label_role
    if role is None or subject.targets[role].kind != "label":
        return
    counts = label_counts(subject)["train"]
    (most, high), *_, (least, low) = counts.most_common()
    if high >= UNEVEN * low or high >= ONE_SIDED * counts.total():
        options, measure = type(subject.task.options).model_fields, subject.task.measure
        advice = ["set task.class_weights=auto"] if "class_weights" in options else []
        advice += ["judge by macro_f1 (train.best=macro_f1)"] if "macro_f1" in measure.names else []
        yield Finding(
            "warning",
            "uneven labels",
            f"training has {counted(high, 'row')} of {cut(most)} ({share(high, counts.total())}) and only "
            f"{low:,} of {cut(least)}",
            rows_with(subject, {least}),
            " and ".join(advice) or f"add rows of {cut(least)}",
        )


def find_unscored_labels(subject: Subject) -> Iterator[Finding]:
    """Labels of training that a scored split never asks for."""
    counts = label_counts(subject)
    for split in (split for split in counts if split != "train"):
        absent = [label for label in counts["train"] if not counts[split][label]]
        if absent:
            yield Finding(
                "note",
                "unscored labels",
                f"{split} has no row with {listing(map(cut, absent), MOST_NAMED)}, so nothing tells how well "
                "that is learned",
                advice=f"add rows of it to {split}",
            )


def label_counts(subject: Subject) -> Counts:
    """How many rows of each split have each label; empty where there are no labels."""
    role = subject.label_role
    return {
        split: Counter(label for row in rows for label in set(as_list(row[role])))
        for split, rows in subject.data.splits.items()
        if role is not None
    }


def rows_with(subject: Subject, labels: set[str]) -> list[str]:
    """The names of the rows that have one of some labels."""
    role = subject.label_role or ""
    return subject.having(lambda values: not labels.isdisjoint(as_list(values[role])))
