"""Reports in headless Chromium: nothing is fetched, nothing overflows, the console is silent."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.report import browser as browsers
from tests.report.browser import DESK, PHONE, Browser
from tests.report.conftest import MODELS
from tunekit.comparison import compare_predictions
from tunekit.report.comparison import page
from tunekit.run import Run

pytestmark = pytest.mark.skipif(browsers.CHROMIUM is None, reason="there is no Chromium")
RunOf = Callable[[str], Run]
COMPARISON = "comparison"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browsers.browser(tmp_path_factory.mktemp("profile")) as made:
        yield made


@pytest.fixture(scope="module")
def file_of(run_of: RunOf, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The report of a task's run, or the page of a comparison."""

    def make(name: str) -> Path:
        if name != COMPARISON:
            return run_of(name).path / "report.html"
        paths = [run_of("text-classification").path, run_of("text-classification").path]
        file = tmp_path_factory.mktemp("pages") / "comparison.html"
        file.write_text(page(compare_predictions(paths, ["a/run", "b/run"])))
        return file

    return make


@pytest.mark.parametrize("name", [*MODELS, COMPARISON])
def test_a_page_fetches_nothing_overflows_nowhere_and_raises_nothing(
    name: str, browser: Browser, file_of: Callable[[str], Path]
) -> None:
    file, backgrounds = file_of(name), set()
    for width in (PHONE, DESK):
        for dark in (False, True):
            shown = browser.show(file, width, dark=dark)
            assert shown.fetched == [file.as_uri()]
            assert shown.complaints == []
            assert shown.layout["scroll"] <= shown.layout["client"] == width, shown.layout
            assert shown.layout["wide"] == []
            backgrounds.add(shown.background)
    assert len(backgrounds) == 2  # light and dark


def test_the_browser_notices_what_is_fetched_what_overflows_and_what_complains(
    browser: Browser, tmp_path: Path
) -> None:
    file = tmp_path / "bad.html"
    file.write_text(
        '<!doctype html><meta name="viewport" content="width=device-width">'
        '<img src="there-is-none.png"><div style="width:2000px">wide</div><script>nothing()</script>'
    )
    shown = browser.show(file, PHONE, dark=False)
    assert len(shown.fetched) == 2
    assert shown.complaints
    assert shown.layout["wide"]
