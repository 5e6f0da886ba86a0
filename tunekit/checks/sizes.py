"""How long rows are, and what the limits of a task's options take from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunekit.data.load import Rows, given_only
from tunekit.tasks._overlapping import OverlappingOptions
from tunekit.tasks.base import Damage, Example, Task, Window

NO_LIMIT = 1_000_000  # tokens

Index = NDArray[np.int64]


@dataclass(frozen=True)
class Sizes:
    """The lengths of a split's rows."""

    tokens: Index  # (rows,) of all that is given, as if nothing limited it
    beyond: Index  # (rows,) of these the tokens that the model never sees
    unknown: Index  # (rows,) tokens that stand for what the tokenizer does not know
    damages: Sequence[Sequence[Damage]]  # of each row


def measure(task: Task, rows: Rows) -> Sizes | None:
    """Encode every row; None where that gives no tokens."""
    whole = changed(task, unlimited(task.options))
    found, damages = list[tuple[int, int, int]](), list[list[Damage]]()
    for row, given in zip(rows, given_only(rows, type(task)), strict=True):
        windows = list(whole.encode(given))
        if not all("input_ids" in window.inputs for window in windows):
            return None
        total, strange = sum(map(length, windows)), unknown(windows, unknown_token(task))
        beyond = max(0, total - limit_of(task))
        if beyond and isinstance(task.options, OverlappingOptions):  # whose windows show all of a text
            windows, beyond = list(task.encode(given)), 0
        found.append((total, beyond, strange))
        damages.append(damage(task, row, windows))
    tokens, cut, strange_ones = np.array(found, np.int64).T
    return Sizes(tokens, cut, strange_ones, damages)


def unknown(windows: Sequence[Window], token: int | None) -> int:
    """How many tokens of windows stand for something that the tokenizer does not know."""
    if token is None:
        return 0
    return sum(int((np.asarray(window.inputs["input_ids"]) == token).sum()) for window in windows)


def damage(task: Task, row: Example, windows: Sequence[Window]) -> list[Damage]:
    """What limits take from a row, given its windows."""
    for window in windows:
        window.inputs |= task.target(row, window)
    return list(task.damage(row, windows))


def length(window: Window) -> int:
    """The tokens of a window; of several texts side by side those of the longest."""
    return int(np.shape(window.inputs["input_ids"])[-1])


def limit_of(task: Task) -> int:
    """How many tokens of a text are read at most."""
    return int(getattr(task.options, task.options.lengths[0], NO_LIMIT))


def unlimited(options: Any) -> Any:
    """A task's options with all limits lifted."""
    names = [name for name in options.lengths if name in type(options).model_fields]
    return options.model_copy(update=dict.fromkeys(names, NO_LIMIT))


def changed(task: Task, options: Any) -> Task:
    """The same task with other options."""
    other = type(task)(options, task.processor, task.labels, task.head)
    other.given, other.learned = task.given, task.learned
    return other


def unknown_token(task: Task) -> int | None:
    """The token of what a tokenizer does not know; None where it knows everything."""
    token, end = (getattr(task.processor, name, None) for name in ("unk_token_id", "eos_token_id"))
    return None if token == end else token  # that of byte-level tokenizers never occurs
