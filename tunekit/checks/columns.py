"""Values that say nothing, or not what their column is for."""

import re
from collections import Counter
from collections.abc import Iterator

from tunekit.checks.finding import Finding, counted, graded, share
from tunekit.checks.subject import Subject
from tunekit.data.twins import Row, key_of
from tunekit.errors import cut
from tunekit.tasks.base import Task

PLACEHOLDERS = {
    *("n/a", "na", "nan", "null", "nil", "none", "unknown", "undefined", "missing", "empty", "tbd", "todo"),
    *("-", "--", "---", ".", "..", "...", "?", "??", "#n/a", "#ref!", "#value!", "#name?", "<na>", "<null>"),
    *("[deleted]", "[removed]", "(deleted)", "(removed)", "\\n"),
}
DAMAGED = re.compile(  # utf-8 that was read as latin-1 or cp1252, and the sign for what could not be read
    "\ufffd|\u00c3[\u0080-\u00bf\u0152-\u02dc\u2013-\u2122]|\u00e2\u20ac[\u0080-\u00bf\u0152-\u02dc\u2013-\u2122]"
)
NUMBER = re.compile(r"[-+]?[\d.,]+%?")
MOSTLY = 0.5  # share of rows from which on a column does not look like what it is for
SOME = 0.01  # share of rows from which on something is no accident


def find_left_out(subject: Subject) -> Iterator[Finding]:
    """Rows that cannot be used, or were put in order."""
    if subject.data.skipped:
        yield Finding(
            "warning",
            "rows left out",
            f"{counted(len(subject.data.skipped), 'problem')} in rows that are left out",
            subject.data.skipped,
            "correct these rows",
        )
    if subject.data.corrected:
        yield Finding(
            "note",
            "corrected rows",
            f"{counted(len(subject.data.corrected), 'row')} put in order",
            subject.data.corrected,
            "look whether that is what they mean",
        )


def find_placeholders(subject: Subject) -> Iterator[Finding]:
    """Texts that stand for no text, as exports write them."""
    rows = [row.name for row, _, text in subject.texts() if text.strip().casefold() in PLACEHOLDERS]
    if rows:
        yield Finding(
            "warning",
            "empty values",
            f"{counted(len(rows), 'text')} such as n/a, null or [deleted] stand for no text",
            rows,
            "remove these rows",
        )


def find_wordless(subject: Subject) -> Iterator[Finding]:
    """Texts without a letter or digit."""
    texts = ((row, text) for row, _, text in subject.texts() if text.strip().casefold() not in PLACEHOLDERS)
    rows = [row.name for row, text in texts if not any(map(str.isalnum, text))]
    if rows:
        yield Finding(
            graded(len(rows), len(subject.rows), SOME),
            "texts without words",
            f"{counted(len(rows), 'text')} without any letter or digit",
            rows,
            "look whether they mean something (emoji may), else remove them",
        )


def find_damaged_text(subject: Subject) -> Iterator[Finding]:
    """Text that was read in a wrong encoding before it came here."""
    rows = [row.name for row, _, text in subject.texts() if DAMAGED.search(text)]
    if rows:
        yield Finding(
            graded(len(rows), len(subject.rows), SOME),
            "damaged text",
            f"{counted(len(rows), 'text')} with signs of a wrong encoding, such as \u00c3\u00a9 for \u00e9",
            rows,
            "export the data as UTF-8 again, or set data.encoding to what the file is in",
        )


def find_wrong_columns(subject: Subject) -> Iterator[Finding]:
    """Columns that hold something else than their role is for."""
    rows = [row for row in subject.rows if row.split == "train"]
    columns = subject.data.columns
    for role, spec in subject.inputs.items():
        if spec.kind != "text" or len(rows) < 2:
            continue
        for wrong, found in strange_values(rows, role, subject.task).items():
            if len(found) > MOSTLY * len(rows):
                yield Finding(
                    "warning",
                    "wrong column",
                    f"column {columns[role]!r}, which is {role}, {wrong} in {share(len(found), len(rows))} "
                    f"of the training rows, such as {cut(repr(found[0].values[role]))}",
                    [row.name for row in found],
                    f"name another with data.columns.{role}=COLUMN, or add what is missing",
                )


def strange_values(rows: list[Row], role: str, task: Task) -> dict[str, list[Row]]:
    """The rows whose text is odd, by what is odd about it."""
    usual, times = Counter(row.values[role] for row in rows).most_common(1)[0]
    asked = task.targets_for(task.options)
    given = [other for other in rows[0].values if other in type(task).inputs and other != role]
    found = {
        "holds one and the same text": [row for row in rows if row.values[role] == usual]
        if times > 1
        else [],
        "holds nothing but a number": [row for row in rows if NUMBER.fullmatch(row.values[role].strip())],
    }
    for other in (*(name for name in rows[0].values if name in asked), *given):
        equal = [row for row in rows if key_of(row.values[other]) == key_of(row.values[role])]
        found[f"holds the same as {other}"] = equal
    return found
