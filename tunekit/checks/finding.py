"""What a check finds, and the words in which it is said."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Grade = Literal["error", "warning", "note"]
PLACE = re.compile(r"(\S+?(?::\d+| row \d+)): ")

GRADES: tuple[Grade, ...] = get_args(Grade)  # the worst first


@dataclass(frozen=True)
class Finding:
    """One thing that was found: how bad it is, what it is about, where it is, and what to do."""

    grade: Grade
    name: str
    text: str
    rows: Sequence[str] = ()  # all of them, by split and id, or place
    advice: str = ""

    @property
    def sentence(self) -> str:
        """What was found, and what to do."""
        return f"{self.text}; {self.advice}" if self.advice else self.text

    def document(self) -> dict[str, Any]:
        """The finding as JSON."""
        return {**asdict(self), "rows": list(self.rows)}


def of_problem(name: str, problem: str) -> Finding:
    """An error from its sentence, whose last part says what to do, and whose first may say where."""
    text, _, advice = problem.rpartition("; ")
    place = PLACE.match(problem)
    return Finding("error", name, text or problem, [place[1]] if place else [], advice if text else "")


def counted(number: int, thing: str) -> str:
    """So many of a thing: 1 row, 2 rows."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def verb(number: int, one: str, several: str) -> str:
    """The form of a verb that fits a number."""
    return one if number == 1 else several


def share(part: int, whole: int) -> str:
    """A part of a whole in percent."""
    return f"{part / whole:.1%}" if whole else "0.0%"


def graded(part: float, whole: float, most: float) -> Grade:
    """A warning where a part is at least the share `most` of a whole, else a note."""
    return "warning" if whole and part / whole >= most else "note"


def worst(grades: Iterable[Grade]) -> Grade:
    """The worst of some grades."""
    return min(grades, key=GRADES.index)
