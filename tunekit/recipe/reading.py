"""YAML as tunekit reads it: plain data with the line of every key, and no surprises.

Scalars stay the strings they are written as (only null becomes None): the recipe's schema decides what is a
number. So `5e-5` is a number, a column called `no` is a string, and a revision 010 keeps its zero.
Duplicate keys, aliases, tags and oversized or deeply nested files are refused.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tunekit.errors import InputError

MAX_BYTES = 1_000_000
NULLS = ("", "~", "null", "Null", "NULL")

Place = tuple[str, ...]


def read_file(path: Path) -> tuple[dict[str, Any], dict[Place, int]]:
    """A recipe file as nested dictionaries, and the line of each key.

    Raises:
        InputError: it is no readable YAML mapping; every problem of the file is listed.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder; give the recipe file itself")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path} has more than {MAX_BYTES:,} bytes; that is no recipe")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8; save the recipe as UTF-8") from None
    return read_mapping(text, str(path))


def read_mapping(text: str, source: str) -> tuple[dict[str, Any], dict[Place, int]]:
    """A YAML text that must be a mapping, as `read_file` gives it."""
    lines: dict[Place, int] = {}
    problems: list[str] = []
    node = compose(text, source)
    if not isinstance(node, yaml.MappingNode):
        kind = "empty" if node is None else "not a mapping"
        raise InputError(f"{source} is {kind}; a recipe has keys such as task:, model: and data:")
    value = plain(node, (), source, lines, problems)
    if problems:
        raise InputError(problems)
    return value, lines


def read_value(text: str, source: str) -> Any:
    """The value of `KEY=VALUE` on the command line."""
    problems: list[str] = []
    node = compose(text, source)
    value = None if node is None else plain(node, (), source, {}, problems)
    if problems:
        raise InputError(problems)
    return value


def compose(text: str, source: str) -> yaml.Node | None:
    """The tree of one YAML document without aliases."""
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise InputError(
                    f"{source}:{line}: aliases (*{event.anchor}) are not supported; write the value out"
                )
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
        raise InputError(f"{where}: {error.problem or error.context}; correct the YAML there") from None
    except yaml.YAMLError as error:
        raise InputError(f"{source}: {' '.join(str(error).split())}; correct the YAML there") from None
    except RecursionError:
        raise InputError(f"{source} is nested too deeply; a recipe has three levels") from None


def plain(node: yaml.Node, place: Place, source: str, lines: dict[Place, int], problems: list[str]) -> Any:
    """A node as plain data; notes the lines of keys, and what is wrong, on the way."""
    if not node.tag.startswith("tag:yaml.org,2002:") or "python" in node.tag:
        problems.append(f"{source}:{node.start_mark.line + 1}: tag {node.tag!r} is not allowed; remove it")
        return None
    if isinstance(node, yaml.MappingNode):
        return dict(entries(node, place, source, lines, problems))
    if isinstance(node, yaml.SequenceNode):
        return [plain(item, (*place, str(i)), source, lines, problems) for i, item in enumerate(node.value)]
    unquoted = isinstance(node, yaml.ScalarNode) and node.style is None
    return None if unquoted and node.value in NULLS else node.value


def entries(
    node: yaml.MappingNode, place: Place, source: str, lines: dict[Place, int], problems: list[str]
) -> Iterator[tuple[str, Any]]:
    """The keys and values of a mapping; a key given twice is a problem."""
    seen: dict[str, int] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            problems.append(f"{source}:{line}: a key must be a word; write it as one")
            continue
        key = str(key_node.value)
        if key in seen:
            problems.append(f"{source}:{line}: key {key!r} is already given in line {seen[key]}; remove one")
            continue
        seen[key] = lines[(*place, key)] = line
        yield key, plain(value_node, (*place, key), source, lines, problems)
