"""Columns of texts to go on from: conversations, prompts with completions, or texts and nothing else."""

from tunekit.tasks._guess import BY_NAME, CERTAIN, NAMED, Column, Guess, Seen, limit_of
from tunekit.tasks._sequences import ASKED, GIVEN

LONG = 30  # words and marks of a text from which on it is worth going on with


def guessed(seen: Seen) -> Guess | None:
    """What data are, where they can be meant for text generation."""
    if not seen.knows([*GIVEN, *ASKED]):
        return None
    return of_messages(seen) or of_prompts(seen) or of_texts(seen)


def of_messages(seen: Seen) -> Guess | None:
    """Conversations can be nothing else."""
    found = seen.find("messages", GIVEN["messages"])
    found = found or next((c for c in seen.columns if "messages" in c.kinds and c.values), None)
    if found is None or "messages" not in found.kinds:
        return None
    return Guess(CERTAIN, {"messages": found.name}, f"{found.name!r} holds conversations")


def of_prompts(seen: Seen) -> Guess | None:
    """A column of prompts and one of completions, both by their names."""
    prompt = seen.find("prompt", GIVEN["prompt"])
    completion = seen.find("completion", ASKED["completion"], [prompt] if prompt else [])
    if prompt is None or completion is None:
        return None
    called = [seen_as(seen, "prompt", prompt), seen_as(seen, "completion", completion)]
    if min(called) < 2:
        return None
    why = f"{prompt.name!r} holds {prompt.describe()}, and {completion.name!r} {completion.describe()}"
    limit, note = limit_of([prompt, completion], 1024)
    return Guess(
        NAMED,
        {"prompt": prompt.name, "completion": completion.name},
        why,
        lengths={"max_length": limit},
        notes={"max_length": note},
    )


def seen_as(seen: Seen, role: str, column: Column) -> int:
    """How surely a column has a role by its name, or because the user says so."""
    return 2 if role in seen.given else column.called([{**GIVEN, **ASKED}[role].column])


def of_texts(seen: Seen) -> Guess | None:
    """Texts with nothing beside them that could be asked."""
    text = seen.find("text", GIVEN["text"]) or next(iter(seen.texts()), None)
    if text is None or not text.is_texts or "messages" in text.kinds:
        return None
    others = [column for column in seen.free([text]) if not column.is_numbering and not column.is_media]
    named = "text" in seen.given or (bool(text.called(GIVEN["text"].names)) and not others)
    if others and not named:
        return None
    if text.usual_words < LONG and "text" not in seen.given:
        return None
    strength = BY_NAME[text.called(GIVEN["text"].names)]
    why = f"{text.name!r} holds {text.describe()}, and there is nothing beside it that could be asked"
    return Guess(strength, {"text": text.name}, why)
