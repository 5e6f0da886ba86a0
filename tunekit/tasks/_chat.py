"""Conversations as a tokenizer's chat template writes them, and which of their tokens an assistant says.

A template comes with its checkpoint, so from strangers: transformers renders it in Jinja's sandbox.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

from tunekit.errors import InputError, first_line

Message = dict[str, Any]
SPOKEN = "assistant"  # the role whose turns are learned
MARKED = re.compile(r"\{%-?\s*generation\s*-?%\}")  # a template that says itself what an assistant says
JOINER = "\u2060"  # has no width; parts what is spelled like a special token
PROBE = [{"role": "user", "content": "Hello"}, {"role": SPOKEN, "content": "Yes"}]


class Chats:
    """Conversations for one tokenizer."""

    def __init__(self, processor: Any) -> None:
        self.processor = processor
        added = getattr(processor, "added_tokens_decoder", {}).values()
        special = {str(token) for token in added if token.special} | set(processor.all_special_tokens)
        self.special = re.compile("|".join(re.escape(token) for token in sorted(special)) or r"(?!)")

    def opening(self, messages: Sequence[Message]) -> list[int]:
        """The tokens up to where the assistant speaks next; a last turn of its own is left out."""
        return list(self.tokens(self.asked(messages))["input_ids"][0])

    def asked(self, messages: Sequence[Message]) -> str:
        """The same as text.

        Raises:
            ValueError: the template refuses the messages.
        """
        last = len(messages) - 1
        return self.before(messages, last if messages[last]["role"] == SPOKEN else last + 1)

    def take(self, messages: Sequence[Message], *, learned: bool) -> None:
        """Try to write a conversation to be answered, or also to be learned.

        Raises:
            ValueError: the template refuses it, or does not tell what the assistant says.
        """
        self.asked(messages)
        if learned:
            self.written(messages)

    def learned(self, messages: Sequence[Message]) -> tuple[list[int], list[bool]]:
        """The tokens of a conversation, and of each whether the assistant says it.

        Raises:
            ValueError: the template does not let that be told.
        """
        text, spans = self.written(messages)
        encoded = self.tokens(text)
        offsets = encoded.encodings[0].offsets
        if any(start < begin < end for start, end in offsets for begin, _ in spans):
            return self.apart(text, spans)
        said = [any(begin < end and start < stop for begin, stop in spans) for start, end in offsets]
        return list(encoded["input_ids"][0]), said

    def apart(self, text: str, spans: Sequence[tuple[int, int]]) -> tuple[list[int], list[bool]]:
        """The same, each part by itself: a token over both would not be there when the assistant is asked."""
        edges = [0, *(edge for span in spans for edge in span), len(text)]
        ids, said = list[int](), list[bool]()
        for number, (begin, end) in enumerate(pairwise(edges)):
            part = self.tokens(text[begin:end])["input_ids"][0] if end > begin else []
            ids += part
            said += [number % 2 == 1] * len(part)
        return ids, said

    def written(self, messages: Sequence[Message]) -> tuple[str, list[tuple[int, int]]]:
        """A whole rendering, and where in it the assistant speaks.

        Raises:
            ValueError: the template does not let that be told.
        """
        return self.marked(messages) if MARKED.search(self.template) else self.spans(messages)

    def marked(self, messages: Sequence[Message]) -> tuple[str, list[tuple[int, int]]]:
        """A whole rendering, and where in it the assistant speaks, as the template itself says.

        Raises:
            ValueError: the template refuses the messages.
        """
        text, spans = self.rendered(messages, return_assistant_tokens_mask=True)
        return text, [(begin, end) for begin, end in spans]

    def spans(self, messages: Sequence[Message]) -> tuple[str, list[tuple[int, int]]]:
        """The same: each turn without and with what it says.

        Raises:
            ValueError: the rendering of some turns does not begin that of all.
        """
        whole, spans = self.render(messages), []
        for number, message in enumerate(messages):
            if message["role"] == SPOKEN:
                before = self.before(messages, number)
                behind = self.render(messages[: number + 1])
                if not (whole.startswith(behind) and behind.startswith(before)):
                    raise ValueError(
                        f"message {number} is written differently when others follow, so that the chat "
                        "template does not tell what the assistant says; put {% generation %} and "
                        "{% endgeneration %} around that in a template of your own (task.template)"
                    )
                spans.append((len(before), len(before) + self.said(behind[len(before) :])))
        return whole, spans

    def said(self, turn: str) -> int:
        """The length of a turn without the blanks behind a special token that ends it."""
        bare = turn.rstrip()
        ends = any(match.end() == len(bare) for match in self.special.finditer(bare))
        return len(bare) if ends else len(turn)

    def end(self) -> int | None:
        """The special token that ends what an assistant says, where the template has one."""
        try:
            return self.closing(*self.learned(PROBE))
        except (ValueError, InputError):
            return None

    def closing(self, tokens: Sequence[int], said: Sequence[bool]) -> int | None:
        """The special or added token that ends what is said, but for blanks behind it; else nothing."""
        own = (token for token, mine in zip(reversed(tokens), reversed(said), strict=True) if mine)
        last = next((token for token in own if self.processor.decode([token]).strip()), None)
        return (
            last if last in {*self.processor.all_special_ids, *self.processor.added_tokens_decoder} else None
        )

    def lead(self) -> str:
        """What the template itself writes of an answer, before what is said: empty thoughts, say."""
        try:
            text, spans = self.written(PROBE)
        except (ValueError, InputError):
            return ""
        head, found, _ = "".join(text[begin:end] for begin, end in spans).partition(PROBE[-1]["content"])
        tokens = self.tokens(head)["input_ids"][0] if found and head else []
        return str(
            self.processor.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        )

    def before(self, messages: Sequence[Message], number: int) -> str:
        """What stands before a message of the assistant's, or where the next one would be.

        Raises:
            ValueError: the template refuses that.
        """
        try:
            return self.render(messages[:number], add_generation_prompt=True)
        except ValueError:
            if number:
                raise
            raise ValueError(
                f"begins with a message of role {SPOKEN!r}, before which the chat template needs another; "
                "put what it answers before it"
            ) from None

    def render(self, messages: Sequence[Message], *, add_generation_prompt: bool = False) -> str:
        """A conversation as text.

        Raises:
            ValueError: the template refuses it.
        """
        return self.rendered(messages, add_generation_prompt=add_generation_prompt)[0]

    def rendered(self, messages: Sequence[Message], **settings: Any) -> tuple[str, Any]:
        """The same, with what the template marks; transformers' own method takes no conversation to come.

        Raises:
            ValueError: the template refuses it.
        """
        from transformers.utils.chat_template_utils import render_jinja_template

        words = self.processor.special_tokens_map
        with refusals():
            texts, marks = render_jinja_template(
                [self.safe(messages)], chat_template=self.template, **settings, **words
            )
        return str(texts[0]), next(iter(marks), [])

    def tokens(self, text: str) -> Any:
        """A rendering as tokens; the special ones in it are the template's."""
        return self.processor([text], add_special_tokens=False, split_special_tokens=False)

    @property
    def template(self) -> str:
        """The template that is used.

        Raises:
            InputError: the tokenizer has none.
        """
        try:
            return str(self.processor.get_chat_template())
        except ValueError:
            raise InputError(
                "the tokenizer has no chat template, so it is not known how messages are written; choose a "
                "checkpoint that was trained for chats, or give a template with task.template=FILE.jinja"
            ) from None

    def safe(self, value: Any) -> Any:
        """Messages whose own words are never taken for special tokens: an invisible sign parts these."""
        if isinstance(value, str):
            return self.special.sub(lambda match: f"{match[0][0]}{JOINER}{match[0][1:]}", value)
        if isinstance(value, dict):
            return {key: self.safe(item) for key, item in value.items()}
        return [self.safe(item) for item in value] if isinstance(value, list | tuple) else value


@contextmanager
def refusals() -> Iterator[None]:
    """Say so where a template refuses a conversation."""
    from jinja2 import TemplateError

    try:
        yield
    except (TemplateError, TypeError) as error:
        raise ValueError(f"the chat template does not take its messages ({first_line(error)})") from None


def words_said(messages: Sequence[Message]) -> Iterator[str]:
    """What the assistant says, turn by turn."""
    for message in messages:
        if message["role"] == SPOKEN:
            yield text_of(message)


def text_of(message: Message) -> str:
    """The text of a message, which may be in parts."""
    content = message.get("content") or ""
    parts = content if isinstance(content, list) else [{"text": content}]
    return "".join(str(part.get("text", "")) for part in parts)
