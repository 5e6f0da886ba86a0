"""Texts of others in Markdown: shown as they are, whatever is in them."""

import re

INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # controls, and turns of direction
SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#&~$]|:(?=//))")
OPENING = re.compile(r"^([-+=]|\d+[.)])(?![\w.])")  # of a list, a rule or a heading
ADDRESS = re.compile(r"https?://[\w.~/?#@!&;=+,%:-]+", re.ASCII)


def escape(text: object) -> str:
    """A text that Markdown and HTML show as it is, on one line."""
    line = SPECIAL.sub(r"\\\1", INVISIBLE.sub("", " ".join(str(text).split())))
    opening = OPENING.match(line)
    return f"{line[: opening.end() - 1]}\\{line[opening.end() - 1 :]}" if opening else line


def fenced(text: str, language: str = "") -> str:
    """A text as a block of code, whatever backticks it has."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def linked(address: str) -> str:
    """A web address as a link; anything else as text."""
    return f"<{address}>" if ADDRESS.fullmatch(address) else escape(address)
