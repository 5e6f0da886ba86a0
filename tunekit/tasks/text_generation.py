"""Text generation: a decoder that goes on writing texts, completes prompts, or answers in conversations."""

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationInfo, field_validator, model_validator

from tunekit import metrics
from tunekit.errors import InputError
from tunekit.tasks import _plain
from tunekit.tasks._chat import SPOKEN, text_of
from tunekit.tasks._continued import guessed
from tunekit.tasks._guess import Guess, Seen
from tunekit.tasks._likelihood import Likelihood, surprises
from tunekit.tasks._overlapping import OverlappingOptions
from tunekit.tasks._sampling import sampler
from tunekit.tasks._sequences import ASKED, FORMS, GIVEN, Reader, form_of
from tunekit.tasks._writing import write
from tunekit.tasks.base import FOREIGN, Answer, Example, Inputs, Model, Outputs, Task, Window

WORD = re.compile(r"\s*\S+")
Count = Annotated[int, Field(ge=0)]


class TextGeneration(Task):
    """Write on from a text, a prompt or a conversation.

        text      "First Citizen:\\nBefore we proceed any further, hear me speak."    all of it is learned
        prompt, completion                                                  only the completion is learned
        messages  [{"role": "user", "content": ..}, ..]       what the assistant says is learned, turn by turn

    Training and evaluation see every token that is learned, long rows in windows. An evaluation adds up how
    likely these are to the model, and lets it write for the first `samples` rows.
    """

    heads = ("AutoModelForCausalLM",)
    inputs = GIVEN
    targets = ASKED
    pipeline_tag = "text-generation"

    class Options(OverlappingOptions):
        """Settings of text generation."""

        part = 4

        form: Literal["auto", "text", "completion", "chat"] = Field(
            "auto", description="of the rows; auto: by the columns text, prompt and completion, or messages"
        )
        max_length: int = Field(1024, ge=8, description="tokens that the model reads at once")
        stride: int | None = Field(
            None,
            ge=1,
            description="tokens of a long text that a window reads again when it is scored, each scored "
            "once; by default a quarter of max_length",
        )
        max_new_tokens: int = Field(64, ge=1, description="tokens that are written at most")
        samples: Literal["all"] | Count = Field(
            8, description="rows of an evaluation that are answered; all: answers are scored too"
        )
        opening: int = Field(16, ge=1, description="words of a text that a sample goes on from")
        temperature: float = Field(0, ge=0, description="of what is written; 0 takes the likeliest token")
        top_p: float = Field(1, gt=0, le=1, description="probability of the tokens that are drawn from")
        seed: int = Field(0, ge=0, description="of what is drawn")
        separator: str = Field("", description="text between prompt and completion")
        start: str | None = Field(
            None, description="token before texts and prompts, where the tokenizer puts none"
        )
        template: str | None = Field(
            None, description="chat template, or a .jinja file of one; by default the tokenizer's"
        )

        @field_validator("template")
        @classmethod
        def is_read(cls, template: str | None, info: ValidationInfo) -> str | None:
            """Take a file's contents for its name, so that a recipe says all that it does."""
            named = template is not None and template.endswith(".jinja") and "\n" not in template
            if template is None or not named:
                return template
            if info.context == FOREIGN:
                raise ValueError("names a file of this machine; remove it")
            try:
                return Path(template).expanduser().read_text(encoding="utf-8")
            except (OSError, UnicodeError):
                raise ValueError(f"{template!r} is no text file that can be read; correct the path") from None

        @model_validator(mode="after")
        def leaves_room(self) -> Self:
            if self.max_new_tokens > self.max_length // 2 and "max_new_tokens" in self.model_fields_set:
                raise ValueError(
                    f"max_new_tokens {self.max_new_tokens} is more than half of max_length "
                    f"{self.max_length}, which must hold what is read and what is written; lower it"
                )
            return self

        def fitted(self, limit: int | None, head: str) -> Self:
            fitted = super().fitted(limit, head)
            most = fitted.max_length // 2
            if fitted.max_new_tokens > most and "max_new_tokens" in self.model_fields_set:
                raise InputError(
                    f"task.max_new_tokens is {self.max_new_tokens}, but the model has {limit} tokens for "
                    f"what it reads and writes; lower it to {most}"
                )
            return fitted.model_copy(update={"max_new_tokens": min(most, fitted.max_new_tokens)})

        def limits(self) -> Iterator[str]:
            read, written = f"{self.max_length:,}", f"{self.max_new_tokens:,}"
            yield f"It sees at most {read} tokens at once, and writes at most {written}."

    options: Options

    def __init__(
        self, options: Any, processor: Any, labels: Sequence[str] = (), head: str | None = None
    ) -> None:
        super().__init__(options, processor, labels, head)
        if processor is not None:
            if options.template:
                processor.chat_template = options.template
            processor.split_special_tokens = False  # as a chat template needs it with transformers alone
            self.reader = Reader(options, processor)
            self.reader.check()

    @property
    def given(self) -> list[str]:
        """The role that its rows are read by: a data set may have others beside it."""
        return [
            role for role in self.roles if role == FORMS[form_of(self.options, dict.fromkeys(self.roles))]
        ]

    @given.setter
    def given(self, roles: Sequence[str]) -> None:
        self.roles = list(roles)

    @classmethod
    def judged_by(cls, options: Options) -> metrics.Measure:
        return metrics.WRITING if options.samples == "all" else metrics.LIKELIHOOD

    @classmethod
    def likelihood(cls, seen: Seen) -> Guess | None:
        return guessed(seen)

    @classmethod
    def check(cls, options: Options, example: dict[str, Any]) -> Iterator[str]:
        """A row must have what its form asks for."""
        form = form_of(options, example)
        if FORMS[form] not in example:
            yield f"has no {FORMS[form]}, which task.form={form} asks for; name it with data.columns"
        elif form == "completion" and "completion" not in example:
            yield "has a prompt and no completion; name it with data.columns.completion"
        elif form == "text" and options.samples == "all":
            yield "is a text, of which no answer is the right one; set task.samples to a number"
        elif form == "chat" and all(message["role"] != SPOKEN for message in example["messages"]):
            yield f"has no message of role {SPOKEN!r} to learn from"

    @classmethod
    def refused(
        cls, options: Options, processor: Any, rows: Sequence[Example], *, targets: bool
    ) -> Iterator[tuple[int, str]]:
        """Conversations that the chat template does not take."""
        return cls(options, processor).reader.refused(rows, learned=targets)

    def learn(self, rows: Sequence[Example]) -> dict[str, Any]:
        """Nothing; but what cannot be read at all is refused before the weights are loaded."""
        self.reader.try_to_learn(rows[0])
        return {}

    def encode(self, example: Example) -> Iterator[Window]:
        """What the model goes on from: the last tokens that leave room for as many as may be written."""
        ids, cut = self.reader.asked(example)
        yield Window({"input_ids": ids, "attention_mask": [1] * len(ids)}, cut=cut)

    def taught(self, example: Example, given: Example) -> list[Window]:
        """All that is learned of a row; of a long text each window reads one token again."""
        again = 1 if self.packs else max(1, self.options.overlap)
        return list(self.reader.learned(example).windows(self.options.max_length, again))

    def target(self, example: Example, window: Window) -> dict[str, Any]:
        return {}  # `taught` knows them

    def counted(self, lengths: NDArray[np.int64], first: NDArray[np.int64]) -> NDArray[np.int64]:
        """Texts are counted in chunks of as many windows, one after the other, as fit `max_length`."""
        if not self.packs:
            return first
        bounds, tokens = [0], 0
        for window, length in enumerate(lengths.tolist()):
            if tokens and tokens + length > self.options.max_length:
                bounds.append(window)
                tokens = 0
            tokens += length
        return np.array([*bounds, len(lengths)], np.int64)

    @property
    def packs(self) -> bool:
        """Whether rows are plain texts, of any length and without an end to what is asked."""
        return form_of(self.options, dict.fromkeys(self.given)) == "text"

    def loss(self, model: Model, inputs: Inputs) -> Any:
        return surprises(model, inputs).mean()

    @property
    def judge(self) -> Task:
        return Likelihood(self.options, self.processor, head=self.head)

    def asked(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The first rows, and of a text its opening alone."""
        chosen = rows if self.options.samples == "all" else rows[: self.options.samples]
        return [self.opened(row) if form_of(self.options, row) == "text" else row for row in chosen]

    def opened(self, row: dict[str, Any]) -> dict[str, Any]:
        """A row of which only the first words are known."""
        words = islice(WORD.finditer(row["text"]), self.options.opening)
        return {**row, "text": "".join(match[0] for match in words)}

    def predict(self, model: Model, inputs: Inputs) -> Outputs:
        options, pad = self.options, self.processor.pad_token_id
        draws = sampler(options.temperature, options.top_p, options.seed, pad)
        settings = {"logits_processor": draws, "do_sample": False} if draws else {}
        written = write(model, inputs, **settings)
        return {"tokens": written[:, inputs["input_ids"].shape[1] :]}  # (windows, tokens written)

    def decode(self, example: Example, windows: Sequence[Window]) -> Answer:
        tokens = windows[0].outputs["tokens"].tolist()
        end = next((place for place, token in enumerate(tokens) if token in self.ends), None)
        text = self.processor.decode(
            tokens[:end], skip_special_tokens=True, clean_up_tokenization_spaces=False
        ).removeprefix(self.lead)
        given = {"prompt": example["text"]} if form_of(self.options, example) == "text" else {}
        return {**given, "text": text, "cut": end is None}

    def comparable(self, answer: Answer) -> str:
        return str(answer["text"])

    def reference(self, example: Example) -> list[str]:
        form = form_of(self.options, example)
        if form == "chat":
            last = example["messages"][-1]
            return [text_of(last)] if last["role"] == SPOKEN else []
        return [example["completion"]] if form == "completion" else []

    def work(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        return lengths + self.options.max_new_tokens

    @property
    def writes(self) -> bool:
        return True

    @property
    def pads_left(self) -> bool:
        return True

    @cached_property
    def ends(self) -> list[int]:
        """The tokens that end what is written: the tokenizer's, and that of a turn in a conversation."""
        turn = self.reader.chats.end() if "messages" in self.given else None
        return [token for token in dict.fromkeys([self.reader.end, turn]) if token is not None]

    @cached_property
    def lead(self) -> str:
        """What a conversation's template puts before every answer."""
        return self.reader.chats.lead() if "messages" in self.given else ""

    def prepare_model(self, model: Model) -> Model:
        """Set how the model writes; nothing of a checkpoint's own settings stays but its first token."""
        from transformers import GenerationConfig

        options, start = self.options, getattr(model.generation_config, "bos_token_id", None)
        drawn = {"temperature": options.temperature, "top_p": options.top_p, "top_k": 0}  # 0: of all tokens
        drawn = drawn if options.temperature else {}
        model.generation_config = GenerationConfig(
            **({} if start is None else {"bos_token_id": start}),
            **({"eos_token_id": self.ends} if self.ends else {}),
            pad_token_id=self.processor.pad_token_id,
            max_new_tokens=options.max_new_tokens,
            do_sample=bool(drawn),
            num_beams=1,
            **drawn,
        )
        return model

    def plain_code(self, model: str) -> str:
        if "messages" in self.given:
            return _plain.code(_plain.CHAT, model)
        given = (self.options.start or "") + "The committee met on Monday." + self.options.separator
        return _plain.code(_plain.TEXT, model, given=_plain.literal(given))
