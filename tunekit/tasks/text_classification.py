"""Text classification: one label for a text, such as its sentiment or its topic."""

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import Field

from tunekit import metrics
from tunekit.tasks.base import Answer, Example, Inputs, Model, Outputs, Role, Task, Window, encodings


class TextClassification(Task):
    """Give each text one of the labels that occur in training.

        text   "A gorgeous, witty, seductive movie."
        label  "positive"

    A text longer than `max_length` tokens is cut, and the share of such texts is reported.
    """

    heads = ("AutoModelForSequenceClassification",)
    inputs = {
        "text": Role(
            "text", "text", ("sentence", "review", "content", "body", "comment", "tweet", "document")
        )
    }
    targets = {
        "label": Role(
            "label", "label", ("labels", "sentiment", "class", "category", "target", "rating", "stars")
        )
    }
    labels_from = "label"

    class Options(Task.Options):
        """Settings of text classification."""

        max_length: int = Field(512, ge=4, description="tokens that the model reads of a text")

    options: Options

    @classmethod
    def judged_by(cls, options: Options) -> metrics.Measure:
        return metrics.CLASSIFICATION

    def encode(self, example: Example) -> Iterator[Window]:
        encoded = self.processor([example["text"]], truncation=True, max_length=self.options.max_length)
        for inputs, encoding in encodings(self.processor, encoded):
            yield Window(inputs, cut=bool(encoding.overflowing))

    def target(self, example: Example, window: Window) -> dict[str, Any]:
        return {"labels": self.index[example["label"]]}

    def predict(self, model: Model, inputs: Inputs) -> Outputs:
        return {"probabilities": model(**inputs).logits.float().softmax(-1)}  # (windows, labels)

    def decode(self, example: Example, windows: Sequence[Window]) -> Answer:
        probabilities = windows[0].outputs["probabilities"].tolist()
        best = max(range(len(probabilities)), key=probabilities.__getitem__)
        return {
            "label": self.labels[best],
            "probabilities": {name: round(p, 6) for name, p in zip(self.labels, probabilities, strict=True)},
        }

    def comparable(self, answer: Answer) -> str:
        return str(answer["label"])

    def model_options(self) -> dict[str, Any]:
        return {**super().model_options(), "problem_type": "single_label_classification"}

    def reference(self, example: Example) -> str:
        return str(example["label"])
