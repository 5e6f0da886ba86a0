"""Summarization: a short text that says what a long one says, written by the model."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tunekit import metrics
from tunekit.errors import InputError
from tunekit.metrics.rouge import sentences
from tunekit.tasks import _plain
from tunekit.tasks._guess import BY_NAME, Guess, Seen, limit_of
from tunekit.tasks._summaries import RUN, long_and_short, share_copied
from tunekit.tasks._writing import write, written_logits
from tunekit.tasks.base import (
    IGNORE,
    Answer,
    Damage,
    Example,
    Inputs,
    Model,
    Outputs,
    Role,
    Task,
    Window,
    encodings,
)

CONTINUES = "AutoModelForCausalLM"
KEPT = (
    "decoder_start_token_id",
    "forced_bos_token_id",
    "bos_token_id",
)  # of a checkpoint's generation settings
SHORTEST = 8  # tokens of a document that are worth reading


class Summarization(Task):
    """Write a summary of each document.

        document  "The committee met on Monday. After six hours it agreed to ..."
        summary   "The committee agreed on a budget."

    An encoder-decoder reads `prefix` and the document, and writes. A decoder alone continues the text that
    `prefix`, document and `separator` make, and learns nothing but the summary from it. `summaries` may hold
    several references: the scores then take the nearest.
    """

    heads = ("AutoModelForSeq2SeqLM", CONTINUES)
    inputs = {
        "document": Role("text", "document", ("article", "text", "source", "dialogue", "body", "content"))
    }
    targets = {
        "summary": Role("text", "summary", ("highlights", "target", "abstract", "tldr", "headline")),
        "summaries": Role("texts", "summaries", ("references", "targets"), instead_of="summary"),
    }
    pipeline_tag = "summarization"

    class Options(Task.Options):
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
        beams: int = Field(1, ge=1, description="beam width when writing")
        length_penalty: float = Field(1.0, description="above 1 favours long summaries among beams")
        no_repeat: int = Field(0, ge=0, description="no run of so many tokens is written twice; 0 allows any")
        lead: int = Field(3, ge=1, description="first sentences that the baseline takes for a summary")

        def fitted(self, limit: int | None, head: str) -> Self:
            if limit is None:
                return self
            given, together = self.model_fields_set, head == CONTINUES
            summary = self.max_summary if "max_summary" in given else min(self.max_summary, limit // 4)
            room = limit - summary if together else limit
            document = self.max_document if "max_document" in given else min(self.max_document, room)
            if document > room or room < SHORTEST or summary > limit:
                lengths = f"task.max_document is {self.max_document} and task.max_summary {self.max_summary}"
                where = "for both together" if together else "for each"
                raise InputError(f"{lengths}, but the model has {limit} tokens {where}; lower them")
            return self.model_copy(update={"max_document": document, "max_summary": summary})

        def limits(self) -> Iterator[str]:
            read, written = f"{self.max_document:,}", f"{self.max_summary:,}"
            yield f"It reads at most {read} tokens of a document, and writes at most {written}."

    options: Options

    def __init__(
        self, options: Any, processor: Any, labels: Sequence[str] = (), head: str | None = None
    ) -> None:
        super().__init__(options, processor, labels, head)
        if processor is None:
            return
        around = len(self.plain(options.prefix)) + len(self.separator)
        if options.max_document - around < SHORTEST:
            raise InputError(
                f"task.prefix and task.separator take {around} of the {options.max_document} tokens of "
                "task.max_document, which leaves no room for a document; shorten them, or raise it"
            )

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

    @classmethod
    def lacks(cls, processor: Any, head: str) -> Iterator[str]:
        if processor.eos_token_id is None:
            yield "its tokenizer has no end token, so no summary would ever end; choose another checkpoint"

    def encode(self, example: Example) -> Iterator[Window]:
        room = self.options.max_document - len(self.separator)
        text = self.options.prefix + example["document"]
        encoded = self.processor([text], truncation=True, max_length=room)
        for inputs, encoding in encodings(self.processor, encoded):
            ids = inputs["input_ids"]
            if self.continues and ids and ids[-1] == self.processor.eos_token_id:
                ids = ids[:-1]  # some tokenizers end every text
            ids = ids + self.separator
            yield Window({"input_ids": ids, "attention_mask": [1] * len(ids)}, cut=bool(encoding.overflowing))

    def target(self, example: Example, window: Window) -> dict[str, Any]:
        text = example["summary"] if "summary" in example else example["summaries"][0]
        if self.continues:
            return self.continuation(text, window)
        encoded = self.processor(text_target=[text], truncation=True, max_length=self.options.max_summary)
        ((inputs, encoding),) = encodings(self.processor, encoded)
        window.lost = bool(encoding.overflowing)
        return {"labels": inputs["input_ids"]}

    def continuation(self, text: str, window: Window) -> dict[str, Any]:
        """The prompt with a summary behind it, of which only the summary is learned."""
        prompt, ids = window.inputs["input_ids"], self.plain(f" {text.strip()}")
        window.lost = len(ids) >= self.options.max_summary
        written = [*ids[: self.options.max_summary - 1], self.processor.eos_token_id]
        return {
            "input_ids": [*prompt, *written],
            "attention_mask": [1] * (len(prompt) + len(written)),
            "labels": [IGNORE] * len(prompt) + written,
        }

    def damage(self, example: Example, windows: Sequence[Window]) -> Iterator[Damage]:
        """Summaries that are taught without their end."""
        yield Damage("max_summary", "summaries", sum(window.lost for window in windows), len(windows))

    @cached_property
    def separator(self) -> list[int]:
        """The tokens between a document and its summary; none where the model does not continue text."""
        return self.plain(self.options.separator) if self.continues else []

    def plain(self, text: str) -> list[int]:
        """The tokens of a text without special ones around it."""
        ((inputs, _),) = encodings(self.processor, self.processor([text], add_special_tokens=False))
        return list(inputs["input_ids"])

    def loss(self, model: Model, inputs: Inputs) -> Any:
        from torch.nn.functional import cross_entropy

        logits, tokens = written_logits(model, inputs, shifted=self.continues)
        return cross_entropy(logits.float(), tokens)

    def predict(self, model: Model, inputs: Inputs) -> Outputs:
        written = write(model, inputs)
        read = inputs["input_ids"].shape[1] if self.continues else 1  # the start token of the decoder
        return {"tokens": written[:, read:]}  # (windows, tokens written)

    def decode(self, example: Example, windows: Sequence[Window]) -> Answer:
        tokens = windows[0].outputs["tokens"].tolist()
        end = self.processor.eos_token_id
        cut = end not in tokens
        text = self.processor.decode(
            tokens if cut else tokens[: tokens.index(end)],
            skip_special_tokens=True,
            clean_up_tokenization_spaces=False,
        )
        return {"summary": text.strip(), "cut": cut}

    def comparable(self, answer: Answer) -> str:
        return str(answer["summary"])

    def reference(self, example: Example) -> list[str]:
        return list(example["summaries"]) if "summaries" in example else [example["summary"]]

    def statistics(self, answers: Sequence[Answer], references: Sequence[Any]) -> list[metrics.Statistics]:
        rows = super().statistics(answers, references)
        return [{**row, "cut": float(answer["cut"])} for row, answer in zip(rows, answers, strict=True)]

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

    def work(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        return (lengths + self.options.max_summary) * self.options.beams

    @property
    def continues(self) -> bool:
        """Whether the model continues text, or reads one and writes another."""
        return self.head == CONTINUES

    @property
    def writes(self) -> bool:
        return True

    @property
    def pads_left(self) -> bool:
        return self.continues

    def prepare_model(self, model: Model) -> Model:
        """Set how the model writes; nothing of a checkpoint's own settings stays but its special tokens."""
        from transformers import GenerationConfig

        kept = {key: getattr(model.generation_config, key, None) for key in KEPT}
        if kept["decoder_start_token_id"] is None and not self.continues:
            kept["decoder_start_token_id"] = model.config.decoder_start_token_id
        model.generation_config = GenerationConfig(
            **{key: value for key, value in kept.items() if value is not None},
            eos_token_id=self.processor.eos_token_id,
            pad_token_id=self.processor.pad_token_id,
            max_new_tokens=self.options.max_summary,
            do_sample=False,  # what is not said, a pipeline of transformers decides otherwise
            num_beams=self.options.beams,
            no_repeat_ngram_size=self.options.no_repeat,
            **({"length_penalty": self.options.length_penalty} if self.options.beams > 1 else {}),
        )
        return model

    def plain_code(self, model: str) -> str:
        prefix, separator = map(_plain.literal, (self.options.prefix, self.options.separator))
        text = f"{prefix} + document" if self.options.prefix else "document"
        room = self.options.max_document - len(self.separator)
        script = _plain.CONTINUATION if self.continues else _plain.SUMMARY
        return _plain.code(script, model, text=text, separator=separator, max_length=room)
