"""Which rows of which split are given the same as which others: by row numbers."""

import hashlib
import json
import unicodedata
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tunekit.tasks.base import Role, Task

ONE_ANSWER = ("label", "labels", "set")  # kinds of targets that say one thing of an input

Twins = list[tuple[int, int]]  # numbers of rows: the one that is told of, and its twin
Groups = Sequence[Sequence[int]]  # row numbers, in order; every row is in one group


@dataclass(frozen=True)
class Row:
    """One row of any split; `name` tells it from all others."""

    split: str
    name: str
    values: Mapping[str, Any]  # by role


@dataclass(frozen=True)
class Pool:
    """The rows of all splits, train first, whose inputs and targets are told by roles."""

    rows: Sequence[Row]
    inputs: Mapping[str, Role]
    targets: Mapping[str, Role]
    label_role: str | None  # the role whose values are the labels, if there are labels

    @classmethod
    def of(cls, task: Task, columns: Iterable[str], rows: Sequence[Row]) -> "Pool":
        """The rows of a task's data, which have these roles."""
        kind, given = type(task), set(columns)
        inputs = {role: spec for role, spec in kind.inputs.items() if role in given}
        return cls(rows, inputs, kind.targets_for(task.options), kind.label_role(task.options))

    @cached_property
    def groups(self) -> Groups:
        """The rows that are given the same."""
        return grouped([row.values for row in self.rows], self.inputs)


def grouped(rows: Iterable[Mapping[str, Any]], roles: Iterable[str]) -> Groups:
    """The numbers of rows in groups of equal input."""
    found: dict[Hashable, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        found[tuple(key_of(row[role]) for role in roles)].append(number)
    return list(found.values())


def twins(pool: Pool, split: str, other: str) -> Twins:
    """The rows of a split with the first row of another split that is given the same."""
    found = Twins()
    for group in pool.groups:
        first = in_split(pool, group, other)[:1]
        found += [(number, first[0]) for number in in_split(pool, group, split) if first]
    return found


def repeats(pool: Pool, split: str) -> Twins:
    """The rows of a split with the earlier one that is given the same and has the same answer."""
    found = Twins()
    for group in pool.groups:
        first: dict[str, int] = {}
        for number in in_split(pool, group, split):
            before = first.setdefault(answer_of(pool, number), number)
            found += [(number, before)] if before != number else []
    return found


def conflicts(pool: Pool) -> list[list[int]]:
    """Groups of rows that are given the same and labelled differently, over all splits."""
    role = pool.label_role
    if role is None or pool.targets[role].kind not in ONE_ANSWER:
        return []
    groups = (list(group) for group in pool.groups if len(group) > 1)
    return [group for group in groups if len({answer_of(pool, number) for number in group}) > 1]


def in_split(pool: Pool, group: Sequence[int], split: str) -> list[int]:
    """The rows of a group that are in a split."""
    return [number for number in group if pool.rows[number].split == split]


def answer_of(pool: Pool, number: int) -> str:
    """What is asked of a row, in a form that can be compared."""
    values = pool.rows[number].values
    asked = {
        role: sorted(values[role]) if spec.kind == "set" else values[role]
        for role, spec in pool.targets.items()
        if role in values
    }
    return json.dumps(asked, sort_keys=True, ensure_ascii=False, default=str)


def key_of(value: Any) -> Hashable:
    """What is equal for values that say the same: case, blanks and ways to write a letter do not count."""
    if isinstance(value, str):
        return " ".join(unicodedata.normalize("NFKC", value).casefold().split())
    if isinstance(value, np.ndarray):
        return hashlib.sha256(np.ascontiguousarray(value).data).hexdigest()
    if isinstance(value, dict):
        return tuple((name, key_of(item)) for name, item in sorted(value.items()))
    return tuple(map(key_of, value)) if isinstance(value, list) else value
