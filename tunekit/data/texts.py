"""Texts and conversations as they come with the data."""

from typing import Any

from tunekit.errors import cut

CONVERSATION = "a conversation ([{role, content}, ...])"


def whole(text: str) -> str:
    """A text that says something.

    Raises:
        ValueError: it is blank, or holds half a character, as a cut `\\ud83d\\ude00` of JSON does.
    """
    if not text.strip():
        raise ValueError("is empty")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"holds half a character (at {error.start}), which no tokenizer takes") from None
    return text


def is_conversation(value: Any) -> bool:
    """Whether a value is a list of messages, each with a role."""
    filled = isinstance(value, list) and bool(value)
    return filled and all(isinstance(item, dict) and isinstance(item.get("role"), str) for item in value)


def messages_of(value: Any) -> list[dict[str, Any]]:
    """A conversation whose messages have a role and something to say; keys without a value are dropped.

    Raises:
        ValueError: it is none, or a message of it says nothing that a tokenizer takes.
    """
    if not is_conversation(value):
        raise ValueError(f"is {cut(repr(value))}, not {CONVERSATION}")
    found = [{key: item for key, item in message.items() if item is not None} for message in value]
    for number, message in enumerate(found):
        content = message.get("content")
        try:
            if isinstance(content, str) and content:
                whole(content)
        except ValueError as error:
            raise ValueError(f"message {number} {error}") from None
        if content is None and len(message) == 1:
            raise ValueError(f"message {number} has no 'content'")
        if not isinstance(content, str | list | None):
            raise ValueError(f"message {number} has content {cut(repr(content))}, which is no text")
    return found
