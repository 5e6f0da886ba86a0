"""What a task says whose loss is one of a whole step, because its rows are held against each other."""

from collections.abc import Mapping
from typing import Any, ClassVar


class Coupled:
    """By default a step's loss is a sum over its rows, and nothing here is asked."""

    couples: ClassVar[bool] = False  # whether a step's rows are held against each other: see `step_loss`

    def represent(self, model: Any, inputs: Mapping[str, Any]) -> Any:
        """What `step_loss` is made of, for tasks that couple rows: one row a window, shape (windows, ...)."""
        raise NotImplementedError

    def step_loss(self, represented: Any, inputs: Mapping[str, Any]) -> Any:
        """The loss of a whole step, shape (), for tasks that couple rows.

        All its windows come row after row, whatever forwards and processes computed them; `inputs` are those
        that are one number a window, shape (windows,).
        """
        raise NotImplementedError
