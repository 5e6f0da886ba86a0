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
        asked = messages[:-1] if messages[-1]["role"] == SPOKEN else messages
        return list(self.tokens(self.render(asked, add_generation_prompt=True))["input_ids"][0])

    def learned(self, messages: Sequence[Message]) -> tuple[list[int], list[bool]]:
        """The tokens of a conversation, and of each whether the assistant says it.

        Raises:
            ValueError: the template does not let that be told.
        """
        text, spans = self.marked(messages) if MARKED.search(self.template) else self.spans(messages)
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

    def marked(self, messages: Sequence[Message]) -> tuple[str, list[tuple[int, int]]]:
        """A whole rendering, and where in it the assistant speaks, as the template itself says.

        Raises:
            ValueError: the template refuses the messages.
        """
        from transformers.utils.chat_template_utils import render_jinja_template

        words = self.processor.special_tokens_map
        with refusals():
            (text,), (spans,) = render_jinja_template(
                [self.safe(messages)],
                chat_template=self.template,
                return_assistant_tokens_mask=True,
                **words,
            )
        return str(text), [(begin, end) for begin, end in spans]

    def spans(self, messages: Sequence[Message]) -> tuple[str, list[tuple[int, int]]]:
        """The same: each turn without and with what it says.

        Raises:
            ValueError: the rendering of some turns does not begin that of all.
        """
        whole, spans = self.render(messages), []
        for number, message in enumerate(messages):
            if message["role"] == SPOKEN:
                before = self.render(messages[:number], add_generation_prompt=True)
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
            tokens, said = self.learned(PROBE)
        except (ValueError, InputError):
            return None
        special = {*self.processor.all_special_ids, *self.processor.added_tokens_decoder}
        return next((t for t, own in zip(tokens, said, strict=True) if own and t in special), None)

    def render(self, messages: Sequence[Message], *, add_generation_prompt: bool = False) -> str:
        """A conversation as text.

        Raises:
            ValueError: the template refuses it.
        """
        settings = {"tokenize": False, "add_generation_prompt": add_generation_prompt}
        with refusals():
            return str(self.processor.apply_chat_template(self.safe(messages), **settings))

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
        raise ValueError(
            f"the chat template does not take its messages ({first_line(error)}); correct the row"
        ) from None


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
