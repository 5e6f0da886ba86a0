"""What a task's processor takes of single rows, found out once, before anything is trained or answered."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tunekit.tasks._roles import Kind


class Taken:
    """By default values are kept as they are, and every row is taken."""

    @classmethod
    def keep(cls, processor: Any, kind: Kind, value: Any) -> Any:
        """The array in which a value of a costly kind is kept, such as a picture's pixels in the final size.

        It is read once, before training; an image comes as PIL's RGB.
        """
        return value

    @classmethod
    def refused(
        cls, options: Any, processor: Any, rows: Sequence[Mapping[str, Any]], *, targets: bool
    ) -> Iterable[tuple[int, str]]:
        """The rows that a processor cannot write for the model, by their numbers, and why.

        With `targets` they are also learned or scored.
        """
        return ()
