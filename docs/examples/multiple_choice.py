"""Multiple choice: which of a few possible endings belongs to a context."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from pydantic import Field

from tunekit import metrics
from tunekit.tasks.base import Answer, Example, Inputs, Model, Outputs, Role, Task, Window, encodings


def score(prediction: int, reference: int) -> metrics.Statistics:
    """One row, and whether it is right."""
    return {"rows": 1.0, "right": float(prediction == reference)}


def summarize(totals: metrics.Totals) -> metrics.Metrics:
    """The share of right rows."""
    return {"accuracy": totals["right"] / totals["rows"]}


ACCURACY = metrics.Measure("choice", score, summarize, ("accuracy",), ("accuracy",), form="number")


class MultipleChoice(Task):
    """Choose the ending that belongs to a context.

    context  "Ada opened her umbrella because"
    endings  ["it was raining.", "the soup was cold."]
    answer   0
    """

    heads = ("AutoModelForMultipleChoice",)
    inputs = {
        "context": Role("text", "context", ("ctx", "premise")),
        "endings": Role("texts", "endings", ("choices", "options")),
    }
    targets = {"answer": Role("number", "label", ("answer",))}

    class Options(Task.Options):
        """Settings of multiple choice."""

        choices: int = Field(4, ge=2, description="endings of every row with an answer")
        max_length: int = Field(128, ge=8, description="tokens that are read of a context with an ending")

    options: Options

    @classmethod
    def judged_by(cls, options: Options) -> metrics.Measure:
        return ACCURACY

    @classmethod
    def check(cls, options: Options, example: dict[str, Any]) -> Iterator[str]:
        count, answer = len(example["endings"]), example["answer"]
        if count != options.choices:
            yield f"{count} endings, but every row must have {options.choices}; mend it or set task.choices"
        if answer not in range(count):
            yield f"answer {answer:g} is the number of no ending, which go from 0 to {count - 1}"

    def encode(self, example: Example) -> Iterator[Window]:
        contexts = [example["context"]] * len(example["endings"])
        limits = {"truncation": True, "max_length": self.options.max_length, "padding": True}
        pairs = encodings(self.processor, self.processor(contexts, example["endings"], **limits))
        inputs = {key: [each[key] for each, _ in pairs] for key in pairs[0][0]}  # (choices, tokens)
        yield Window(inputs, cut=any(encoding.overflowing for _, encoding in pairs))

    def target(self, example: Example, window: Window) -> dict[str, Any]:
        return {"labels": int(example["answer"])}

    def predict(self, model: Model, inputs: Inputs) -> Outputs:
        return {"scores": model(**inputs).logits.float()}  # (windows, choices)

    def decode(self, example: Example, windows: Sequence[Window]) -> Answer:
        endings = example["endings"]
        scores = windows[0].outputs["scores"][: len(endings)]  # a longer list may be in the same batch
        powers = np.exp(scores - scores.max())
        return {
            "ending": endings[int(scores.argmax())],
            "number": int(scores.argmax()),
            "probabilities": [round(float(p), 6) for p in powers / powers.sum()],
        }

    def comparable(self, answer: Answer) -> int:
        return int(answer["number"])

    def reference(self, example: Example) -> int:
        return int(example["answer"])

    def baselines(self, rows: Sequence[Example]) -> dict[str, list[Any]]:
        return {"longest": [int(np.argmax([len(text) for text in row["endings"]])) for row in rows]}
