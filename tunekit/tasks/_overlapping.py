"""Long examples as several windows, of which neighbours share a part."""

from collections.abc import Iterator
from typing import ClassVar, Self

from pydantic import model_validator

from tunekit.errors import InputError
from tunekit.tasks.base import Task


class OverlappingOptions(Task.Options):
    """Options of a task that cuts long examples into overlapping windows."""

    part: ClassVar[int]  # of `max_length` that neighbouring windows share, as 1 / part, where nothing is said

    max_length: int
    stride: int | None

    @property
    def overlap(self) -> int:
        """The tokens that neighbouring windows share."""
        return self.max_length // self.part if self.stride is None else self.stride

    @model_validator(mode="after")
    def stride_leaves_room(self) -> Self:
        if self.overlap > self.max_length // 2:
            raise ValueError(
                f"stride {self.stride} is more than half of max_length {self.max_length}; lower it"
            )
        return self

    def fitted(self, limit: int | None, head: str) -> Self:
        fitted = super().fitted(limit, head)
        if fitted.overlap > fitted.max_length // 2:
            raise InputError(
                f"task.stride is {self.stride}, but the model reads at most {limit} tokens, and windows can "
                "share at most half of that; lower it"
            )
        return fitted

    def limits(self) -> Iterator[str]:
        yield f"It sees at most {self.max_length:,} tokens at once; longer texts are read in such windows."
