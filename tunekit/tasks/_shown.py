"""What a report can show of a task's answers, asked as capabilities; every default suits any task."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple


class Mark(NamedTuple):
    """A part of an input that an answer, or the right one, points at."""

    role: str
    start: int  # in characters of the input's text
    end: int  # the first character behind it
    label: str = ""


class Tagged(NamedTuple):
    """What an answer says of each word, and how probable it finds that."""

    words: list[str]
    tags: list[str]
    scores: list[float]


class Shown:
    """What a report may ask a task. `said` is the comparable part of an answer."""

    index: dict[str, int]  # the labels with their numbers

    def label_pairs(self, said: Any, reference: Any) -> Iterable[tuple[str, str]]:
        """The right label and the one said, as a confusion matrix counts them."""
        if isinstance(said, str) and isinstance(reference, str) and {said, reference} <= self.index.keys():
            yield reference, said

    def distribution(self, answer: Any) -> Mapping[str, float] | None:
        """The probability of each label, if the answer has them."""
        found = answer.get("probabilities") if isinstance(answer, Mapping) else None
        return found if isinstance(found, Mapping) else None

    def claims(self, answer: Any, said: Any, reference: Any) -> Iterable[tuple[float, bool]]:
        """The probability of everything that an answer claims, and whether it is right."""
        known = self.distribution(answer) or {}
        if isinstance(said, str):
            yield from [(known[said], said == reference)] if said in known else []
        elif isinstance(said, list):
            yield from ((known[label], label in reference) for label in said if label in known)

    def marks(self, example: Mapping[str, Any], answer: Any = None) -> Iterable[Mark]:
        """The parts of an example's inputs that an answer points at; without one those of its reference."""
        return ()

    def tagged(self, answer: Any) -> Tagged | None:
        """An answer as tags of words, if it is one."""
        return None

    def groups(self, example: Mapping[str, Any], reference: Any) -> Mapping[str, str]:
        """The groups that an example belongs to, by what they part rows by: `{"answer": "none"}`."""
        return {}

    def traits(self, example: Mapping[str, Any], said: Any, reference: Any) -> Mapping[str, float]:
        """Numbers that say what an answer is like, beside right or wrong, by name."""
        return {}
