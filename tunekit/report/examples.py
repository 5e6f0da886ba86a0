"""Rows to be looked at: what was given, what is right, what was answered."""

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunekit.report.marks import Piece, compared, pieces, shortened
from tunekit.report.subject import Line, Scored, Subject
from tunekit.tasks.base import Example

WORST = 20
PROBABLE = 3  # labels whose probability is shown, beside the right one
SIDE = 112  # pixels of a picture
UNSURE = 0.5  # the probability of an answer that gives none
LONGEST_LABELS = 40  # labels or words of a list
PREVIEW = 90  # characters of a row in a list


def worst(subject: Subject, scored: Scored) -> list[dict[str, Any]]:
    """The rows that are answered worst, those first of which the model was surest."""
    sure = np.array([max((p for p, right in row if not right), default=UNSURE) for row in scored.claims])
    severity = scored.mistakes * sure
    order = np.argsort(-severity, kind="stable")[:WORST]
    return [card(subject, scored, int(i)) for i in order if severity[i] > 0]


def card(subject: Subject, scored: Scored, number: int) -> dict[str, Any]:
    """One row with everything that is shown of it."""
    line = scored.lines[number]
    wanted, found = (list(subject.task.marks(line.example, answer)) for answer in (None, line.answer))
    return {
        "name": line.name,
        "inputs": list(inputs(subject, line.example, wanted, found)),
        "wanted": told(line.reference),
        "said": told(line.said),
        "marked": bool(wanted or found),
        "said_is_text": subject.task.measure.form == "texts" and not (wanted or found),
        "said_differs": False,
        "probabilities": probabilities(subject, line),
        "sure": max((p for p, right in scored.claims[number] if not right), default=None),
        "score": own_score(scored, number),
    }


def own_score(scored: Scored, number: int) -> dict[str, Any] | None:
    """The metric of one row, where it can be more than right or wrong."""
    measure = scored.task.measure
    if any("/" in key for key in scored.lines[number].scores) or measure.form != "texts":
        return None
    return {"metric": measure.reported[0], "value": float(scored.metric(measure.reported[0])[number])}


def inputs(subject: Subject, example: Example, wanted: Sequence[Any], found: Sequence[Any]) -> Iterator[Any]:
    """The inputs of an example by their kind: pictures, marked texts, or plain ones."""
    several = len(list(subject.inputs(example))) > 1
    for role, kind, value in subject.inputs(example):
        name = role if several else ""
        own = [[mark for mark in side if mark.role == role] for side in (wanted, found)]
        if kind == "image":
            yield {"role": name, "picture": thumbnail(value)}
        elif any(own):
            texts = [pieces(text_of(value), side) for side in compared(*own)]
            yield {"role": name, "right": texts[0], "answer": texts[1]}
        else:
            yield {"role": name, "plain": [Piece(shortened(text_of(value)))]}


def text_of(value: Any) -> str:
    """A text, or words or texts as one; words may know the text that they are of."""
    if isinstance(value, str):
        return value
    return str(getattr(value, "text", None) or " ".join(map(str, value)))


def told(value: Any) -> list[str]:
    """An answer or a reference as texts; none where there is none."""
    if value is None:
        return []
    if isinstance(value, list):
        return [shortened(str(each)) for each in value[:LONGEST_LABELS]]
    return [f"{value:.4g}" if isinstance(value, float) else shortened(str(value))]


def probabilities(subject: Subject, line: Line) -> list[dict[str, Any]]:
    """The likeliest labels with their probabilities, and the right one's."""
    known: Mapping[str, float] = subject.task.distribution(line.answer) or {}
    wanted = line.reference if isinstance(line.reference, list) else [line.reference]
    likely = sorted(known, key=lambda label: -known[label])[:PROBABLE]
    shown = [*likely, *(label for label in wanted if label in known and label not in likely)]
    return [
        {"label": label, "probability": known[label], "right": label in wanted}
        for label in shown[: 2 * PROBABLE]
    ]


def thumbnail(pixels: NDArray[np.uint8]) -> str:
    """A picture (3, height, width) in small, as a data: address."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    kind = "png" if max(image.size) <= SIDE // 2 else "jpeg"  # few pixels are kept as they are
    image.thumbnail((SIDE, SIDE))
    file = io.BytesIO()
    image.save(file, kind)
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


def preview(subject: Subject, example: Example) -> dict[str, str]:
    """A row in a list: its picture, or the beginning of its texts."""
    values = list(subject.inputs(example))
    picture = next((thumbnail(value) for _, kind, value in values if kind == "image"), "")
    texts = [shortened(text_of(value), PREVIEW) for _, kind, value in values if kind != "image"]
    return {"picture": picture, "text": " | ".join(texts)}
