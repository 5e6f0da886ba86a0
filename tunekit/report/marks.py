"""A text cut into pieces, of which some are marked."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tunekit.tasks._shown import Mark

AROUND = 160  # characters of a text that are shown on each side of a mark
LONGEST = 600  # characters of a text that are shown without one
GAP = " … "


@dataclass(frozen=True)
class Piece:
    """A part of a text; `kind` says whose mark it bears, if any."""

    text: str
    kind: str = ""  # right: by both; missed: by the reference alone; wrong: by the answer alone
    label: str = ""


def pieces(text: str, marks: Iterable[tuple[Mark, str]]) -> list[Piece]:
    """A text with its marks, which come with their kind; what is far from any is left out.

    Of marks that overlap the first one stays.
    """
    found: list[Piece] = []
    place = 0
    for mark, kind in sorted(marks, key=lambda pair: pair[0].start):
        if mark.start < place:
            continue
        found += between(text[place : mark.start], first=not found)
        found.append(Piece(text[mark.start : mark.end], kind, mark.label))
        place = mark.end
    if not found:
        return [Piece(shortened(text))]
    return [*found, *([Piece(shortened(text[place:], AROUND))] if place < len(text) else [])]


def between(text: str, *, first: bool) -> list[Piece]:
    """What stands before a mark: all of it, or its ends."""
    most = AROUND if first else 2 * AROUND
    if len(text) <= most:
        return [Piece(text)] if text else []
    tail = text[-AROUND:].partition(" ")[2] or text[-AROUND:]  # from a whole word on
    return [Piece(("…" if first else text[:AROUND].rstrip() + GAP) + tail)]


def shortened(text: str, most: int = LONGEST) -> str:
    """The beginning of a text."""
    return text if len(text) <= most else f"{text[:most].rstrip()}…"


def compared(wanted: Sequence[Mark], found: Sequence[Mark]) -> tuple[list[tuple[Mark, str]], ...]:
    """The marks of the reference and those of the answer, each with its kind."""
    missed = [(mark, "right" if mark in found else "missed") for mark in wanted]
    invented = [(mark, "right" if mark in wanted else "wrong") for mark in found]
    return missed, invented
