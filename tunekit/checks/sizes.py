"""How long rows are, and what the limits of a task's options take from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunekit.data.load import Rows, given_only
from tunekit.tasks.base import Damage, Example, Task, Window

NO_LIMIT = 1_000_000  # tokens

Index = NDArray[np.int64]


@dataclass(frozen=True)
class Sizes:
    """The lengths of a split's rows."""

    tokens: Index  # (rows,) of all that is given, as if nothing limited it
    beyond: Index  # (rows,) of these the tokens that the model never sees
    unknown: Index  # (rows,) tokens that stand for what the tokenizer does not know
    windows: int
    damages: Sequence[Sequence[Damage]]  # of each row


def measure(task: Task, rows: Rows) -> Sizes | None:
    """Encode every row; None where that gives no tokens."""
    whole, found, damages = changed(task, unlimited(task)), list[tuple[int, ...]](), list[list[Damage]]()
    for row, given in zip(rows, given_only(rows, type(task)), strict=True):
        windows = list(task.encode(given))
        if not all("input_ids" in window.inputs for window in windows):
            return None
        found.append(counts(windows, whole, given, unknown_token(task)))
        damages.append(damage(task, row, windows))
    tokens, beyond, unknown, pieces = np.array(found, np.int64).T
    return Sizes(tokens, beyond, unknown, int(pieces.sum()), damages)


def counts(windows: Sequence[Window], whole: Task, given: Example, unknown: int | None) -> tuple[int, ...]:
    """Of one row the tokens, those that no window shows, those that are unknown, and the windows."""
    shown = sum(map(length, windows))
    strange = sum(int((np.asarray(window.inputs["input_ids"]) == unknown).sum()) for window in windows)
    cut = any(window.cut for window in windows)
    total = sum(map(length, whole.encode(given))) if cut or len(windows) > 1 else shown
    return total, max(0, total - shown) if cut else 0, strange, len(windows)


def damage(task: Task, row: Example, windows: Sequence[Window]) -> list[Damage]:
    """What limits take from a row, given its windows."""
    for window in windows:
        window.inputs |= task.target(row, window)
    return list(task.damage(row, windows))


def length(window: Window) -> int:
    """The tokens of a window; of several texts side by side those of the longest."""
    return int(np.shape(window.inputs["input_ids"])[-1])


def unlimited(task: Task) -> dict[str, int]:
    """The limits of a task's options, lifted."""
    return {name: NO_LIMIT for name in task.options.limits if name in type(task.options).model_fields}


def changed(task: Task, options: Mapping[str, Any]) -> Task:
    """The same task with other values of some options."""
    other = type(task)(task.options.model_copy(update=dict(options)), task.processor, task.labels, task.head)
    other.given, other.learned = task.given, task.learned
    return other


def unknown_token(task: Task) -> int | None:
    """The token of what a tokenizer does not know; None where it knows everything."""
    token, end = (getattr(task.processor, name, None) for name in ("unk_token_id", "eos_token_id"))
    return None if token == end else token  # that of byte-level tokenizers never occurs
