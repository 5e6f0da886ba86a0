"""What an example becomes: windows, after its row was checked."""

from dataclasses import dataclass, field
from typing import Any


class Corrected(str):
    """What `check` says of a row that it has put in order: worth counting, and no reason to refuse it."""


@dataclass
class Window:
    """One model input cut from an example. Most examples give one window; long ones give several."""

    inputs: dict[str, Any]  # for the model: padded and batched by `data.batches.collate`
    notes: dict[str, Any] = field(default_factory=dict)  # for `target` and `decode`, never for the model
    outputs: dict[str, Any] = field(default_factory=dict)  # the window's row of `predict`, as numpy arrays
    cut: bool = False  # a part of the example is in no window
    lost: bool = False  # set by `target`: the window cannot teach its example's answer, or not all of it
