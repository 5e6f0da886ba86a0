"""Rows that are given twice: in training and in what judges it, inside a split, with different labels."""

from collections.abc import Iterator

from tunekit.checks.finding import Finding, counted, share, verb
from tunekit.checks.likeness import near_twins
from tunekit.checks.subject import Subject
from tunekit.data.twins import Twins, conflicts, key_of, repeats, twins
from tunekit.errors import cut

WITHOUT = "write the data without them: --fix FOLDER"
SHARED = 0.05  # of a split's rows whose context, or the like, training has too


def find_leaks(subject: Subject) -> Iterator[Finding]:
    """Rows of a scored split that are in training too, and those that nearly are."""
    for split in scored(subject):
        for name, found in (
            ("leak", twins(subject.pool, split, "train")),
            ("near leak", near_twins(subject.pool, subject.likeness, split, "train")),
        ):
            if found:
                how = verb(len(found), "is", "are") + (" also" if name == "leak" else " nearly the same")
                yield Finding(
                    "warning",
                    name,
                    f"{of_split(subject, found, split)} {how} in train, so that scores count what was "
                    "learned by heart",
                    named(subject, found, "=" if name == "leak" else "~"),
                    WITHOUT,
                )


def find_overlap(subject: Subject) -> Iterator[Finding]:
    """Rows of test that are in validation too."""
    found = twins(subject.pool, "test", "validation")
    if found:
        yield Finding(
            "note",
            "overlap",
            f"{of_split(subject, found, 'test')} {verb(len(found), 'is', 'are')} also in validation, by "
            "which the model is chosen",
            named(subject, found, "="),
            "remove them from one of the two",
        )


def find_repeats(subject: Subject) -> Iterator[Finding]:
    """Rows that a split has twice, with the same answer."""
    for split in subject.data.splits:
        found = repeats(subject.pool, split)
        if found:
            train = split == "train"
            yield Finding(
                "warning" if train else "note",
                "duplicates",
                f"{of_split(subject, found, split)} {verb(len(found), 'repeats', 'repeat')} an earlier one",
                named(subject, found, "="),
                WITHOUT if train else f"remove them from {split}, if none should count twice",
            )


def find_near_repeats(subject: Subject) -> Iterator[Finding]:
    """Rows of a split that nearly are the same as earlier ones."""
    for split in subject.data.splits:
        found = near_twins(subject.pool, subject.likeness, split, split)
        if found:
            yield Finding(
                "note",
                "near duplicates",
                f"{of_split(subject, found, split)} nearly {verb(len(found), 'repeats', 'repeat')} an "
                "earlier one",
                named(subject, found, "~"),
                f"{WITHOUT} --also near-duplicates"
                if split == "train"
                else "look whether they should be there",
            )
    if subject.likeness.unknown:
        yield Finding("note", "near duplicates", f"near duplicates are not told: {subject.likeness.unknown}")


def find_conflicts(subject: Subject) -> Iterator[Finding]:
    """Rows with the same input and different labels."""
    found = conflicts(subject.pool)
    if found:
        yield Finding(
            "warning",
            "conflicting labels",
            f"{counted(sum(map(len, found)), 'row')} with {counted(len(found), 'input')} between them are "
            "labelled differently, so that no model can be right about all",
            [" / ".join(f"{subject.rows[n].name}{said(subject, n)}" for n in group) for group in found],
            "correct them, or write the data without them: --fix FOLDER --also conflicts",
        )


def find_shared_parts(subject: Subject) -> Iterator[Finding]:
    """One of several inputs, such as a context, that training has too, beside another one."""
    for role in subject.inputs if len(subject.inputs) > 1 else ():
        known = {key_of(values[role]) for values in subject.data.splits["train"]} - {""}
        for split in scored(subject):
            rows = subject.data.splits[split]
            found = [n for n, values in enumerate(rows) if key_of(values[role]) in known]
            if len(found) >= SHARED * len(rows):
                yield Finding(
                    "note",
                    "shared parts",
                    f"{counted(len(found), 'row')} of {split} ({share(len(found), len(rows))}) "
                    f"{verb(len(found), 'has', 'have')} a {role} that train has too",
                    subject.names(split, found),
                    f"if new rows will have new ones, split the data by {role}",
                )


def scored(subject: Subject) -> list[str]:
    """The splits that training is judged by."""
    return [split for split in subject.data.splits if split != "train"]


def of_split(subject: Subject, found: Twins, split: str) -> str:
    """So many rows of a split."""
    rows = len(subject.data.splits[split])
    return f"{counted(len(found), 'row')} of {split} ({share(len(found), rows)})"


def said(subject: Subject, number: int) -> str:
    """A row's label in brackets, where it is one."""
    value = subject.rows[number].values[subject.label_role or ""]
    return f" ({cut(value)})" if isinstance(value, str) else ""


def named(subject: Subject, found: Twins, sign: str) -> list[str]:
    """Pairs of rows by their names."""
    return [f"{subject.rows[one].name} {sign} {subject.rows[other].name}" for one, other in found]
