"""Which column holds what is asked of a whole input: a label, several of them, or a number."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tunekit.tasks._forms import FORMS, Form
from tunekit.tasks._guess import LONGEST_LABEL, MOST_CLASSES, MOST_WORDS, Column, Seen, pieces

SEPARATORS = (";", "|", ",")  # of labels in one text, the surest first
SEVERAL = 0.05  # share of rows with several labels from which on a sign parts them
FURTHER = ("emotion", "intent", "topic", "genre", "polarity")  # names that say it as clearly
NAMES = tuple(dict.fromkeys([*(n for form in FORMS.values() for n in form.column.names), *FURTHER]))
COMMA_OR_WHOLE = re.compile(r"[-+]?(?:\d+|\d{1,3}(?:\.\d{3})+)(?:,\d+)?")  # such as 3, 1,5 and 1.234,5
LARGE = 10  # from which on numbers are hard to learn as they are
KIND_OF = {form.role: kind for kind, form in FORMS.items()}  # role -> what is asked


@dataclass(frozen=True)
class Target:
    """A column as what is asked: of which kind, and why."""

    column: Column
    kind: str  # multi-class, multi-label or regression
    why: str  # what it holds, and why it is taken for that
    options: Mapping[str, Any] = field(default_factory=dict)
    obstacle: str | None = None

    @property
    def form(self) -> type[Form]:
        """The form of the answers."""
        return FORMS[self.kind]


def targets(seen: Seen, taken: Sequence[Column]) -> list[Target]:
    """What could be asked, the likeliest first; only what the user names, where something is named."""
    named = next((role for role in KIND_OF if role in seen.given), None)
    if named is not None:
        column = seen.find(named, FORMS[KIND_OF[named]].column)
        return [as_given(column, KIND_OF[named])] if column else []
    free = [column for column in seen.free(taken) if not column.is_media and "image" not in column.kinds]
    found = [target for column in free for target in target_in(column)]
    return sorted(found, key=lambda target: rank(target.column))


def rank(column: Column) -> tuple[int, int]:
    """Sorts columns by how they are called: as usual, nearly so, or otherwise."""
    called = column.called(NAMES)
    return -called, next((at for at, name in enumerate(NAMES) if column.called([name]) == called), 0)


def as_given(column: Column, kind: str) -> Target:
    """A column that the user has named for one kind of answers."""
    separator = separator_in(column) if kind == "multi-label" else None
    options = {"label_separator": separator} if separator else {}
    obstacle = pointless(column) if kind == "regression" and decimal_commas(column) else None
    return Target(column, kind, column.describe(), options, obstacle)


def target_in(column: Column) -> Iterator[Target]:
    """What a column could be as a target, if anything."""
    shown = column.describe()
    if column.is_numbering and not column.called(NAMES):
        return
    if column.items is not None:
        if "set" in column.kinds and labels_repeat(column.items):
            yield Target(column, "multi-label", shown)
    elif written_lists(column):
        yield Target(column, "multi-label", shown, obstacle=unwritten(column))
    elif decimal_commas(column):
        yield Target(column, "regression", shown, obstacle=pointless(column))
    elif separator := separator_in(column):
        labels = len(set(parts(column, separator)))
        why = f"{labels} different labels, several a row with {separator!r} between them"
        yield Target(column, "multi-label", why, {"label_separator": separator})
    elif column.numbers:
        yield from number_in(column)
    elif column.repeats:
        yield Target(column, "multi-class", shown)


def number_in(column: Column) -> Iterator[Target]:
    """Numbers as classes where there are few, else as numbers."""
    low, high = min(column.numbers), max(column.numbers)
    span = f"{column.distinct:,} different numbers from {low:g} to {high:g}"
    if column.repeats and column.distinct <= MOST_CLASSES:
        other = f"to predict a number instead: --column value={column.name!r}"
        yield Target(column, "multi-class", f"{span}, so few that they are taken for classes ({other})")
    elif column.distinct > MOST_CLASSES or "label" not in column.kinds:
        large = "; bring them to about -10 to 10 first" if max(-low, high) > LARGE else ""
        if column.called(NAMES) or not all(number.is_integer() for number in column.numbers):
            yield Target(column, "regression", f"{span}, too many for classes{large}")


def parts(column: Column, separator: str) -> list[str]:
    """The labels in all values of a column."""
    texts = (value for value in column.values if isinstance(value, str))
    return [part.strip() for text in texts for part in text.split(separator) if part.strip()]


def separator_in(column: Column) -> str | None:
    """The sign between several labels in one text; None where a text is one label, or none at all."""
    texts = [value for value in column.values if isinstance(value, str)]
    if len(texts) < len(column.values) or column.numbers or "image" in column.kinds:
        return None
    for separator in SEPARATORS:
        several = sum(separator in text.strip(separator) for text in texts)
        if several < SEVERAL * len(texts) or not labels_repeat(parts(column, separator)):
            continue
        if recombine({text.strip() for text in texts}, separator):
            return separator
    return None


def recombine(texts: Collection[str], separator: str) -> bool:
    """Whether parts of different texts are mostly found in others too: `Shoes, Bags` is one label, alone."""
    parted = [{part.strip() for part in text.split(separator)} - {""} for text in texts]
    counts = Counter(part for labels in parted for part in labels)
    joined = [part for labels in parted if len(labels) > 1 for part in labels]
    return sum(counts[part] > 1 for part in joined) > len(joined) / 2


def labels_repeat(items: Sequence[Any]) -> bool:
    """Whether items of lists are short and occur again and again, as labels do."""
    counts = Counter(str(item) for item in items)
    short = all(len(label) <= LONGEST_LABEL and pieces(label) <= MOST_WORDS for label in counts)
    return 2 <= len(counts) <= len(items) / 2 and short


def decimal_commas(column: Column) -> bool:
    """Whether values are numbers with a comma before their fractions."""
    texts = [value.strip() for value in column.values if isinstance(value, str)]
    numbers = len(texts) == len(column.values) and all(map(COMMA_OR_WHOLE.fullmatch, texts))
    return numbers and any("," in text for text in texts)


def pointless(column: Column) -> str:
    """What to do about them."""
    return (
        f"column {column.name!r} holds numbers with a comma before their fractions ({column.values[0]}); "
        "write a point there (1.5), and none between thousands; where they are several labels instead, "
        f"say so with --column labels={column.name!r}"
    )


def written_lists(column: Column) -> bool:
    """Whether values are lists as Python writes them, in a text."""
    texts = [value.strip() for value in column.values if isinstance(value, str)]
    return bool(texts) and all(text.startswith("[") and text.endswith("]") for text in texts)


def unwritten(column: Column) -> str:
    """What to do about lists in texts."""
    return (
        f"column {column.name!r} holds lists as Python writes them ({column.values[0]}); write the labels as "
        "a;b;c, or the rows as JSON lines with real lists"
    )
