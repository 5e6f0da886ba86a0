"""The report of a run of any task: one file that is whole, safe and small."""

import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from tests.report.conftest import MODELS
from tunekit.run import Run

RunOf = Callable[[str], Run]
VOID = {"meta", "link", "input", "img", "br"}
every_task = pytest.mark.parametrize("task", MODELS)


def report(run: Run) -> str:
    """The report of a run."""
    return (run.path / "report.html").read_text()


class Nested(HTMLParser):
    """Reads a page and notes elements that are not closed, and all attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open += [] if tag in VOID else [tag]
        self.attributes += [(name, value or "") for name, value in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(name, value or "") for name, value in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, (tag, self.open[-4:])
        self.open.pop()


def parsed(text: str) -> Nested:
    """A page, read."""
    page = Nested()
    page.feed(text)
    page.close()
    return page


@every_task
def test_every_run_has_a_report_with_its_scores(task: str, run_of: RunOf) -> None:
    run = run_of(task)
    text = report(run)
    for split, scores in run.metrics().items():
        first, score = next(iter(scores.items()))
        assert f"<h3>{split}" in text
        assert first in text and f"{score['value']:.4f}" in text


@every_task
def test_its_elements_are_nested_well_and_ids_are_given_once(task: str, run_of: RunOf) -> None:
    page = parsed(report(run_of(task)))
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))


@every_task
def test_nothing_in_it_is_fetched_and_no_code_runs(task: str, run_of: RunOf) -> None:
    text = report(run_of(task))
    page = parsed(text)
    addresses = [value for name, value in page.attributes if name in ("src", "href", "xlink:href")]
    assert all(address.startswith(("#", "data:")) for address in addresses)
    assert all(match.startswith("#") for match in re.findall(r"url\(([^)]*)\)", text))
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "<script" not in text and "@import" not in text
    assert "default-src 'none'" in text
