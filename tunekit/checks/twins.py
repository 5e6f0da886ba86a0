"""Which rows of which split are given the same, or nearly, as which others: by row numbers."""

import json
from collections.abc import Sequence

from tunekit.checks.subject import Subject

ONE_ANSWER = ("label", "labels", "set")  # kinds of targets that say one thing of an input

Twins = list[tuple[int, int]]  # numbers of rows: the one that is told of, and its twin


def twins(subject: Subject, split: str, other: str) -> Twins:
    """The rows of a split with the first row of another split that is given the same."""
    found = Twins()
    for group in subject.likeness.groups:
        first = in_split(subject, group, other)[:1]
        found += [(number, first[0]) for number in in_split(subject, group, split) if first]
    return found


def near_twins(subject: Subject, split: str, other: str) -> Twins:
    """The rows of a split with the first row of another, or the same, that is given nearly the same.

    Between splits rows that are given exactly the same as one are left out; inside a split the first of rows
    that are given the same stands for all, and follows its twin.
    """
    groups, found = subject.likeness.groups, Twins()
    for number, near in sorted(subject.likeness.neighbours.items()):
        mine = in_split(subject, groups[number], split)
        theirs = [n for each in near for n in in_split(subject, groups[each], other)]
        if split == other:
            mine = [n for n in mine[:1] if theirs and min(theirs) < n]
        elif in_split(subject, groups[number], other):
            continue
        found += [(n, min(theirs)) for n in mine if theirs]
    return found


def repeats(subject: Subject, split: str) -> Twins:
    """The rows of a split with the earlier one that is given the same and has the same answer."""
    found = Twins()
    for group in subject.likeness.groups:
        first: dict[str, int] = {}
        for number in in_split(subject, group, split):
            before = first.setdefault(answer_of(subject, number), number)
            found += [(number, before)] if before != number else []
    return found


def conflicts(subject: Subject) -> list[list[int]]:
    """Groups of rows that are given the same and labelled differently, over all splits."""
    role = subject.label_role
    if role is None or subject.targets[role].kind not in ONE_ANSWER:
        return []
    groups = (list(group) for group in subject.likeness.groups if len(group) > 1)
    return [group for group in groups if len({answer_of(subject, number) for number in group}) > 1]


def in_split(subject: Subject, group: Sequence[int], split: str) -> list[int]:
    """The rows of a group that are in a split."""
    return [number for number in group if subject.rows[number].split == split]


def answer_of(subject: Subject, number: int) -> str:
    """What is asked of a row, in a form that can be compared."""
    values = subject.rows[number].values
    asked = {
        role: sorted(values[role]) if spec.kind == "set" else values[role]
        for role, spec in subject.targets.items()
        if role in values
    }
    return json.dumps(asked, sort_keys=True, ensure_ascii=False, default=str)
