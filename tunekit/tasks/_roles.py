"""What a column is for, and of what kind its values are."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

Kind = Literal[  # of a column's values
    "text", "texts", "words", "spans", "label", "labels", "set", "number", "answers", "image", "messages"
]


@dataclass(frozen=True)
class Role:
    """What a column is for: its kind, the column it is usually called, and other common names.

    A role that is not `needed` may be absent from the data, and then from every row; one that is `spare` also
    when a model is asked that was trained with it. A role that stands
    `instead_of` another is needed only where that one is absent. `otherwise` says what to set where a column
    holds values of another kind.
    """

    kind: Kind
    column: str
    synonyms: tuple[str, ...] = ()
    needed: bool = True
    spare: bool = False
    instead_of: str | None = None
    blank: bool = False  # whether a text may be null or blank in single rows, which then have an empty one
    otherwise: Mapping[str, str] = field(default_factory=dict)
    separator: str | None = None  # parts the items of a list that is written as one text

    def parted(self, separator: str | None) -> "Role":
        """This role, for lists that may be written as one text."""
        return replace(self, separator=separator)

    @property
    def names(self) -> tuple[str, ...]:
        """What its column is usually called, the most usual first."""
        return (self.column, *self.synonyms)
