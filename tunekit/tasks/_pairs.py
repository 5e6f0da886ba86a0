"""Columns of texts that belong together: the same in two languages, or what is given and what is asked."""

from collections.abc import Mapping

from tunekit.tasks._guess import CERTAIN, NAMED, POSSIBLE, Column, Guess, Seen, limit_of
from tunekit.tasks._languages import NAMES, columns_of
from tunekit.tasks._roles import Role

UNUSUAL = 2.0  # times one language's texts are as long as another's


def translations(seen: Seen, roles: Mapping[str, Role]) -> Guess | None:
    """Two columns that are called by languages, or as sources and targets are; None where there are none."""
    if not seen.knows(roles):
        return None
    by_language = {column.name: code for column in seen.texts() if (code := language_of(column.name))}
    named = [column for column in seen.columns if column.name in by_language]
    if len(named) == 2 and not seen.given:
        source, target = named
        certain = CERTAIN if all(column.name.startswith("translation.") for column in named) else NAMED
        return guess(source, target, certain, [by_language[column.name] for column in named])
    first, second = (seen.find(role, roles[role]) for role in ("source", "target"))
    if first is None or second is None or not (first.is_texts and second.is_texts):
        return None
    told = {"source", "target"} <= seen.given.keys()
    usual = sorted([first.usual_words, second.usual_words])
    if usual[1] > UNUSUAL * usual[0] and not told:
        return None
    codes = [language_of(column.name) for column in (first, second)]
    return guess(first, second, NAMED if told else POSSIBLE, codes)


def guess(source: Column, target: Column, how: float, codes: list[str | None]) -> Guess:
    """The recipe for a source and its target, in languages with these codes where they are known."""
    read, wrote = limit_of([source], 256, 64), limit_of([target], 256, 64)
    options: dict[str, str] = {"prefix": ""}
    if None not in codes:
        first, second = (NAMES[str(code)] for code in codes)
        options = {"prefix": f"translate {first} to {second}: "}
        options |= {"source_language": str(codes[0]), "target_language": str(codes[1])}
    return Guess(
        how,
        {"source": source.name, "target": target.name},
        f"{source.name!r} holds {source.describe()}, and {target.name!r} {target.describe()}",
        options,
        lengths={"max_source": read[0], "max_target": wrote[0]},
        notes={
            "source": "the first of two languages; for the other direction exchange the two columns",
            "prefix": "as T5 was trained; models with codes for languages want none",
            "max_source": read[1],
            "max_target": wrote[1],
        },
    )


def language_of(name: str) -> str | None:
    """The code of the language that a column is called by."""
    return next((code for code in NAMES if name.strip().lower() in columns_of(code)), None)


def input_and_output(seen: Seen, roles: Mapping[str, Role]) -> Guess | None:
    """Two columns that are called as inputs and outputs are, where there is nothing else to look at."""
    if not seen.knows(roles):
        return None
    given = seen.find("input", roles["input"])
    wanted = seen.find("output", roles["output"], [given] if given else [])
    told = "output" in seen.given
    context = seen.find("context", roles["context"]) if "context" in seen.given else None
    if given is None or wanted is None or not ((given.is_texts and wanted.is_texts) or told):
        return None
    called = [given.called(roles["input"].names), wanted.called(roles["output"].names)]
    others = [column for column in seen.free([given, wanted]) if column.is_texts or column.repeats]
    if not told and (min(called) < 2 or others):
        return None
    exactly = told or (given.called(["input"]) == 2 and wanted.called(["output"]) == 2)
    read, wrote = limit_of([given, *([context] if context else [])], 512), limit_of([wanted], 256, 32)
    return Guess(
        NAMED if exactly else POSSIBLE,
        {"input": given.name, "output": wanted.name, **({"context": context.name} if context else {})},
        f"{given.name!r} holds {given.describe()}, and {wanted.name!r} {wanted.describe()}",
        {"template": ""},
        lengths={"max_input": read[0], **({"max_output": wrote[0]} if wanted.lengths else {})},
        notes={"max_input": read[1], **({"max_output": wrote[1]} if wanted.lengths else {})},
    )
