"""The browser clients, unmodified, in a real chromium on another origin than the collector's: `make test-sdks`."""

from dataclasses import dataclass

import pytest

from tests.browser import open_browser
from tests.sdks.clients import DOCUMENT, PAGE_RUNS, automatic, is_dry, row
from tests.sdks.house import Run, Views, collecting, load
from tests.sdks.judging import judge, judge_nothing_else
from tests.sdks.pages import drive_page, serving_pages
from tests.sdks.scenario import Json, story

pytestmark = pytest.mark.sdks


@dataclass
class Told:
    """Everything that was said and what became of it."""

    said: dict[str, Json]
    views: Views


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    data = tmp_path_factory.mktemp("sdks") / "data"
    with collecting(data) as url, serving_pages() as pages, open_browser() as browser:
        said = {run.name: drive_page(browser, pages, run, url) for run in PAGE_RUNS}
    return Told(said, load(data))


@pytest.mark.parametrize("run", PAGE_RUNS, ids=lambda run: run.name)
def test_client_is_content_and_the_views_show_what_it_meant(told: Told, run: Run) -> None:
    # Count and content are judged in making the row; that what it says is written down is the rest.
    assert row(run, told.said[run.name], told.views) in DOCUMENT.read_text(encoding="utf-8")
    if not is_dry(run):
        assert judge(told.views, story(run.name), told.said[run.name]).automatic == automatic(run)


def test_nothing_was_refused_and_nobody_else_is_there(told: Told) -> None:
    judge_nothing_else(told.views, [story(run.name) for run in PAGE_RUNS if not is_dry(run)])
