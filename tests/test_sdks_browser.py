"""The browser clients, unmodified, in a real chromium on another origin than the collector's: `make test-sdks`."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.browser import open_browser
from tests.sdks.house import Run, Views, collecting, load
from tests.sdks.judging import Kinds, judge, judge_nothing_else
from tests.sdks.pages import drive_page, serving_pages
from tests.sdks.scenario import Json, story

pytestmark = pytest.mark.sdks

RUNS = [
    *(Run("sa-sdk-javascript", mode, ("sensors_page",)) for mode in ("image", "ajax", "beacon", "batch")),
    *(Run("@segment/analytics-next", mode, ("segment_page",)) for mode in ("single", "batching")),
]
# What the browser client of Sensors sends of its own on a first visit, with `quick("autoTrack")`.
FIRST_VISIT: Kinds = Counter({("profile_set_once", None): 1, ("track", "$pageview"): 1})


@dataclass
class Told:
    """Everything that was said and what became of it."""

    said: dict[str, Json]
    views: Views


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    data = tmp_path_factory.mktemp("sdks") / "data"
    with collecting(data) as url, serving_pages() as pages, open_browser() as browser:
        said = {run.name: drive_page(browser, pages, run, url) for run in RUNS}
    yield Told(said, load(data))


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_client_is_content_and_the_views_show_what_it_meant(told: Told, run: Run) -> None:
    tally = judge(told.views, story(run.name), told.said[run.name])
    assert tally.automatic == (FIRST_VISIT if run.client == "sa-sdk-javascript" else Counter())


def test_nothing_was_refused_and_nobody_else_is_there(told: Told) -> None:
    judge_nothing_else(told.views, [story(run.name) for run in RUNS])
