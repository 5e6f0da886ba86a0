"""Traps of model families, asked by what a checkpoint can do and never by its name."""

from collections.abc import Iterator, Mapping
from typing import Any

from tunekit.checks.finding import Finding, of_problem
from tunekit.checks.subject import Subject
from tunekit.errors import InputError
from tunekit.models.families import classes
from tunekit.models.precision import choose
from tunekit.tasks._words import OUTSIDE

PLACED = ("labels", "spans", "answers")  # kinds of targets that are decided at single words
CASED = 0.3  # by which capitals are more frequent in entities than elsewhere


def find_pad_token(subject: Subject) -> Iterator[Finding]:
    """A tokenizer without a pad token of its own."""
    processor = subject.task.processor
    pad, stand_ins = getattr(processor, "pad_token", None), ("eos_token", "unk_token")
    if pad is not None and pad in [getattr(processor, name, None) for name in stand_ins]:
        yield Finding(
            "note",
            "pad token",
            f"the tokenizer has no pad token of its own; {pad!r} stands in for it, masked",
        )


def find_precision(subject: Subject) -> Iterator[Finding]:
    """A precision that the device or the model does not train in."""
    import torch

    device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    try:
        choose(subject.recipe.train.precision, device.type if device else "cpu", subject.skeleton)
    except InputError as error:
        yield of_problem("precision", str(error))


def find_direction(subject: Subject) -> Iterator[Finding]:
    """A model that reads from left to right only, for answers that depend on what follows."""
    config = type(subject.checkpoint.config)
    forward = config in classes("AutoModelForCausalLM") and config not in classes("AutoModelForMaskedLM")
    placed = any(spec.kind in PLACED for spec in subject.targets.values())
    if placed and forward and not subject.checkpoint.config.is_encoder_decoder:
        yield Finding(
            "warning",
            "reading direction",
            f"{subject.checkpoint.name} reads from left to right, so that what it says of a word cannot "
            "depend on the words behind it",
            advice="choose a checkpoint that reads both ways, such as a BERT",
        )


def find_lost_case(subject: Subject) -> Iterator[Finding]:
    """A tokenizer that drops capitals, where they tell which words matter."""
    role = subject.label_role
    words = next((name for name, spec in subject.inputs.items() if spec.kind == "words"), None)
    if (
        role is None
        or words is None
        or subject.targets[role].kind != "labels"
        or keeps_case(subject.task.processor)
    ):
        return
    inside, outside = capitals(subject, words, role)
    if inside - outside >= CASED:
        yield Finding(
            "warning",
            "lost capitals",
            f"the tokenizer of {subject.checkpoint.name} drops capitals, which begin {inside:.0%} of the "
            f"words in entities and {outside:.0%} of the others",
            advice="choose a cased checkpoint",
        )


def keeps_case(processor: Any) -> bool:
    """Whether a tokenizer tells capitals from small letters."""
    small, capital = (
        processor([[word]], is_split_into_words=True)["input_ids"] for word in ("paris", "Paris")
    )
    return bool(small != capital)


def capitals(subject: Subject, words: str, role: str) -> tuple[float, float]:
    """The share of words with a capital among those with a label, and among the others."""
    counts: Mapping[bool, list[int]] = {True: [0, 0], False: [0, 0]}
    for row in subject.rows:
        for word, tag in zip(row.values[words], row.values[role], strict=True):
            if word[:1].isalpha():
                counts[tag != OUTSIDE][0] += word[:1].isupper()
                counts[tag != OUTSIDE][1] += 1
    inside, outside = (part / total if total else 0.5 for part, total in counts.values())
    return inside, outside


def find_lowered_limits(subject: Subject) -> Iterator[Finding]:
    """Limits that are lower than their default, for the model reads no more."""
    before, now = subject.recipe.task.options, subject.task.options
    for name in (name for name in now.lengths if name in type(now).model_fields):
        if getattr(now, name) != getattr(before, name):
            yield Finding(
                "note",
                "limits",
                f"task.{name} is {getattr(now, name)} instead of {getattr(before, name)}: the model reads no "
                "more",
            )
