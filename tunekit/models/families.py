"""What the families of models can do: which has a head for which task."""

from collections.abc import Iterator, Mapping
from typing import Any

from tunekit import tasks
from tunekit.errors import InputError, listing
from tunekit.tasks.base import Task

OF_TEXTS = (
    "AutoModelForMaskedLM",
    "AutoModelForSeq2SeqLM",
    "AutoModelForCausalLM",
)  # who has one reads texts
FAMILIES = (  # that every task is tested with, by what a configuration calls its model type
    "bert",
    "roberta",
    "distilbert",
    "electra",
    "deberta-v2",
    "modernbert",
    "gpt2",
    "llama",
    "qwen3",
    "t5",
    "mt5",
    "bart",
    "mbart",
    "marian",
    "m2m_100",
    "vit",
    "swin",
    "convnext",
    "dinov2",
)


def find_head(name: str, config: Any, kind: type[Task]) -> str:
    """The head that a checkpoint's family has for the task.

    Raises:
        InputError: it has none; says what it can do.
    """
    head = head_of(type(config), kind)
    if head is None:
        able = list(able_tasks(config))
        asked = next(each for each in tasks.every() if tasks.find(each) is kind)
        raise InputError(
            f"model {name!r} ({config.model_type}) has no head for {asked}; "
            f"it can do {listing(able) if able else 'no task of tunekit'}; choose another checkpoint or task"
        )
    return head


def classes(head: str) -> Mapping[type, Any]:
    """The model classes behind an Auto class, by configuration class."""
    import transformers

    return getattr(transformers, head)._model_mapping  # type: ignore[no-any-return]


def head_of(config: type, kind: type[Task]) -> str | None:
    """The first of a task's heads that a family has.

    A family that reads in both directions can fill a mask, or has a decoder for what it writes, and cannot
    continue a text, whatever classes it has for that. Every family has a body, of texts or of something else.
    """
    for head in kind.heads:
        both_ways = head == "AutoModelForCausalLM" and reads_both_ways(config)
        if config in classes(head) and not both_ways and (head != "AutoModel" or says_texts(config)):
            return head
    return None


def says_texts(config: type) -> bool:
    """Whether a family's body reads texts, and says something of them before it writes any."""
    writes_alone = config in classes("AutoModelForSeq2SeqLM") and not any(
        config in classes(head) for head in ("AutoModelForMaskedLM", "AutoModelForSequenceClassification")
    )
    return any(config in classes(head) for head in OF_TEXTS) and not writes_alone


def reads_both_ways(config: type) -> bool:
    """Whether a family's models see what comes after a word as well as what comes before it."""
    return any(config in classes(head) for head in ("AutoModelForMaskedLM", "AutoModelForSeq2SeqLM"))


def continues(config: type) -> bool:
    """Whether a family only reads from left to right, so that the last token knows all others."""
    both_ways = (*OF_TEXTS[:2], "AutoModelForTextEncoding")
    return config in classes("AutoModelForCausalLM") and not any(config in classes(e) for e in both_ways)


def able_tasks(config: Any) -> Iterator[str]:
    """The tasks that a checkpoint's family has heads for."""
    for name in tasks.every():
        if head_of(type(config), tasks.find(name)):
            yield name


def table() -> dict[str, dict[str, str | None]]:
    """For each family and task the head that is used, or None where the family cannot do the task."""
    from transformers import CONFIG_MAPPING

    kinds = {name: tasks.find(name) for name in tasks.every()}
    return {
        family: {name: head_of(CONFIG_MAPPING[family], kind) for name, kind in kinds.items()}
        for family in FAMILIES
    }
