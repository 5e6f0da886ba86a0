"""Summarization: a short text that says what a long one says, written by the model."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from tunekit import metrics
from tunekit.metrics.rouge import sentences
from tunekit.tasks._guess import BY_NAME, Guess, Seen, limit_of
from tunekit.tasks._summaries import RUN, long_and_short, share_copied
from tunekit.tasks._writer import SHORTEST, Writer
from tunekit.tasks.base import Example, Role


class Summarization(Writer):
    """Write a summary of each document.

        document  "The committee met on Monday. After six hours it agreed to ..."
        summary   "The committee agreed on a budget."

    `summaries` may hold several references.
    """

    inputs = {
        "document": Role("text", "document", ("article", "text", "source", "dialogue", "body", "content"))
    }
    targets = {
        "summary": Role("text", "summary", ("highlights", "target", "abstract", "tldr", "headline")),
        "summaries": Role("texts", "summaries", ("references", "targets"), instead_of="summary"),
    }
    answer = "summary"
    pipeline_tag = "summarization"
    sample = {"document": "The committee met on Monday. After six hours it agreed on a budget."}

    class Options(Writer.Options):
        """Settings of summarization; training, evaluation and prediction write in the same way."""

        lengths = ("max_document", "max_summary")

        prefix: str = Field("", description="text before every document, such as T5's 'summarize: '")
        separator: str = Field(
            "\n\nSummary:", description="text between document and summary, for models that continue text"
        )
        max_document: int = Field(
            512, ge=SHORTEST, description="tokens that the model reads, prefix included"
        )
        max_summary: int = Field(128, ge=2, description="tokens of a summary, learned or written")
        lead: int = Field(3, ge=1, description="first sentences that the baseline takes for a summary")

    options: Options

    @classmethod
    def likelihood(cls, seen: Seen) -> Guess | None:
        """A column of long texts, and one of short texts that do not repeat."""
        roles = {**cls.inputs, **cls.targets}
        found = long_and_short(seen, roles) if seen.knows(roles) else None
        if found is None:
            return None
        document, (role, summary) = found
        called = {
            "document": document.called(roles["document"].names),
            role: summary.called(roles[role].names),
        }
        read, wrote = limit_of([document], 512), limit_of([summary], 256, 32)
        several = seen.find("summaries", roles["summaries"], [document, summary])
        columns = {"document": document.name, role: summary.name}
        columns |= {"summaries": several.name} if several and several.items is not None else {}
        why = f"{document.name!r} holds {document.describe()}, and {summary.name!r} {summary.describe()}"
        return Guess(
            BY_NAME[sum(2 if name in seen.given else how for name, how in called.items()) // 2],
            columns,
            why,
            lengths={"max_document": read[0], "max_summary": wrote[0]},
            notes={"max_document": read[1], "max_summary": wrote[1]},
        )

    @classmethod
    def judged_by(cls, options: Options) -> metrics.Measure:
        return metrics.ROUGE

    def prompt(self, example: Example) -> str:
        return self.options.prefix + str(example["document"])

    def reference(self, example: Example) -> list[str]:
        return list(example["summaries"]) if "summaries" in example else [example["summary"]]

    def baselines(self, rows: Sequence[Example]) -> dict[str, list[Any]]:
        count = self.options.lead
        return {f"lead{count}": [" ".join(sentences(row["document"])[:count]) for row in rows]}

    def traits(self, example: Example, said: Any, reference: Any) -> Mapping[str, float]:
        """How long a summary is beside the first right one, and how much of it stands in its document."""
        written, wanted = said.split(), reference[0].split()
        return {
            "length, as a share of the reference's": len(written) / len(wanted),
            f"share of runs of {RUN} words that the document has": share_copied(said, example["document"]),
        }
