"""Answers to questions: where they stand in their contexts, and columns that hold them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tunekit.errors import cut
from tunekit.tasks._guess import Column, Seen
from tunekit.tasks._roles import Role
from tunekit.tasks.base import Corrected

ANSWER_WORDS = (1, 3, 8)  # that part answers of different lengths


def found_in(context: str, text: str, start: int | None) -> tuple[int | None, str]:
    """Where an answer starts in its context, and what there is to say of it.

    A start that is wrong or absent is found where the context tells it.
    """
    shown, first = repr(cut(text)), context.find(text)
    if start is not None and start >= 0 and context.startswith(text, start):
        return start, ""
    if first < 0:
        return start, f"the answer {shown} is not in the context"
    alone = first == context.rfind(text)
    if start is None:
        return first, "" if alone else Corrected(f"the answer {shown} is taken to be the first of its kind")
    if alone:
        return first, Corrected(f"the answer {shown} starts at {first}, not at {start}")
    return start, f"the answer {shown} does not start at {start}, but in more than one other place"


def columns_of(roles: Mapping[str, Role], seen: Seen) -> dict[str, Column] | None:
    """The columns of questions, contexts and answers, by name or by what they look like; None without one."""
    if not seen.knows(roles):
        return None
    answers = seen.find("answers", roles["answers"])
    answers = answers or next((c for c in seen.columns if holds_places(c)), None)
    if answers is None:
        return None
    question = seen.find("question", roles["question"], [answers])
    question = question or next((c for c in seen.texts([answers]) if asks(c)), None)
    context = seen.find("context", roles["context"], [answers, *([question] if question else [])])
    context = context or next(iter(seen.texts([answers, *([question] if question else [])])), None)
    if question is None or context is None:
        return None
    return {"question": question, "context": context, "answers": answers}


def holds_places(column: Column) -> bool:
    """Whether values are answers with the places where they start."""
    objects = [each for value in column.values for each in (value if isinstance(value, list) else [value])]
    return bool(objects) and all(
        isinstance(o, dict) and {"text", "answer_start"} <= o.keys() for o in objects
    )


def asks(column: Column) -> bool:
    """Whether most texts end as questions do."""
    return 2 * sum(str(text).rstrip().endswith(("?", "\uff1f")) for text in column.values) > len(
        column.values
    )


def share_found(contexts: Column, answers: Column) -> tuple[float, int]:
    """Which share of answers stands in a context, and how many rows have none; of rows that have both."""
    pairs = [
        (str(context), list(texts_of(value)))
        for context, value in zip(contexts.sample, answers.sample, strict=True)
        if context is not None and value is not None
    ]
    texts = [(context, text) for context, found in pairs for text in found]
    share = sum(text in context for context, text in texts) / max(1, len(texts))
    return share, sum(not found for _, found in pairs)


def texts_of(value: Any) -> Iterator[str]:
    """The texts of answers in any of the ways in which they are written."""
    if isinstance(value, str):
        yield from [value] if value else []
    elif isinstance(value, list):
        for item in value:
            yield from texts_of(item)
    elif isinstance(value, dict):
        yield from texts_of(value.get("text"))


def answer_groups(answers: Sequence[str]) -> dict[str, str]:
    """What parts questions in reports: whether there is an answer, and how long the first right one is."""
    if not answers:
        return {"answer": "there is none"}
    words = len(answers[0].split())
    bounds = zip((1, *(most + 1 for most in ANSWER_WORDS)), (*ANSWER_WORDS, math.inf), strict=True)
    low, high = next((low, high) for low, high in bounds if words <= high)
    length = f"{low} to {high} words" if high < math.inf else f"{low} words or more"
    return {"answer": "there is one", "words of the answer": length if high > 1 else "1 word"}
