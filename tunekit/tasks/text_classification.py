"""Text classification: labels or a number for a text or a pair of texts: sentiment, topics, similarity."""

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from tunekit import metrics
from tunekit.errors import InputError, listing, nearest
from tunekit.tasks import _plain
from tunekit.tasks._encodings import between
from tunekit.tasks._forms import FORMS
from tunekit.tasks._guess import BY_NAME, Column, Guess, Seen, limit_of
from tunekit.tasks._targets import KIND_OF, NAMES, Target, targets
from tunekit.tasks.base import (
    Answer,
    Corrected,
    Example,
    Inputs,
    Model,
    Outputs,
    Role,
    Task,
    Window,
    encodings,
)

FEW_WORDS = 4  # below which texts are names and the like, and no second text
MOST_FRACTIONS = 20  # labels such as 4.5, of which there may be a few among ratings


def auto_or_weights(value: Any) -> Any:
    """Accept auto, or positive numbers by label."""
    if value is None or value == "auto":
        return value
    weights = {str(k): weight_of(v) for k, v in value.items()} if isinstance(value, Mapping) else {}
    if not weights or not all(weights.values()):
        raise ValueError("give auto, or a positive number for each label, such as {good: 1, bad: 2.5}")
    return weights


def weight_of(value: Any) -> float:
    """A positive number, also as a recipe writes it; 0 for anything else."""
    try:
        weight = float(value)
    except (TypeError, ValueError):
        return 0.0
    return weight if 0 < weight < float("inf") else 0.0


class TextClassification(Task):
    """Say of each text, or pair of texts, which of the training's labels it has, or a number.

        text   "A gorgeous, witty, seductive movie."
        label  "positive"

    `task.kind` says what is asked: one label (multi-class), any number of them (multi-label), or a number
    (regression). Texts longer than `max_length` tokens are cut, of a pair the longer one first, and the share
    of such rows is reported.
    """

    heads = ("AutoModelForSequenceClassification",)
    inputs = {
        "text": Role(
            "text",
            "text",
            (
                *("sentence", "review", "content", "body", "comment", "tweet", "document"),
                *("premise", "sentence1", "question1", "text_a", "text1"),
            ),
        ),
        "pair": Role(
            "text",
            "pair",
            ("text_pair", "hypothesis", "sentence2", "question2", "text_b", "text2"),
            needed=False,
        ),
    }
    targets = {"label": FORMS["multi-class"].column}
    labels_from = "label"
    pipeline_tag = "text-classification"

    class Options(Task.Options):
        """Settings of text classification."""

        kind: Literal["multi-class", "multi-label", "regression"] = Field(
            "multi-class", description="what is asked of a text: one label, any number of labels, or a number"
        )
        max_length: int = Field(
            512, ge=4, description="tokens that the model reads of a text, or of both texts of a pair"
        )
        class_weights: Annotated[
            Literal["auto"] | dict[str, float] | None, BeforeValidator(auto_or_weights)
        ] = Field(
            None,
            description="weights of labels in the loss: auto for rare labels to weigh as much as frequent "
            "ones, or a weight by label (1 where none is given)",
        )
        label_smoothing: float = Field(
            0.0, ge=0, lt=1, description="share of the target that goes to the other answers"
        )
        label_separator: str | None = Field(
            None, min_length=1, description="what parts labels that are one text, as in csv (multi-label)"
        )

        @model_validator(mode="after")
        def suit_the_kind(self) -> Self:
            for name in ("class_weights", "label_smoothing") if self.kind == "regression" else ():
                if getattr(self, name):
                    raise ValueError(f"{name} is for labels, and regression has none; remove it")
            if self.label_separator is not None and self.kind != "multi-label":
                raise ValueError(f"label_separator is for kind: multi-label, not {self.kind}; remove it")
            return self

    options: Options

    def __init__(
        self, options: Any, processor: Any, labels: Sequence[str] = (), head: str | None = None
    ) -> None:
        super().__init__(options, processor, labels, head)
        self.form = FORMS[options.kind](self)
        weights = options.class_weights
        unknown = [name for name in weights if name not in self.index] if isinstance(weights, dict) else []
        if self.labels and unknown:
            raise InputError(
                f"task.class_weights names {unknown[0]!r}, which is no label{nearest(unknown[0], labels)}; "
                f"the labels are {listing(labels)}: correct the name"
            )

    @classmethod
    def likelihood(cls, seen: Seen) -> Guess | None:
        """A column of texts, perhaps another beside it, and one whose values can be asked."""
        if not seen.knows([*cls.inputs, *KIND_OF]):
            return None
        texts = texts_in(seen, cls.inputs)
        found = targets(seen, list(texts.values()))
        return guess_of(texts, found, cls.inputs, seen.given) if texts and found else None

    @classmethod
    def judged_by(cls, options: Options) -> metrics.Measure:
        return FORMS[options.kind].measure

    @classmethod
    def targets_for(cls, options: Options) -> dict[str, Role]:
        form = FORMS[options.kind]
        return {form.role: form.column.parted(options.label_separator)}

    @classmethod
    def label_role(cls, options: Options) -> str | None:
        return None if options.kind == "regression" else FORMS[options.kind].role

    @classmethod
    def all_labels(cls, options: Options, labels: Sequence[str], roles: Container[str]) -> list[str]:
        """The labels of training.

        Raises:
            InputError: they are many different fractions, as a csv file of scores gives them.
        """
        number = re.compile(r"-?\d+(\.\d+)?")
        fractions = [label for label in labels if "." in label and number.fullmatch(label)]
        if len(fractions) > MOST_FRACTIONS and all(map(number.fullmatch, labels)):
            raise InputError(
                f"training has {len(labels):,} labels, all of them numbers, such as {listing(fractions, 3)}; "
                "to predict numbers set task.kind=regression, or name the labels by data.columns.label"
            )
        return list(labels)

    @classmethod
    def check(cls, options: Options, example: dict[str, Any]) -> Iterator[str]:
        """Drop labels that a row has twice."""
        labels = example.get("labels", [])
        once = list(dict.fromkeys(labels))
        if len(once) < len(labels):
            example["labels"] = once
            yield Corrected(f"labels {listing(labels)} are not all different; each counts once")

    def learn(self, rows: Sequence[Example]) -> dict[str, Any]:
        return self.form.learn(rows)

    def encode(self, example: Example) -> Iterator[Window]:
        texts = [[example["text"]]]
        if "pair" in example:
            texts.append([self.separator + example["pair"]])
        encoded = self.processor(*texts, truncation=True, max_length=self.options.max_length)
        for inputs, encoding in encodings(self.processor, encoded):
            yield Window(inputs, cut=bool(encoding.overflowing))

    @cached_property
    def separator(self) -> str:
        """What stands between two texts where the tokenizer puts no token there."""
        return between(self.processor)

    def target(self, example: Example, window: Window) -> dict[str, Any]:
        return {"labels": self.form.target(example)}

    def count(self, inputs: Inputs) -> int:
        """One target a text, whatever its form."""
        return 1

    def loss(self, model: Model, inputs: Inputs) -> Any:
        given = {key: value for key, value in inputs.items() if key != "labels"}
        return self.form.loss(model(**given).logits.float(), inputs["labels"])

    def predict(self, model: Model, inputs: Inputs) -> Outputs:
        return self.form.outputs(model(**inputs).logits.float())

    def decode(self, example: Example, windows: Sequence[Window]) -> Answer:
        return self.form.decode(windows[0].outputs)

    def tune(self, answers: Sequence[Answer], references: Sequence[Any]) -> dict[str, Any]:
        return self.form.tune(answers, references)

    def decide(self, answer: Answer) -> Answer:
        return self.form.decide(answer)

    def comparable(self, answer: Answer) -> Any:
        return answer[self.form.role]

    def reference(self, example: Example) -> Any:
        return example[self.form.role]

    def baselines(self, rows: Sequence[Example]) -> dict[str, list[Any]]:
        """The answer that suits most of the training rows, given to every row."""
        if "constant" not in self.learned:
            return {}
        name = "majority" if self.labels else "constant"
        return {name: [self.learned["constant"]] * len(rows)}

    def model_options(self) -> dict[str, Any]:
        outputs = super().model_options() or {"num_labels": 1}
        return {**outputs, "problem_type": self.form.problem_type}

    def plain_code(self, model: str) -> str:
        given: Any = "Ada went to Paris."
        if "pair" in self.given:
            given = {"text": given, "text_pair": f"{self.separator}Ada was in Paris."}
        script = _plain.LABELS if self.form.role == "labels" else _plain.LABEL
        return _plain.code(script, model, given=_plain.literal(given), max_length=self.options.max_length)


