"""Which rows are drawn from a split, and the fingerprint of those that were."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tunekit.errors import InputError
from tunekit.tasks.base import Example

Rows = list[dict[str, Any]]  # keyed by role, and "id"


def cut_validation(splits: Mapping[str, Rows], share: float, role: str | None, seed: int) -> dict[str, Rows]:
    """Cut a missing validation split from train: seeded, and stratified where a row has one label."""
    if "validation" in splits or share == 0:
        return dict(splits)
    rows = splits["train"]
    strata = [str(row[role]) if role and not isinstance(row[role], list) else "" for row in rows]
    picked = stratified(strata, share, np.random.default_rng([seed, 1]))
    return {
        **splits,
        "train": [row for number, row in enumerate(rows) if number not in picked],
        "validation": [row for number, row in enumerate(rows) if number in picked],
    }


def stratified(strata: Sequence[str], share: float, random: np.random.Generator) -> set[int]:
    """Row numbers for a share of each stratum; at least one row in all, and never a stratum's last one.

    Raises:
        InputError: there are too few rows to cut anything.
    """
    groups: dict[str, list[int]] = {}
    for number, stratum in enumerate(strata):
        groups.setdefault(stratum, []).append(number)
    picked: set[int] = set()
    for stratum in sorted(groups):
        members = random.permutation(groups[stratum])
        picked.update(members[: min(round(len(members) * share), len(members) - 1)].tolist())
    if not picked:
        largest = max(sorted(groups), key=lambda stratum: len(groups[stratum]))
        if len(groups[largest]) < 2:
            few = len(strata) * share < 1
            why = "too few" if few else "each with a label that no other has, so that there is none"
            raise InputError(
                f"training has {len(strata)} rows, {why} to cut a validation split from; "
                f"{'give more' if few else 'correct data.columns'}, name one with data.splits.validation, or "
                "set data.validation_share=0"
            )
        picked.add(int(random.choice(groups[largest])))
    return picked


def limited(splits: Mapping[str, Rows], limit: Mapping[Any, int] | None, seed: int) -> dict[str, Rows]:
    """At most so many rows of a split, drawn by the seed and kept in order."""
    result = dict(splits)
    for split, most in (limit or {}).items():
        rows = result.get(split, [])
        if len(rows) > most:
            picks = np.sort(np.random.default_rng([seed, 2]).permutation(len(rows))[:most])
            result[split] = [rows[i] for i in picks]
    return result


def fingerprint(rows: Iterable[Example]) -> str:
    """sha256 of the rows' contents, whatever file they came from."""
    digest = hashlib.sha256()
    for row in rows:
        content = {role: value for role, value in row.items() if role != "place"}
        digest.update(json.dumps(content, sort_keys=True, ensure_ascii=False, default=plain).encode())
    return digest.hexdigest()


def plain(value: Any) -> str:
    """What stands for a value in a fingerprint: for an array the digest of its numbers."""
    if not isinstance(value, np.ndarray):
        return str(value)
    numbers = hashlib.sha256(np.ascontiguousarray(value).data).hexdigest()
    return f"{value.dtype} {value.shape} {numbers}"
