"""What tasks share whose answer is a text that a model writes, an encoder-decoder or a decoder alone."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tunekit import metrics
from tunekit.errors import InputError
from tunekit.tasks import _plain
from tunekit.tasks._encodings import plain_tokens, tokens_around
from tunekit.tasks._writing import decoder_inputs, write, written_logits
from tunekit.tasks.base import IGNORE, Answer, Damage, Example, Inputs, Model, Outputs, Task, Window

CONTINUES = "AutoModelForCausalLM"
KEPT = ("bos_token_id", "bad_words_ids")  # of a checkpoint's generation settings: what it cannot mean
SHORTEST = 8  # tokens of an input that are worth reading
PROBE = "a"  # a text to see what a tokenizer puts around texts


class Writer(Task):
    """Write a text for each text.

    An encoder-decoder reads `prompt` and writes. A decoder alone continues the text that `prompt` and
    `separator` make, and learns nothing but its answer from it. Several references may be right: scores
    then take the nearest, and the first one is taught.
    """

    heads = ("AutoModelForSeq2SeqLM", CONTINUES)
    aligned = False
    answer: ClassVar[str]  # the key of what is written in an answer
    wording: ClassVar[str] = "task.prefix and task.separator"  # options whose text stands around an input
    sample: ClassVar[dict[str, str]]  # an input to show

    class Options(Task.Options):
        """Settings of writing; training, evaluation and prediction write in the same way."""

        separator: str = Field(
            "\n\n", description="text between what is read and written, for models that continue text"
        )
        beams: int = Field(1, ge=1, description="beam width when writing")
        length_penalty: float = Field(1.0, description="above 1 favours long texts among beams")
        no_repeat: int = Field(0, ge=0, description="no run of so many tokens is written twice; 0 allows any")

        @property
        def most_read(self) -> int:
            """Tokens that the model reads."""
            return int(getattr(self, self.lengths[0]))

        @property
        def most_written(self) -> int:
            """Tokens that are learned or written."""
            return int(getattr(self, self.lengths[1]))

        def fitted(self, limit: int | None, head: str) -> Self:
            if limit is None:
                return self
            (reads, writes), given = self.lengths, self.model_fields_set
            together = head == CONTINUES
            written = self.most_written if writes in given else min(self.most_written, limit // 4)
            room = limit - written if together else limit
            read = self.most_read if reads in given else min(self.most_read, room)
            if read > room or room < SHORTEST or written > limit:
                lengths = f"task.{reads} is {self.most_read} and task.{writes} {self.most_written}"
                where = "for both together" if together else "for each"
                raise InputError(f"{lengths}, but the model has {limit} tokens {where}; lower them")
            return self.model_copy(update={reads: read, writes: written})

        def limits(self) -> Iterator[str]:
            what = self.lengths[0].removeprefix("max_")
            read, written = f"{self.most_read:,}", f"{self.most_written:,}"
            yield f"It reads at most {read} tokens of {a(what)}, and writes at most {written}."

    options: Options

    def __init__(
        self, options: Any, processor: Any, labels: Sequence[str] = (), head: str | None = None
    ) -> None:
        super().__init__(options, processor, labels, head)
        if processor is None:
            return
        self.prepare_processor()
        empty = self.prompt(dict.fromkeys(self.inputs, ""))
        around, reads = len(self.plain(empty)) + len(self.separator), options.lengths[0]
        if options.most_read - around < SHORTEST:
            what = a(reads.removeprefix("max_"))
            raise InputError(
                f"{self.wording} take {around} of the {options.most_read} tokens of task.{reads}, which "
                f"leaves no room for {what}; shorten them, or raise it"
            )

    def prepare_processor(self) -> None:
        """Tell the tokenizer what it must know: by default, to write the language that it reads."""
        if getattr(self.processor, "tgt_lang", "") is None:
            self.processor.tgt_lang = self.processor.src_lang

    @abstractmethod
    def prompt(self, example: Example) -> str:
        """What a model reads; where it is too long, its end is cut off."""

    @abstractmethod
    def reference(self, example: Example) -> list[str]:
        """All right texts; the first one is taught."""

    @classmethod
    def lacks(cls, processor: Any, head: str) -> Iterator[str]:
        if processor.eos_token_id is None:
            yield "its tokenizer has no end token, so no text would ever end; choose another checkpoint"

    def encode(self, example: Example) -> Iterator[Window]:
        before, behind = self.around_read
        ids = self.plain(self.prompt(example))
        room = self.options.most_read - len(before) - len(self.separator) - len(behind)
        tokens = [*before, *ids[:room], *self.separator, *behind]
        yield Window({"input_ids": tokens, "attention_mask": [1] * len(tokens)}, cut=len(ids) > room)

    def target(self, example: Example, window: Window) -> dict[str, Any]:
        text = self.reference(example)[0]
        if self.continues:
            return self.continuation(text, window)
        before, behind = self.around_written
        ids = plain_tokens(self.processor, text_target=text)
        room = self.options.most_written - len(before) - len(behind)
        window.lost = len(ids) > room
        return {"labels": [*before, *ids[:room], *behind]}

    def continuation(self, text: str, window: Window) -> dict[str, Any]:
        """The prompt with a text behind it, of which only the text is learned."""
        prompt, ids = window.inputs["input_ids"], self.plain(f" {text.strip()}")
        window.lost = len(ids) >= self.options.most_written
        written = [*ids[: self.options.most_written - 1], self.processor.eos_token_id]
        return {
            "input_ids": [*prompt, *written],
            "attention_mask": [1] * (len(prompt) + len(written)),
            "labels": [IGNORE] * len(prompt) + written,
        }

    def damage(self, example: Example, windows: Sequence[Window]) -> Iterator[Damage]:
        """Texts that are taught without their end."""
        option, lost = self.options.lengths[1], sum(window.lost for window in windows)
        yield Damage(option, several(option.removeprefix("max_")), lost, len(windows))

    @cached_property
    def around_read(self) -> tuple[list[int], list[int]]:
        """The tokens before and behind what is read; none behind a text that the model continues."""
        before, behind = tokens_around(self.processor, text=PROBE)
        return before, [] if self.continues else behind

    @cached_property
    def around_written(self) -> tuple[list[int], list[int]]:
        """The tokens before and behind what an encoder-decoder writes: it always ends."""
        before, behind = tokens_around(self.processor, text_target=PROBE)
        end = self.processor.eos_token_id
        return before, behind if end in behind else [*behind, end]

    @cached_property
    def separator(self) -> list[int]:
        """The tokens between what is read and written; none where the model does not continue text."""
        return self.plain(self.options.separator) if self.continues else []

    def plain(self, text: str) -> list[int]:
        """The tokens of a text without special ones around it."""
        return plain_tokens(self.processor, text=text)

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
        return {self.answer: text.strip(), "cut": cut}

    def comparable(self, answer: Answer) -> str:
        return str(answer[self.answer])

    def statistics(self, answers: Sequence[Answer], references: Sequence[Any]) -> list[metrics.Statistics]:
        rows = super().statistics(answers, references)
        return [{**row, "cut": float(answer["cut"])} for row, answer in zip(rows, answers, strict=True)]

    def work(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        return (lengths + self.options.most_written) * self.options.beams

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
        begins = {} if self.continues else self.beginning(model)
        model.generation_config = GenerationConfig(
            **{key: value for key, value in {**kept, **begins}.items() if value is not None},
            eos_token_id=self.processor.eos_token_id,
            pad_token_id=self.processor.pad_token_id,
            max_new_tokens=self.options.most_written,
            do_sample=False,  # what is not said, a pipeline of transformers decides otherwise
            num_beams=self.options.beams,
            no_repeat_ngram_size=self.options.no_repeat,
            **({"length_penalty": self.options.length_penalty} if self.options.beams > 1 else {}),
        )
        return model

    def beginning(self, model: Model) -> dict[str, int]:
        """The tokens with which a decoder begins: what it reads first in training, and what always follows.

        One of them tells the language where a family has codes for languages.
        """
        import torch

        before, behind = self.around_written
        labels = [*before, *plain_tokens(self.processor, text_target=PROBE), *behind]
        start = int(decoder_inputs(model, torch.tensor([labels]))[0, 0])
        return {"decoder_start_token_id": start} | ({"forced_bos_token_id": before[0]} if before else {})

    def plain_code(self, model: str) -> str:
        text, separator = map(_plain.literal, (self.prompt(self.sample), self.options.separator))
        room = self.options.most_read - len(self.separator)
        script = _plain.CONTINUATION if self.continues else _plain.WRITTEN
        return _plain.code(script, model, text=text, separator=separator, max_length=room)


def a(noun: str) -> str:
    """A noun with its article."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def several(noun: str) -> str:
    """A noun in the plural."""
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
