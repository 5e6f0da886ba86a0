"""Rows that the data give twice: inside of splits, between them, and with different labels."""

from collections.abc import Iterator, Sequence
from typing import Any

from tunekit.data.twins import Pool, Row, conflicts, repeats, twins
from tunekit.report.examples import preview
from tunekit.report.subject import Subject, name_of

MOST = 200_000  # rows up to which they are held against each other
LISTED = 10  # of a kind


def repeated(subject: Subject) -> list[dict[str, Any]] | None:
    """Each kind of repetition that occurs; None where there are too many rows to look."""
    rows = [
        Row(split, f"{split} {name_of(values)}", values)
        for split, group in subject.splits.items()
        for values in group
    ]
    if len(rows) > MOST:
        return None
    first = rows[0].values if rows else {}
    return list(kinds(subject, Pool.of(subject.task, first, rows)))


def kinds(subject: Subject, pool: Pool) -> Iterator[dict[str, Any]]:
    """The repetitions between splits, those inside of each, and those with different labels."""
    splits = list(subject.splits)
    for number, split in enumerate(splits):
        for other in splits[:number]:
            title = f"rows of {split} that are in {other} too"
            yield from told(subject, pool, title, twins(pool, split, other), leak=other == "train")
    for split in splits:
        yield from told(subject, pool, f"rows of {split} that repeat an earlier one", repeats(pool, split))
    groups = conflicts(pool)
    yield from told(subject, pool, "inputs with different labels", groups, leak=True)


def told(
    subject: Subject, pool: Pool, title: str, found: Sequence[Sequence[int]], *, leak: bool = False
) -> Iterator[dict[str, Any]]:
    """One kind of repetition, if it occurs, with its first rows."""
    if found:
        listed = [
            {
                "names": [named(pool, number) for number in group[:4]],
                **preview(subject, pool.rows[group[0]].values),
            }
            for group in found[:LISTED]
        ]
        yield {"title": title, "count": len(found), "rows": listed, "leak": leak}


def named(pool: Pool, number: int) -> str:
    """A row with its label, where it has one."""
    value = pool.rows[number].values.get(pool.label_role or "")
    return f"{pool.rows[number].name}: {value}" if isinstance(value, str) else pool.rows[number].name
