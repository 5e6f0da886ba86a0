"""Forms of an answer to a whole input: one label, any number of labels, or a number.

A form knows the target of a row, the loss of a batch and the answer to an input. Tasks whose head gives one
row of logits for each window share them.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tunekit import metrics
from tunekit.tasks._constants import constant
from tunekit.tasks.base import Answer, Example, Outputs, Role, Task

HALF = 0.5  # the probability from which on a label is given where no threshold is known


class Form(ABC):
    """One form of answers, for a task that has the labels, the options and what was learned."""

    role: ClassVar[str]  # also the key of the answer
    column: ClassVar[Role]
    measure: ClassVar[metrics.Measure]
    problem_type: ClassVar[str]  # in the words of transformers' configurations

    def __init__(self, task: Task) -> None:
        self.task = task

    @abstractmethod
    def learn(self, rows: Sequence[Example]) -> dict[str, Any]:
        """What the training rows tell: the best `constant` answer, and the `weights` of labels."""

    @abstractmethod
    def target(self, example: Example) -> Any:
        """The label, labels or number of a row as an array."""

    @abstractmethod
    def loss(self, logits: Any, labels: Any) -> Any:
        """The mean loss over examples, shape (); logits have shape (examples, labels)."""

    @abstractmethod
    def outputs(self, logits: Any) -> Outputs:
        """What `decode` needs, with one row per example."""

    @abstractmethod
    def decode(self, outputs: Mapping[str, Any]) -> Answer:
        """The answer to one example."""

    def tune(self, answers: Sequence[Answer], references: Sequence[Any]) -> dict[str, Any]:
        """The settings with which `decide` scores best."""
        return {}

    def decide(self, answer: Answer) -> Answer:
        """The final answer."""
        return answer

    def probabilities(self, outputs: Mapping[str, Any]) -> dict[str, float]:
        """The probability of each label."""
        values = outputs["probabilities"].tolist()
        return {name: round(value, 6) for name, value in zip(self.task.labels, values, strict=True)}

    def weights(self, logits: Any) -> Any:
        """The weight of each label beside the logits, 1 where none is known; shape (labels,)."""
        known = self.task.learned.get("weights", {})
        return constant([known.get(label, 1.0) for label in self.task.labels], logits)


class OneLabel(Form):
    """Exactly one of the labels. A weight counts for the examples of its label."""

    role = "label"
    column = Role(
        "label",
        "label",
        ("labels", "sentiment", "class", "category", "target", "rating", "stars"),
        otherwise={
            "set": "for any number of labels a row set task.kind=multi-label",
            "number": "to predict numbers set task.kind=regression",
        },
    )
    measure = metrics.CLASSIFICATION
    problem_type = "single_label_classification"

    def learn(self, rows: Sequence[Example]) -> dict[str, Any]:
        counts = Counter(row["label"] for row in rows)
        auto = {label: len(rows) / (len(counts) * count) for label, count in counts.items()}
        constant = max(self.task.labels, key=lambda label: counts[label])
        return {"constant": constant, "weights": chosen_weights(self.task.options.class_weights, auto)}

    def target(self, example: Example) -> Any:
        return self.task.index[example["label"]]

    def loss(self, logits: Any, labels: Any) -> Any:
        from torch.nn.functional import cross_entropy

        smoothing = self.task.options.label_smoothing
        losses = cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing)
        return (self.weights(logits)[labels] * losses).mean()  # over examples: the same however they are cut

    def outputs(self, logits: Any) -> Outputs:
        return {"probabilities": logits.softmax(-1)}

    def decode(self, outputs: Mapping[str, Any]) -> Answer:
        best = int(outputs["probabilities"].argmax())
        return {"label": self.task.labels[best], "probabilities": self.probabilities(outputs)}


class AnyLabels(Form):
    """Any number of the labels, also none. A weight counts for the examples that have its label."""

    role = "labels"
    column = Role(
        "set",
        "labels",
        ("label", "categories", "tags", "topics", "classes"),
        otherwise={"label": "for one label a row set task.kind=multi-class"},
    )
    measure = metrics.MULTILABEL
    problem_type = "multi_label_classification"

    def learn(self, rows: Sequence[Example]) -> dict[str, Any]:
        counts = Counter(label for row in rows for label in row["labels"])
        auto = {label: (len(rows) - count) / count for label, count in counts.items() if count < len(rows)}
        usual = [label for label in self.task.labels if counts[label] > len(rows) / 2]
        constant = usual or [max(self.task.labels, key=lambda label: counts[label])]
        return {"constant": constant, "weights": chosen_weights(self.task.options.class_weights, auto)}

    def target(self, example: Example) -> Any:
        return np.array([self.task.index[label] for label in example["labels"]], np.int32)

    def loss(self, logits: Any, labels: Any) -> Any:
        from torch.nn.functional import binary_cross_entropy_with_logits

        smoothing = self.task.options.label_smoothing
        wanted = several_hot(labels, logits) * (1 - smoothing) + smoothing / 2
        return binary_cross_entropy_with_logits(logits, wanted, pos_weight=self.weights(logits))

    def outputs(self, logits: Any) -> Outputs:
        return {"probabilities": logits.sigmoid()}

    def decode(self, outputs: Mapping[str, Any]) -> Answer:
        probabilities = self.probabilities(outputs)
        return {"labels": above(probabilities, {}), "probabilities": probabilities}

    def tune(self, answers: Sequence[Answer], references: Sequence[Any]) -> dict[str, Any]:
        """A threshold for each label: the one with the best F1."""
        thresholds = {}
        for label in self.task.labels:
            probabilities = np.array([answer["probabilities"][label] for answer in answers])
            wanted = np.array([label in reference for reference in references])
            thresholds[label] = best_threshold(probabilities, wanted)
        return {"thresholds": thresholds}

    def decide(self, answer: Answer) -> Answer:
        """The labels whose probability reaches the threshold."""
        thresholds = self.task.decision.get("thresholds", {})
        return {**answer, "labels": above(answer["probabilities"], thresholds)}


class OneNumber(Form):
    """A number, by squared error."""

    role = "value"
    column = Role(
        "number",
        "score",
        ("value", "label", "similarity", "similarity_score", "rating", "stars", "target", "labels"),
        otherwise={
            "label": "for labels set task.kind=multi-class",
            "set": "for any number of labels a row set task.kind=multi-label",
        },
    )
    measure = metrics.REGRESSION
    problem_type = "regression"

    def learn(self, rows: Sequence[Example]) -> dict[str, Any]:
        return {"constant": float(np.mean([row["value"] for row in rows]))}

    def target(self, example: Example) -> Any:
        return np.float32(example["value"])

    def loss(self, logits: Any, labels: Any) -> Any:
        from torch.nn.functional import mse_loss

        return mse_loss(logits[:, 0], labels)

    def outputs(self, logits: Any) -> Outputs:
        return {"value": logits[:, 0]}

    def decode(self, outputs: Mapping[str, Any]) -> Answer:
        return {"value": round(float(outputs["value"]), 6)}


FORMS: dict[str, type[Form]] = {"multi-class": OneLabel, "multi-label": AnyLabels, "regression": OneNumber}


def chosen_weights(wanted: Any, auto: Mapping[str, float]) -> dict[str, float]:
    """The weights that a recipe asks for: none, `auto`, or its own."""
    return dict(auto) if wanted == "auto" else dict(wanted or {})


def several_hot(labels: Any, logits: Any) -> Any:
    """1 for each label of an example, else 0, shape (examples, labels); negative labels are padding."""
    examples, count = logits.shape
    places = labels.where(labels >= 0, count)  # padding goes to a column that is cut off
    return logits.new_zeros(examples, count + 1).scatter(1, places, 1.0)[:, :count]


def above(probabilities: Mapping[str, float], thresholds: Mapping[str, float]) -> list[str]:
    """The labels whose probability reaches their threshold."""
    return [label for label, value in probabilities.items() if value >= thresholds.get(label, HALF)]


def best_threshold(probabilities: NDArray[np.float64], wanted: NDArray[np.bool_]) -> float:
    """The threshold with the best F1; among equals the nearest to a half, which it is where nothing is known.

    It lies between the last probability that reaches it and the next one below.
    """
    if not wanted.any():
        return HALF
    order = np.argsort(-probabilities, kind="stable")
    last, below = probabilities[order], np.append(probabilities[order][1:], 0.0)
    f1 = 2 * np.cumsum(wanted[order]) / (np.arange(1, len(order) + 1) + wanted.sum())
    f1[:-1][last[:-1] == below[:-1]] = -1.0  # equals are on one side
    thresholds = np.where((below < HALF) & (last >= HALF), HALF, (last + below) / 2)
    return float(thresholds[np.lexsort((np.abs(thresholds - HALF), -f1))[0]])