def texts_in(seen: Seen, roles: Mapping[str, Role]) -> dict[str, Column]:
    """The column of texts, by its name or the longest texts, and one that makes pairs with it."""
    text = seen.find("text", roles["text"]) or next(iter(seen.texts()), None)
    if text is None:
        return {}
    pair = seen.find("pair", roles["pair"], [text])
    others = [column for column in seen.texts([text]) if column.usual_words >= FEW_WORDS]
    if pair is None:
        pair = next((column for column in others if are_pair(text.name, column.name)), None)
    nameless = "text" not in seen.given and text.called(roles["text"].names) == 0
    if pair is None and nameless and len(others) == 1:
        text, pair = (column for column in seen.columns if column in (text, others[0]))
    return {"text": text} | ({"pair": pair} if pair else {})


def are_pair(first: str, second: str) -> bool:
    """Whether two names differ in nothing but that one ends in 1 or a, and the other in 2 or b."""
    endings = (first[-1:].lower(), second[-1:].lower())
    return first[:-1] == second[:-1] and endings in (("1", "2"), ("a", "b"))


def guess_of(
    texts: Mapping[str, Column], found: Sequence[Target], roles: Mapping[str, Role], given: Container[str]
) -> Guess:
    """What a recipe would say of texts and the likeliest of what could be asked of them."""
    target, *others = found
    role, called = target.form.role, target.column.called(NAMES)
    rivals = [other for other in others if other.column.called(NAMES) == called < 2]
    named = listing(repr(each.column.name) for each in (target, *rivals))
    strengths = {"text": texts["text"].called(roles["text"].names), role: called}
    strength = sum(2 if name in given else how for name, how in strengths.items()) // 2
    limit, said = limit_of(texts.values(), 512)
    which = f"columns {named} could each be what is asked; choose with --column {role}=NAME"
    if all(each.column.distinct == 2 for each in (target, *rivals)):
        which += ", or write the names of those that are true into one, as a;b;c"
    held = " and ".join(f"{column.name!r} holds {column.describe()}" for column in texts.values())
    return Guess(
        BY_NAME[strength],
        {**{name: column.name for name, column in texts.items()}, role: target.column.name},
        f"{held}; {target.column.name!r} has {target.why}",
        options=({} if target.kind == "multi-class" else {"kind": target.kind}) | {**target.options},
        lengths={"max_length": limit},
        notes={"max_length": said, role: target.why},
        obstacle=target.obstacle or (which if rivals else None),
    )
