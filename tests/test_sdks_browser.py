"""The browser clients, unmodified, in a real chromium on another origin than the collector's: `make test-sdks`."""

import pytest

from tests.sdks.clients import PAGE_RUNS
from tests.sdks.house import Run
from tests.sdks.pages import drive_pages
from tests.sdks.telling import Told

pytestmark = pytest.mark.sdks


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return Told.to_collector(PAGE_RUNS, tmp_path_factory.mktemp("sdks") / "data", drive_pages)


@pytest.mark.parametrize("run", PAGE_RUNS, ids=lambda run: run.name)
def test_client_is_content_and_the_views_show_what_it_meant(told: Told, run: Run) -> None:
    told.judge(run)


def test_nothing_was_refused_and_nobody_else_is_there(told: Told) -> None:
    told.judge_all_together()
