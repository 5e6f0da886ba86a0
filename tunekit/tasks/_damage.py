"""What the limits of a task's options take away from a row."""

from typing import NamedTuple


class Damage(NamedTuple):
    """Of one thing in a row, how many a limit takes away."""

    option: str | None  # whose value is too small; None where no option helps
    what: str  # in the plural: answers, entities
    lost: int
    of: int
