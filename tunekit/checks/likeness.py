"""Which rows are given the same input, and which nearly the same."""

import hashlib
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tunekit.checks.pictures import Pictures
from tunekit.checks.texts import Texts
from tunekit.tasks.base import Role

MOST = 200_000  # different inputs among which near ones are looked for: their index is kept in memory
MOST_EACH = 50  # near ones of an input on average: with more of them, texts follow templates

Pair = tuple[int, int]
Values = Sequence[Any]  # of one role, one for each different input
Near = Callable[[Values], Texts | Pictures]

NEAR: dict[str, Near] = {"text": Texts.of, "words": Texts.of, "texts": Texts.of, "image": Pictures.of}


@dataclass(frozen=True)
class Likeness:
    """Rows in groups of equal input, and the pairs of groups whose input is nearly equal."""

    groups: Sequence[Sequence[int]]  # row numbers, in order; every row is in one group
    near: Sequence[Pair]  # group numbers, the smaller first
    unknown: str = ""  # why near ones are not known, where they are not

    @cached_property
    def neighbours(self) -> dict[int, list[int]]:
        """The groups that are nearly equal to a group."""
        found = defaultdict(list)
        for one, other in self.near:
            found[one].append(other)
            found[other].append(one)
        return dict(found)


def find_likeness(rows: Sequence[Mapping[str, Any]], roles: Mapping[str, Role]) -> Likeness:
    """Compare the inputs of all rows, which `roles` name."""
    grouped: dict[Hashable, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        grouped[tuple(key_of(row[role]) for role in roles)].append(number)
    groups = list(grouped.values())
    if len(groups) > MOST:
        return Likeness(groups, [], f"there are more than {MOST:,} different rows")
    try:
        return Likeness(groups, sorted(near_pairs([rows[group[0]] for group in groups], roles)))
    except OverflowError:
        return Likeness(
            groups, [], f"rows are like more than {MOST_EACH} others each, as if made from templates"
        )


def near_pairs(rows: Sequence[Mapping[str, Any]], roles: Mapping[str, Role]) -> Iterator[Pair]:
    """The pairs of different rows of which every input is equal or nearly equal.

    They are looked for by the input that differs most from row to row: many questions share one context.

    Raises:
        OverflowError: there are too many to mean anything.
    """
    keys = {role: [key_of(row[role]) for row in rows] for role in roles}
    able = [role for role, spec in roles.items() if spec.kind in NEAR]
    if not able:
        return
    leader = max(able, key=lambda role: len(set(keys[role])))
    alike = {role: NEAR[roles[role].kind]([row[role] for row in rows]) for role in able}
    others = [role for role in roles if role != leader]

    def same(role: str, one: int, other: int) -> bool:
        """Whether an input of two rows is equal or nearly so."""
        equal = keys[role][one] == keys[role][other]
        return equal or (role in alike and alike[role].near(one, other))

    for count, (one, other) in enumerate(same_or_near(keys[leader], alike[leader])):
        if count > MOST_EACH * max(len(rows), MOST_EACH):
            raise OverflowError
        if all(same(role, one, other) for role in others):
            yield min(one, other), max(one, other)


def same_or_near(keys: Sequence[Hashable], alike: Texts | Pictures) -> Iterator[Pair]:
    """The pairs of values that are equal or nearly equal."""
    places: dict[Hashable, list[int]] = defaultdict(list)
    for number, key in enumerate(keys):
        places[key].append(number)
    firsts = [group[0] for group in places.values()]
    for one, other in alike.pairs(firsts):
        yield from ((a, b) for a in places[keys[one]] for b in places[keys[other]])
    for group in places.values():
        yield from ((one, other) for n, one in enumerate(group) for other in group[n + 1 :])


def key_of(value: Any) -> Hashable:
    """What is equal for values that say the same: case, blanks and ways to write a letter do not count."""
    if isinstance(value, str):
        return " ".join(unicodedata.normalize("NFKC", value).casefold().split())
    if isinstance(value, np.ndarray):
        return hashlib.sha256(np.ascontiguousarray(value).data).hexdigest()
    if isinstance(value, dict):
        return tuple((name, key_of(item)) for name, item in sorted(value.items()))
    return tuple(map(key_of, value)) if isinstance(value, list) else value
