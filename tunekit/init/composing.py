"""A recipe as text for people: every setting that was guessed has the reason beside it."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from tunekit.errors import cut
from tunekit.recipe import shipped_folder

WIDTH = 110  # characters of a line
ASIDE = 100  # to which a setting and its reason fit on one line
LONGEST_NOTE = 300
SMALL = 0.01  # from which down numbers are written as 3e-4

Notes = Mapping[str, str]  # what is to be said of a setting, by its dotted name


def compose(values: Mapping[str, Mapping[str, Any]], notes: Notes, about: Sequence[str]) -> str:
    """A recipe file of sections; `about` are the paragraphs of its head."""
    schema = (shipped_folder() / "recipe.schema.json").absolute().as_uri()
    lines = [f"# yaml-language-server: $schema={schema}", "#"]
    for paragraph in about:
        lines += [*comment(paragraph), "#"]
    lines[-1] = ""
    for section, settings in values.items():
        lines += written(section, settings, notes)
    return "\n".join(lines) + "\n"


def comment(text: str, indent: str = "") -> list[str]:
    """A text as lines of comments; one that begins with blanks, as commands do, stays as it is."""
    if text.startswith(" "):
        return [f"{indent}# {line}" for line in text.splitlines()]
    wrapped = textwrap.wrap(cut(text, LONGEST_NOTE * 3), WIDTH - len(indent) - 2, break_on_hyphens=False)
    return [f"{indent}# {line}" for line in wrapped]


def written(section: str, settings: Mapping[str, Any], notes: Notes) -> Iterator[str]:
    """The lines of a section; one that has nothing but its main key is one line."""
    main = next(iter(settings))
    if len(settings) == 1 and main in ("name", "path"):
        yield from setting(section, settings[main], notes.get(f"{section}.{main}", ""), "")
        return
    yield f"{section}:"
    for key, value in settings.items():
        inner = {name: notes.get(f"{section}.{key}.{name}", "") for name in value} if is_map(value) else {}
        if any(inner.values()):
            yield f"  {key}:"
            for name, note in inner.items():
                yield from setting(name, value[name], note, "    ")
        else:
            yield from setting(key, value, notes.get(f"{section}.{key}", ""), "  ")


def is_map(value: Any) -> bool:
    """Whether a value has keys of its own."""
    return isinstance(value, Mapping)


def setting(key: str, value: Any, note: str, indent: str) -> Iterator[str]:
    """The line of a setting, with its reason behind it or, where that is long, above it."""
    line = f"{indent}{scalar(key)}: {scalar(value)}"
    note = cut(note, LONGEST_NOTE)
    if not note:
        yield line
    elif len(line) + len(note) + 4 <= ASIDE:
        yield f"{line}  # {note}"
    else:
        yield from comment(note, indent)
        yield line


def scalar(value: Any) -> str:
    """A value as YAML on one line."""
    if isinstance(value, float):
        return f"{value:g}" if value >= SMALL else scientific(value)
    plain = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6, sort_keys=False)
    return plain.removesuffix("...\n").strip()


def scientific(value: float) -> str:
    """A small number as people write learning rates: 3e-4."""
    digits, exponent = f"{value:e}".split("e")
    return f"{digits.rstrip('0').rstrip('.')}e{int(exponent)}"
