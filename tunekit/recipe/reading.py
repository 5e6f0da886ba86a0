"""YAML as tunekit reads it: plain data with the line of every key, and no surprises.

Scalars stay the strings they are written as (only null becomes None): the recipe's schema decides what is a
number. So `5e-5` is a number, a column called `no` is a string, and a revision 010 keeps its zero.
Duplicate keys, aliases, tags and oversized or deeply nested files are refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tunekit.errors import InputError

MAX_BYTES = 100_000
MAX_DEPTH = 20  # the scanner's time grows with the square of the depth
NULLS = ("", "~", "null", "Null", "NULL")
PLAIN_TAGS = {
    f"tag:yaml.org,2002:{name}"
    for name in ("null", "bool", "int", "float", "str", "timestamp", "merge", "value", "seq", "map")
}

Place = tuple[str, ...]


@dataclass
class Reading:
    """One YAML text: where its keys are, and what is wrong with it."""

    text: str
    source: str  # for messages
    one_line: bool = False  # an argument of the command line, where lines say nothing
    lines: dict[Place, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def at(self, line: int, column: int | None = None) -> str:
        """A place in the text, both counted from 0, for messages."""
        if self.one_line:
            return self.source
        return f"{self.source}:{line + 1}" + (f":{column + 1}" if column is not None else "")

    def compose(self) -> yaml.Node | None:
        """The tree of one YAML document without aliases.

        Raises:
            InputError: it is no YAML, or YAML that blows up when it is walked.
        """
        try:
            self.refuse_bombs()
            return yaml.compose(self.text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            where = self.at(mark.line, mark.column) if mark else self.source
            raise InputError(f"{where}: {says(error)}; correct the YAML there") from None
        except yaml.reader.ReaderError as error:
            line = self.text.count("\n", 0, error.position)
            raise InputError(
                f"{self.at(line)}: character U+{error.character:04X} is not allowed in YAML; remove it"
            ) from None

    def refuse_bombs(self) -> None:
        """Refuse aliases, which multiply, and deep nesting, while the text is a stream of events."""
        depth = 0
        for event in yaml.parse(self.text, Loader=yaml.SafeLoader):
            line = event.start_mark.line if event.start_mark else 0
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent):
                raise InputError(
                    f"{self.at(line)}: aliases (*{event.anchor}) are not supported; write the value out"
                )
            if depth > MAX_DEPTH:
                raise InputError(
                    f"{self.at(line)}: nested too deeply; a recipe has three levels, remove the others"
                )

    def plain(self, node: yaml.Node, place: Place) -> Any:
        """A node as plain data; notes the lines of keys, and what is wrong, on the way."""
        if node.tag not in PLAIN_TAGS:
            self.problems.append(
                f"{self.at(node.start_mark.line)}: tag {node.tag!r} is not allowed; remove it"
            )
        if isinstance(node, yaml.MappingNode):
            return dict(self.entries(node, place))
        if isinstance(node, yaml.SequenceNode):
            return [self.plain(item, (*place, str(i))) for i, item in enumerate(node.value)]
        unquoted = isinstance(node, yaml.ScalarNode) and node.style is None
        return None if unquoted and node.value in NULLS else node.value

    def entries(self, node: yaml.MappingNode, place: Place) -> Iterator[tuple[str, Any]]:
        """The keys and values of a mapping; a key given twice is a problem."""
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append(f"{self.at(line)}: a key must be a word; write it as one")
                continue
            key = str(key_node.value)
            if key in seen:
                before = "" if self.one_line else f" in line {seen[key] + 1}"
                self.problems.append(f"{self.at(line)}: key {key!r} is already given{before}; remove one")
                continue
            seen[key] = line
            self.lines[(*place, key)] = line + 1
            yield key, self.plain(value_node, (*place, key))


def says(error: yaml.MarkedYAMLError) -> str:
    """What a YAML parser complains of, in one line."""
    context = error.context or ""
    if context.startswith("expected a single document"):
        return "a second document begins (---); a recipe is one"
    if "'\\t'" in str(error.problem):
        return "a tab, where YAML indents with spaces"
    return ", ".join(part for part in (context, error.problem) if part)


def read_file(path: Path, source: str | None = None) -> tuple[dict[str, Any], Reading]:
    """A recipe file as nested dictionaries; the reading knows the line of each key and the lesser problems.

    `source` is what the file is called in messages, where that is not its path.

    Raises:
        InputError: it is no readable YAML mapping.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder; give the recipe file itself")
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise InputError(f"{path} has more than {MAX_BYTES:,} bytes; that is no recipe, give another file")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path}:{line}: byte {error.start} is not UTF-8; save the recipe as UTF-8"
        ) from None
    return read_mapping(Reading(text, source or str(path)))


def read_mapping(reading: Reading) -> tuple[dict[str, Any], Reading]:
    """A YAML text that must be a mapping, as `read_file` gives it."""
    node = reading.compose()
    if not isinstance(node, yaml.MappingNode):
        kind = "empty" if node is None else "not a mapping"
        raise InputError(f"{reading.source} is {kind}; write keys such as task:, model: and data:")
    return reading.plain(node, ()), reading


def read_value(text: str, source: str) -> Any:
    """The value of `KEY=VALUE` on the command line; signs that begin a block of lines in a file are texts.

    Raises:
        InputError: it is no YAML value.
    """
    if text.strip() in ("|", ">"):
        return text.strip()
    reading = Reading(text, source, one_line=True)
    node = reading.compose()
    value = None if node is None else reading.plain(node, ())
    if reading.problems:
        raise InputError(reading.problems)
    return value
