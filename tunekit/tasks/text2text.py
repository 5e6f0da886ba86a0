"""Text to text: what can be written as one text for another, such as answers, corrections or rewritings."""

import string
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from pydantic import Field, field_validator

from tunekit import metrics
from tunekit.tasks._guess import Guess, Seen
from tunekit.tasks._pairs import input_and_output
from tunekit.tasks._writer import SHORTEST, Writer
from tunekit.tasks.base import Example, Role

FIELDS = ("input", "context")


class Text2Text(Writer):
    """Write the output that belongs to each input, which a context may help to find.

        input    "Where did Ada go?"
        context  "Ada went to Paris, and Bob to Rome."
        output   "Paris"

    An output may be a text, a list of right ones, or answers as SQuAD has them.
    """

    inputs = {
        "input": Role("text", "input", ("source", "question", "prompt", "instruction", "query", "text")),
        "context": Role("text", "context", ("passage", "paragraph"), needed=False, blank=True),
    }
    targets = {
        "output": Role(
            "answers",
            "output",
            ("outputs", "target", "targets", "answer", "answers", "completion", "response"),
        )
    }
    answer = "output"
    wording = "task.template and task.separator"
    pipeline_tag = "text-generation"
    sample = {"input": "Where did Ada go?", "context": "Ada went to Paris, and Bob to Rome."}

    class Options(Writer.Options):
        """Settings of text to text; training, evaluation and prediction write in the same way."""

        lengths = ("max_input", "max_output")

        template: str = Field(
            "",
            description="how {input} and {context} are put together, such as 'question: {input} context: "
            "{context}'; by default the input, and the context below it where there is one",
        )
        separator: str = Field(
            "\n\nOutput:", description="text between input and output, for models that continue text"
        )
        max_input: int = Field(512, ge=SHORTEST, description="tokens that the model reads, template included")
        max_output: int = Field(64, ge=2, description="tokens of an output, learned or written")

        @field_validator("template")
        @classmethod
        def names_fields(cls, template: str) -> str:
            """A template that names the input, and no other field than it may."""
            if template and (wrong := wrong_with(template)):
                raise ValueError(wrong)
            return template

    options: Options

    @classmethod
    def inputs_for(cls, options: Options) -> dict[str, Role]:
        """A context is needed by a template that names it, and of no use to one that does not."""
        named = "{context}" in options.template
        context = replace(cls.inputs["context"], needed=named, blank=not named)
        return {"input": cls.inputs["input"]} | (
            {"context": context} if named or not options.template else {}
        )

    @classmethod
    def likelihood(cls, seen: Seen) -> Guess | None:
        """Two columns of texts that are called as input and output are, and nothing beside them."""
        return input_and_output(seen, {**cls.inputs, **cls.targets})

    @classmethod
    def check(cls, options: Options, example: dict[str, Any]) -> Iterator[str]:
        if not example["output"]["text"]:
            yield "there is no output; write what is right, such as 'no answer', or leave the row out"

    @classmethod
    def judged_by(cls, options: Options) -> metrics.Measure:
        return metrics.TEXTS

    def prompt(self, example: Example) -> str:
        usual = "{input}\n\n{context}" if example.get("context") else "{input}"
        return (self.options.template or usual).format_map({"context": "", **example})

    def reference(self, example: Example) -> list[str]:
        return list(example["output"]["text"])

    def baselines(self, rows: Sequence[Example]) -> dict[str, list[Any]]:
        return {"copy": [row["input"] for row in rows]}


def wrong_with(template: str) -> str:
    """What is wrong with a template; empty where nothing is."""
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        return f"is no template ({error}); write braces that stand for themselves twice"
    names = [name for _, name, _, _ in parts if name is not None]
    if plain := [name for _, name, how, turned in parts if name is not None and (how or turned)]:
        return f"says how to write {plain[0]!r}; name the field alone, as {{{FIELDS[0]}}}"
    if other := [name for name in names if name not in FIELDS]:
        return f"names {{{other[0]}}}; there are {{input}} and {{context}}"
    if "input" not in names:
        return "does not name {input}, which is what is asked; add it"
    if parts[-1][1] is None:
        return (
            "goes on behind its last field, where long texts are cut; set task.separator to what comes there"
        )
    return ""
