"""What a task is: the one thing that tells a kind of fine-tuning from another.

An example travels out and back:

    example --encode--> windows --collate--> inputs --predict--> outputs --decode--> answer
       |                   ^                                                            |
       +------target-------+ (training only)                                            v
       +------reference-------------------------------------------------------------> score

The engine drives this and knows nothing else about a task.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict

from tunekit import metrics
from tunekit.errors import InputError

Example = Mapping[str, Any]  # one row of the data, keyed by role
Inputs = Mapping[str, Any]  # a batch for the model; tensors of shape (windows, ...)
Outputs = dict[str, Any]  # what `predict` returns; tensors with one row per window
Model = Any  # a transformers model with this task's head
Answer = Any  # what a task says of an example; JSON-ready, and in words, never in indices

IGNORE = -100  # a label that every transformers loss skips


@dataclass
class Window:
    """One model input cut from an example. Most examples give one window; long ones give several."""

    inputs: dict[str, Any]  # for the model: padded and batched by `data.batches.collate`
    notes: dict[str, Any] = field(default_factory=dict)  # for `target` and `decode`, never for the model
    outputs: dict[str, Any] = field(default_factory=dict)  # the window's row of `predict`, as numpy arrays
    cut: bool = False  # a part of the example is in no window


@dataclass(frozen=True)
class Role:
    """What a column is for: its kind, the column it is usually called, and other common names."""

    kind: Literal["text", "words", "label", "labels"]
    column: str
    synonyms: tuple[str, ...] = ()


class Task(ABC):
    """One kind of fine-tuning. A subclass declares its head and columns and fills in five methods."""

    auto_model: ClassVar[str]  # the head, by the name of its Auto class in transformers
    auto_processor: ClassVar[str] = "AutoTokenizer"
    processor_options: ClassVar[dict[str, Any]] = {}
    inputs: ClassVar[dict[str, Role]]  # what is given
    targets: ClassVar[dict[str, Role]] = {}  # what is asked
    labels_from: ClassVar[str | None] = None  # the role whose values are the label set

    class Options(BaseModel):
        """The settings that a recipe may give under `task:`."""

        model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

        def fitted(self, limit: int | None) -> Self:
            """These options for a model that reads at most `limit` tokens.

            Raises:
                InputError: the user asked for more than the model reads.
            """
            length = getattr(self, "max_length", None)
            if limit is None or length is None or length <= limit:
                return self
            if "max_length" in self.model_fields_set:
                raise InputError(
                    f"task.max_length is {length}, but the model reads at most {limit} tokens; lower it"
                )
            return self.model_copy(update={"max_length": limit})

    options: Any

    def __init__(self, options: Any, processor: Any, labels: Sequence[str] = ()) -> None:
        self.options, self.processor, self.labels = options, processor, list(labels)
        self.index = {label: i for i, label in enumerate(self.labels)}

    @classmethod
    @abstractmethod
    def judged_by(cls, options: Any) -> metrics.Measure:
        """The metrics that judge this task: one of `tunekit.metrics`, or one of the task's own."""

    @classmethod
    def check(cls, options: Any, example: Example) -> Iterator[str]:
        """Say what is wrong with a row that has its targets. By default nothing."""
        yield from ()

    @abstractmethod
    def encode(self, example: Example) -> Iterable[Window]:
        """Cut the given part of an example into windows. Targets are absent."""

    @abstractmethod
    def target(self, example: Example, window: Window) -> dict[str, Any]:
        """The model inputs that teach it the answer: `labels`, or whatever the head is trained on."""

    @abstractmethod
    def predict(self, model: Model, inputs: Inputs) -> Outputs:
        """Run the model on a batch, and keep what `decode` needs."""

    @abstractmethod
    def decode(self, example: Example, windows: Sequence[Window]) -> Answer:
        """Turn the outputs for all windows of one example into its answer."""

    @abstractmethod
    def reference(self, example: Example) -> Any:
        """The right answer, from the row itself and not from its encoding: truncation costs points."""

    def comparable(self, answer: Answer) -> Any:
        """The part of an answer that is held against the reference."""
        return answer

    @property
    def measure(self) -> metrics.Measure:
        """The metrics that judge this task with its options."""
        return self.judged_by(self.options)

    def score(self, answer: Answer, reference: Any) -> metrics.Statistics:
        """One example's statistics, which add up over examples."""
        return self.measure.score(self.comparable(answer), reference)

    def summarize(self, totals: metrics.Totals) -> metrics.Metrics:
        """The metrics of any set, or resamples, of examples from the sums of their statistics."""
        return self.measure.summarize(totals)

    def loss(self, model: Model, inputs: Inputs) -> Any:
        """The mean loss over the `count` targets of a batch, shape ()."""
        return model(**inputs).loss

    def count(self, inputs: Inputs) -> int:
        """How many targets the loss of one window's inputs is a mean over; weighs micro-batches fairly."""
        return int((np.asarray(inputs["labels"]) != IGNORE).sum())

    def model_options(self) -> dict[str, Any]:
        """What the model's configuration must know: by default, the label names."""
        return {"id2label": dict(enumerate(self.labels)), "label2id": dict(self.index)} if self.labels else {}


def encodings(processor: Any, encoded: Any) -> list[tuple[dict[str, Any], Any]]:
    """Pair each window of a fast tokenizer's result with its alignment: `[(inputs, encoding), ...]`.

    Words of the text that are spelled like a special token (`</s>`) become unknown ones: models trust that
    those tokens mean what they mean.
    """
    keys = [key for key in encoded if key != "overflow_to_sample_mapping"]
    special = set(processor.all_special_ids) - {processor.unk_token_id}
    pairs = []
    for number, encoding in enumerate(encoded.encodings):
        inputs = {key: list(encoded[key][number]) for key in keys}
        for place, added in enumerate(encoding.special_tokens_mask):
            if not added and encoding.ids[place] in special:
                inputs["input_ids"][place] = processor.unk_token_id
        pairs.append((inputs, encoding))
    return pairs
