"""How answers are judged: by their task, or by the form that predictions and references have."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tunekit import metrics
from tunekit.comparison.sources import Source
from tunekit.errors import InputError, cut
from tunekit.metrics import Measure

KEYS = ("label", "labels", "value", "answer", "tags", "summary", "text")  # of an answer's comparable part
MOST_LABELS = 50  # different texts that may all be labels ...
FEWEST_EACH = 4  # ... if so many rows share each, on average
LONG = 12  # words from which on a text is no short answer


def comparable(source: Source, prediction: Any) -> Any:
    """The part of a prediction that is held against the reference."""
    if not isinstance(prediction, dict):
        return prediction
    if source.task is not None:
        try:
            return source.task.comparable(prediction)
        except (KeyError, TypeError, AttributeError):
            pass  # of another tool, or another kind of the task: by its keys
    found = next((prediction[key] for key in KEYS if key in prediction), None)
    if found is None:
        raise InputError(
            f"{source.file}: a prediction such as {cut(str(prediction))} has none of {', '.join(KEYS)}; "
            "write the answer itself as prediction, or name its task with --task"
        )
    return found


def measure_of(source: Source, predictions: Sequence[Any], references: Sequence[Any]) -> Measure:
    """What judges a source: its task's measure where the form of the answers is that measure's.

    Raises:
        InputError: the answers have no form that tunekit judges.
    """
    if source.task is not None:
        measure = source.task.measure
        fits = FORMS.get(measure.form)
        if has_scores(source) or fits is None or fits(predictions, references):
            return measure
    for form, fits in FORMS.items():
        if fits(predictions, references):
            return CHOICES[form](predictions, references)
    raise InputError(
        f"{source.file}: predictions such as {cut(repr(predictions[0]))} against {cut(repr(references[0]))} "
        "are no labels, numbers, tags or texts; name their task with --task"
    )


def are_numbers(predictions: Sequence[Any], references: Sequence[Any]) -> bool:
    """Whether both sides are numbers."""
    both = [*predictions, *references]
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in both)


def are_labels(predictions: Sequence[Any], references: Sequence[Any]) -> bool:
    """Whether both sides are texts of which the same few come again and again."""
    if not all(isinstance(value, str) for value in (*predictions, *references)):
        return False
    kinds = len({*predictions, *references})
    return kinds <= 2 or kinds <= min(MOST_LABELS, len(references) / FEWEST_EACH)


def are_lists(predictions: Sequence[Any], references: Sequence[Any]) -> bool:
    """Whether both sides are lists of texts."""
    both = (*predictions, *references)
    return all(isinstance(value, list) and all(isinstance(each, str) for each in value) for value in both)


def are_texts(predictions: Sequence[Any], references: Sequence[Any]) -> bool:
    """Whether predictions are texts, and references a text or several."""
    texts = all(isinstance(value, str) for value in predictions)
    return texts and all(isinstance(value, str | list) for value in references)


def for_lists(predictions: Sequence[Any], references: Sequence[Any]) -> Measure:
    """Tags of entities, labels of words, or sets of labels."""
    pairs = list(zip(predictions, references, strict=True))
    if any(len(a) != len(b) for a, b in pairs):
        return metrics.MULTILABEL
    marked = any(tag.startswith(("B-", "I-")) for tags in references for tag in tags)
    return metrics.ENTITIES if marked else metrics.WORDS


def for_texts(predictions: Sequence[Any], references: Sequence[Any]) -> Measure:
    """Short answers, or longer texts such as summaries."""
    firsts = [text for texts in map(several, references) for text in texts[:1]]
    words = sorted(len(text.split()) for text in firsts)
    return metrics.ROUGE if words and words[len(words) // 2] >= LONG else metrics.SQUAD


def several(reference: Any) -> list[Any]:
    """What is right, in a list where it is not in one."""
    return list(reference) if isinstance(reference, list) else [reference]


FORMS: Mapping[str, Callable[[Sequence[Any], Sequence[Any]], bool]] = {
    "number": are_numbers,
    "label": are_labels,
    "labels": are_lists,
    "texts": are_texts,
}
CHOICES: Mapping[str, Callable[[Sequence[Any], Sequence[Any]], Measure]] = {
    "number": lambda predictions, references: metrics.REGRESSION,
    "label": lambda predictions, references: metrics.CLASSIFICATION,
    "labels": for_lists,
    "texts": for_texts,
}


def has_scores(source: Source) -> bool:
    """Whether the statistics of every row are written down."""
    return all(isinstance(row.get("scores"), dict) for row in source.rows.values())
