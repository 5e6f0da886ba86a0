"""Rows of text generation as tokens, with which of them are learned: texts, completions, conversations."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tunekit.errors import InputError, listing
from tunekit.tasks._chat import Chats, words_said
from tunekit.tasks._encodings import encodings
from tunekit.tasks.base import IGNORE, Example, Role, Window

GIVEN = {
    "text": Role("text", "text", ("content", "document", "body")),
    "prompt": Role("text", "prompt", ("question", "query"), instead_of="text"),
    "messages": Role("messages", "messages", ("conversation", "conversations"), instead_of="text"),
}
ASKED = {
    "completion": Role("text", "completion", ("response", "answer", "output", "target"), needed=False),
}
FORMS = {"chat": "messages", "completion": "prompt", "text": "text"}  # each with the role that it is given


def form_of(options: Any, example: Example) -> str:
    """Which form a row has: the one that is set, else by what it is given."""
    by_roles = (form for form, role in FORMS.items() if role in example)
    return next(by_roles, "text") if options.form == "auto" else str(options.form)


@dataclass
class Tokens:
    """One row as tokens."""

    ids: list[int]
    learned: list[bool]  # of each token
    said: Sequence[str]  # the texts that the learned tokens stand for
    cut: bool = False  # whether the beginning of a prompt is left out

    def windows(self, size: int, overlap: int) -> Iterator[Window]:
        """Parts of at most `size` tokens, each of which repeats `overlap` tokens of the one before.

        Every learned token is a label once, but for the first, which nothing tells. Parts without a label are
        left out.
        """
        labels = [token if own else IGNORE for token, own in zip(self.ids, self.learned, strict=True)]
        labels[:1] = [IGNORE]
        begin = told = 0  # tokens up to `told` are labels of an earlier part
        while told < len(labels):
            end = min(begin + size, len(labels))
            own = [IGNORE] * (told - begin) + labels[told:end]
            if any(label != IGNORE for label in own):
                ids = self.ids[begin:end]
                yield Window(
                    {"input_ids": ids, "attention_mask": [1] * len(ids), "labels": own}, cut=self.cut
                )
            told, begin = end, end - overlap


class Reader:
    """Reads rows with the options and the tokenizer of a task."""

    def __init__(self, options: Any, processor: Any) -> None:
        self.options, self.processor = options, processor
        self.end: int | None = processor.eos_token_id

    def asked(self, example: Example) -> tuple[list[int], bool]:
        """The tokens that the model continues, and whether earlier ones are left out."""
        form = form_of(self.options, example)
        if form == "chat":
            with located(example):
                ids = self.chats.opening(example["messages"])
        elif form == "completion":
            ids = self.unfinished(example["prompt"]) + self.plain(self.options.separator)
        else:
            ids = self.unfinished(example["text"])
        room = self.options.max_length - self.options.max_new_tokens
        return ids[-room:], len(ids) > room

    def learned(self, example: Example) -> Tokens:
        """All tokens of a row with its targets.

        Raises:
            InputError: the chat template does not tell what an assistant says.
        """
        form = form_of(self.options, example)
        if form == "chat":
            with located(example):
                ids, said = self.chats.learned(example["messages"])
            return Tokens(ids, said, list(words_said(example["messages"])))
        if form == "completion":
            prompt, cut = self.asked(example)
            completion = self.finished(self.plain(example["completion"]))
            learned = [False] * len(prompt) + [True] * len(completion)
            return Tokens(prompt + completion, learned, [example["completion"]], cut)
        return self.whole(example["text"])

    def refused(self, examples: Sequence[Example], *, learned: bool) -> Iterator[tuple[int, str]]:
        """The conversations that the chat template does not take, by number, and why."""
        for number, example in enumerate(examples):
            try:
                if form_of(self.options, example) == "chat":
                    self.chats.take(example["messages"], learned=learned)
            except ValueError as error:
                yield number, str(error)

    def try_to_learn(self, example: Example) -> None:
        """Refuse what cannot be learned of any row.

        Raises:
            InputError: the chat template does not tell what an assistant says, or not where that ends.
        """
        tokens = self.learned(example)
        if (
            form_of(self.options, example) == "chat"
            and self.chats.closing(tokens.ids, tokens.learned) is None
        ):
            raise InputError(
                "what the assistant says ends in no special token of the tokenizer, so that the model would "
                "never learn to end its turn; write {{ eos_token }} behind it in a template of your own "
                "(task.template), inside of {% generation %} where that has such marks"
            )

    def whole(self, text: str) -> Tokens:
        """A text with its end. Where nothing stands before its first token, that one is not told."""
        ids, encoding = self.encoded(text)
        begun = self.begun(ids)
        told = len(begun) > len(ids) or any(encoding.special_tokens_mask[:1])
        unsaid = 0 if told or not encoding.offsets else encoding.offsets[0][1]
        ids = self.finished(begun)
        return Tokens(ids, [True] * len(ids), [text[unsaid:]])

    def unfinished(self, text: str) -> list[int]:
        """The tokens of a text that goes on: some tokenizers end every text."""
        ids = self.begun(self.encoded(text)[0])
        return ids[:-1] if ids[-1:] == [self.end] else ids

    def begun(self, ids: list[int]) -> list[int]:
        """Tokens behind the one that starts a text, where that is wanted."""
        return ids if self.start is None or ids[:1] == [self.start] else [self.start, *ids]

    def finished(self, ids: list[int]) -> list[int]:
        """Tokens with the one that ends a text, where the tokenizer has one."""
        return ids if self.end is None or ids[-1:] == [self.end] else [*ids, self.end]

    def plain(self, text: str) -> list[int]:
        """The tokens of a text without special ones around it."""
        return self.encoded(text, add_special_tokens=False)[0] if text else []

    def encoded(self, text: str, **settings: Any) -> tuple[list[int], Any]:
        """The tokens of a text, as the tokenizer makes them, with their alignment."""
        found = self.processor([text], split_special_tokens=True, **settings)
        ((inputs, encoding),) = encodings(self.processor, found)
        return list(inputs["input_ids"]), encoding

    def check(self) -> None:
        """Refuse options that the tokenizer does not know how to follow."""
        _ = self.start

    @cached_property
    def start(self) -> int | None:
        """The token that `start` names.

        Raises:
            InputError: the tokenizer does not know it.
        """
        name = self.options.start
        if name is None:
            return None
        token = self.processor.convert_tokens_to_ids(name)
        if token is None or self.processor.convert_ids_to_tokens(token) != name:
            special = listing(self.processor.all_special_tokens)
            raise InputError(
                f"task.start {name!r} is no token of this tokenizer; its special ones are {special}; name one"
            )
        return int(token)

    @cached_property
    def chats(self) -> Chats:
        """Conversations, by the template of the options or of the tokenizer."""
        return Chats(self.processor)


@contextmanager
def located(example: Example) -> Iterator[None]:
    """Say of which row it is that something is wrong."""
    try:
        yield
    except ValueError as error:
        advice = "" if "; " in str(error) else "; correct the row"
        raise InputError(f"{example.get('place', 'a conversation')}: {error}{advice}") from None
