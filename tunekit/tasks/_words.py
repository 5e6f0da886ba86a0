"""Words with their places in a text, and spans of characters as tags of words."""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, Self

OUTSIDE = "O"  # the tag of words that belong to no entity

JOINERS = "_\u200c\u200d"  # an underscore, and what joins letters or emoji
SKIN_TONES = ("\U0001f3fb", "\U0001f3ff")
WITHOUT_BLANKS = (  # first and last letters of scripts that put no blanks between words
    ("\u0e00", "\u0eff"),  # Thai, Lao
    ("\u1000", "\u109f"),  # Burmese
    ("\u1780", "\u17ff"),  # Khmer
    ("\u3040", "\u30ff"),  # Japanese
    ("\u3400", "\u4dbf"),  # Chinese characters, here and below
    ("\u4e00", "\u9fff"),
    ("\uf900", "\ufaff"),
    ("\U00020000", "\U0003ffff"),
)


class Words(list[str]):
    """The words of a text: a list that also knows the `text`, and the (start, end) of each word in it."""

    text: str
    offsets: list[tuple[int, int]]

    @classmethod
    def split(cls, text: str) -> Self:
        """The words and punctuation marks of a text, each with its place."""
        offsets = list(places(text))
        words = cls(text[start:end] for start, end in offsets)
        words.text, words.offsets = text, offsets
        return words

    @classmethod
    def of(cls, words: Sequence[str]) -> "Words":
        """Words as they are; of a plain list the text is its words with single blanks between."""
        if isinstance(words, Words):
            return words
        joined, start = cls(words), 0
        joined.text, joined.offsets = " ".join(words), []
        for word in words:
            joined.offsets.append((start, start + len(word)))
            start += len(word) + 1
        return joined


def places(text: str) -> Iterator[tuple[int, int]]:
    """Where each word and each punctuation mark of a text begins and ends.

    Letters and digits run together, with the marks on them; other characters are words of their own, and so
    are the letters of scripts without blanks. What a joiner joins stays together.
    """
    start, before = 0, " "
    for place, character in enumerate(text):
        if not continues(before, character):
            if not before.isspace():
                yield start, place
            start = place
        before = character
    if not before.isspace():
        yield start, len(text)


def continues(before: str, character: str) -> bool:
    """Whether a character belongs to the word of the one before it."""
    if before.isspace() or character.isspace():
        return before.isspace() and character.isspace()
    if before == "\u200d" or attaches(character):
        return True
    return runs(before) and runs(character)


@cache
def attaches(character: str) -> bool:
    """Whether a character belongs to whatever stands before it: accents, vowel signs, joiners, skin tones."""
    tone = SKIN_TONES[0] <= character <= SKIN_TONES[1]
    return tone or character in JOINERS[1:] or unicodedata.category(character).startswith("M")


@cache
def runs(character: str) -> bool:
    """Whether a character makes longer words together with others of its sort."""
    alone = any(first <= character <= last for first, last in WITHOUT_BLANKS)
    return not alone and (character.isalnum() or character in JOINERS or attaches(character))


class Span(NamedTuple):
    """One span of a row that fits its text: which it is, its type, its first word and the first after it."""

    number: int
    type: str
    first: int
    end: int


def tags_of(words: Words, spans: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[str], list[str]]:
    """The BIO tags of words that spans mark; which spans were moved to whole words; and which are wrong."""
    found, moved, wrong = list[Span](), list[str](), list[str]()
    for number, span in enumerate(spans):
        problem = misplaced(words, span)
        if problem:
            wrong.append(f"{shown(number, span)} {problem}")
            continue
        first, end = covered(words, span)
        found.append(Span(number, span["label"], first, end))
        edges = words.offsets[first][0], words.offsets[end - 1][1]
        if edges != (span["start"], span["end"]):
            moved.append(
                f"{shown(number, span)} is taken as the whole words {words.text[slice(*edges)]!r} "
                f"({edges[0]} to {edges[1]})"
            )
    found.sort(key=lambda span: span.first)
    wrong += overlaps(words, spans, found)
    return list(tags(found, len(words))), moved, wrong


def misplaced(words: Words, span: Mapping[str, Any]) -> str:
    """What is wrong with the place of one span; nothing where it covers a part of a word."""
    start, end = span["start"], span["end"]
    if span["label"] == OUTSIDE:
        return f"is called {OUTSIDE}, which stands for words of no entity"
    if end <= start:
        return "is empty (end is the first character after it)"
    if start < 0 or end > len(words.text):
        return f"lies outside the text, which has {len(words.text)} characters"
    first, after = covered(words, span)
    return "covers only blanks" if first >= after else ""


def covered(words: Words, span: Mapping[str, Any]) -> tuple[int, int]:
    """The first word that a span touches, and the first after it."""
    touched = [
        n for n, (start, end) in enumerate(words.offsets) if start < span["end"] and end > span["start"]
    ]
    return (touched[0], touched[-1] + 1) if touched else (0, 0)


def overlaps(words: Words, spans: Sequence[Mapping[str, Any]], found: Iterable[Span]) -> Iterator[str]:
    """Say which spans, in order of their words, share one."""
    before: Span | None = None
    for span in found:
        if before is not None and span.first < before.end:
            yield (
                f"{shown(span.number, spans[span.number])} and {shown(before.number, spans[before.number])} "
                f"share {words[span.first]!r}, and a word can have one tag only"
            )
        before = span if before is None or span.end > before.end else before


def tags(spans: Iterable[Span], count: int) -> list[str]:
    """BIO tags for so many words."""
    marked = [OUTSIDE] * count
    for span in spans:
        marked[span.first : span.end] = [f"B-{span.type}", *[f"I-{span.type}"] * (span.end - span.first - 1)]
    return marked


def shown(number: int, span: Mapping[str, Any]) -> str:
    """A span for a message."""
    return f"span {number} ({span['start']} to {span['end']}, {span['label']!r})"
