"""Texts that are nearly the same: most of their words agree, in the same order.

Candidates share many words and pairs of words, and come from an index (locality-sensitive hashing of
MinHashes), so that not every text is held against every other. Each candidate is then compared exactly.
"""

import re
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np

NEAR = 0.75  # of the words of two texts that agree, in order
FEWEST = 10  # words: in shorter texts one other word says something else
BANDS, DEPTH = 32, 4  # of the index: finds 99 % of pairs that share 0.6 of words and pairs of words
SEED = 1
SURROGATES = range(0xD800, 0xE000)
ALPHABET = 0x110000 - len(SURROGATES)

WITHOUT_BLANKS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
WORD = re.compile(rf"[{WITHOUT_BLANKS}]|[^\W{WITHOUT_BLANKS}]+")


class Texts:
    """Texts as strings of one letter a word, which libraries compare fast."""

    def __init__(self, spelled: Sequence[str]) -> None:
        self.spelled = spelled

    @classmethod
    def of(cls, values: Sequence[Any]) -> Self:
        """Texts, or lists of words or texts."""
        letters = Letters()
        return cls([letters.spell(value if isinstance(value, str) else " ".join(value)) for value in values])

    def near(self, one: int, other: int) -> bool:
        """Whether two texts are nearly the same."""
        return bool(self.near_ones(one, [other]))

    def near_ones(self, one: int, others: Sequence[int]) -> list[int]:
        """Those of some texts that are nearly the same as one."""
        from rapidfuzz.distance import Indel
        from rapidfuzz.process import cdist

        able = [other for other in (one, *others) if len(self.spelled[other]) >= FEWEST]
        if not others or one not in able:
            return []
        spelled = [self.spelled[other] for other in able[1:]]
        found = cdist([self.spelled[one]], spelled, scorer=Indel.normalized_similarity, score_cutoff=NEAR)
        return [able[1 + place] for place in np.flatnonzero(found[0])]

    def pairs(self, numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
        """The pairs of nearly equal texts among those that are numbered."""
        from datasketch import MinHash, MinHashLSH

        able = [number for number in numbers if len(self.spelled[number]) >= FEWEST]
        index = MinHashLSH(num_perm=BANDS * DEPTH, params=(BANDS, DEPTH))
        sketches = MinHash.generator(
            (shingles(self.spelled[number]) for number in able),
            num_perm=BANDS * DEPTH,
            seed=SEED,
            hashfunc=zlib.crc32,
        )
        for number, sketch in zip(able, sketches, strict=True):
            yield from ((other, number) for other in self.near_ones(number, sorted(index.query(sketch))))
            index.insert(number, sketch, check_duplication=False)


class Letters(dict[str, str]):
    """A letter for each word; new words get new ones."""

    def __missing__(self, word: str) -> str:
        return self.setdefault(word, letter(len(self)))

    def spell(self, text: str) -> str:
        """A text as one letter a word. Signs do not count."""
        words = WORD.findall(unicodedata.normalize("NFKC", text).casefold())
        return "".join(map(self.__getitem__, words))


def letter(number: int) -> str:
    """The letter of a number, which is none of those that only stand in pairs."""
    place = number % ALPHABET
    return chr(place if place < SURROGATES.start else place + len(SURROGATES))


def shingles(spelled: str) -> list[bytes]:
    """The words and pairs of neighbouring words of a text."""
    pairs = {spelled[start : start + 2] for start in range(len(spelled) - 1)}
    return [shingle.encode() for shingle in sorted(pairs.union(spelled))]
