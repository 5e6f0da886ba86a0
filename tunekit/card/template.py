"""The text of a card from a template, the shipped one or the user's own; nothing in a value is a template."""

import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tunekit.card.example import BARE, EXAMPLE
from tunekit.card.markdown import escape, fenced, linked
from tunekit.console import duration, score
from tunekit.errors import InputError, first_line, listing, nearest

SHIPPED = Path(__file__).with_name("template.md.jinja")
NAME = "<template>"  # what Jinja calls a template without a file


def render(facts: Mapping[str, Any], template: Path | None) -> str:
    """The text of a card.

    Raises:
        InputError: the template cannot be filled in.
    """
    return filled(template or SHIPPED, facts).strip("\n") + "\n"


def check_template(path: Path) -> None:
    """Fill a template in with the facts of an example, and of one of which little is known.

    Raises:
        InputError: it cannot be read, is no template, or wants what no card knows.
    """
    for facts in (EXAMPLE, BARE):
        filled(path, facts)


def filled(path: Path, facts: Mapping[str, Any]) -> str:
    """A template with its variables; each kind of failure names the file and the line."""
    import jinja2

    source, made = read(path), environment()
    try:
        refuse_unknown(path, made.parse(source))
        return str(made.from_string(source).render(facts))
    except jinja2.TemplateSyntaxError as error:
        raise InputError(f"{path}, line {error.lineno}: {first_line(error)}; correct the template") from None
    except InputError:
        raise
    except Exception as error:  # of as many kinds as there are expressions in templates
        raise InputError(
            f"{path}, line {line_of(error)}: {first_line(error)}; correct the template"
        ) from None


def read(path: Path) -> str:
    """The source of a template.

    Raises:
        InputError: there is none, or it brings metadata of its own.
    """
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InputError(
            f"hub.card {str(path)!r} cannot be read ({first_line(error)}); give a text file with a template"
        ) from None
    if source.lstrip().startswith("---"):
        raise InputError(
            f"{path}, line 1: the metadata between --- is made from the run; remove it from the template"
        )
    return source


def refuse_unknown(path: Path, tree: Any) -> None:
    """Refuse a template with variables that no card has.

    Raises:
        InputError: it has some; each is named with its line.
    """
    from jinja2 import meta, nodes

    unknown = meta.find_undeclared_variables(tree) - EXAMPLE.keys()
    places = {
        node.name: node.lineno for node in reversed(list(tree.find_all(nodes.Name))) if node.name in unknown
    }
    problems = [
        f"{path}, line {line}: {name!r} is an unknown variable{nearest(name, EXAMPLE)}; "
        f"the variables are {listing(EXAMPLE)}: correct or remove it"
        for name, line in sorted(places.items(), key=lambda item: item[1])
    ]
    if problems:
        raise InputError(problems)


def environment() -> Any:
    """Templates that can do nothing but write, and in which every value is escaped as Markdown."""
    import jinja2
    from jinja2.sandbox import SandboxedEnvironment
    from markupsafe import Markup

    def shown(value: Any) -> Any:
        """A value in its place: what is ready stays, the rest is escaped; None is nothing."""
        if hasattr(value, "__html__") or isinstance(value, jinja2.Undefined):
            return value
        return Markup("" if value is None else escape(value))

    made = SandboxedEnvironment(
        autoescape=True,
        finalize=shown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {
        "number": score,
        "duration": duration,
        "words": lambda value: value if isinstance(value, str) else ", ".join(value),
        "fenced": lambda *given: Markup(fenced(*given)),
        "link": lambda address: Markup(linked(address)),
    }
    return made


def line_of(error: Exception) -> int:
    """The line of a template at which an exception came up."""
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame.lineno or 1 for frame in reversed(frames) if frame.filename == NAME), 1)
