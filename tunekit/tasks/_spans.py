"""Spans of a context: the best of a window's logits, and where they are in the text."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tunekit.tasks.base import Outputs, Window

CANDIDATES = 20  # spans of each window that are looked at: neighbouring windows find the same ones


def places_of(encoding: Any) -> tuple[int, int]:
    """The first and last character of the context that a window shows; (0, 0) where it shows none."""
    inside = [place for part, place in zip(encoding.sequence_ids, encoding.offsets, strict=True) if part == 1]
    return (inside[0][0], inside[-1][1]) if inside else (0, 0)


def spans_of(window: Window, context: str) -> Iterator[tuple[tuple[int, int], float]]:
    """The best spans of a window, as first character and the one after the last, with their scores."""
    sound = np.isfinite(window.outputs["score"])
    begins = window.notes["offsets"][window.outputs["start"][sound], 0].tolist()
    ends = window.notes["offsets"][window.outputs["end"][sound], 1].tolist()
    for begin, end, score in zip(begins, ends, window.outputs["score"][sound].tolist(), strict=True):
        span = without_blanks(context, begin, end)
        if span[0] < span[1]:
            yield span, score


def without_blanks(context: str, begin: int, end: int) -> tuple[int, int]:
    """A span without the blanks at its ends, which some tokenizers count to a word."""
    text = context[begin:end]
    return end - len(text.lstrip()), begin + len(text.rstrip())


def rounded(number: Any) -> float:
    """A number for an answer."""
    return round(float(number), 6)


def best_spans(start: Any, end: Any, inside: Any, longest: int) -> Outputs:
    """The best spans of each window, by the sum of two logits, and the logarithm of all spans' weight.

    Only spans of at most `longest` tokens are looked at, as a band of shape (windows, tokens, longest).
    """
    import torch

    width = min(longest, start.shape[1])
    start, end = (each.masked_fill(~inside, -torch.inf) for each in (start, end))
    ends = torch.nn.functional.pad(end, (0, width - 1), value=-torch.inf).unfold(1, width, 1)
    scores = (start[:, :, None] + ends).flatten(1)
    best = scores.topk(min(CANDIDATES, scores.shape[1]))
    first, more = best.indices // width, best.indices % width
    ends_at = (first + more).clamp(max=start.shape[1] - 1)  # what is beyond has a score of -inf
    return {"score": best.values, "start": first, "end": ends_at, "total": scores.logsumexp(1)}
