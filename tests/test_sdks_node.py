"""The Node clients and the mini program's, unmodified, against a real collector: `make test-sdks`."""

import pytest

from tests.sdks.clients import NODE_RUNS
from tests.sdks.house import Run, drive
from tests.sdks.telling import Told

pytestmark = pytest.mark.sdks


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return Told.to_collector(NODE_RUNS, tmp_path_factory.mktemp("sdks") / "data", drive)


@pytest.mark.parametrize("run", NODE_RUNS, ids=lambda run: run.name)
def test_client_is_content_and_the_views_show_what_it_meant(told: Told, run: Run) -> None:
    told.judge(run)


def test_nothing_was_refused_and_nobody_else_is_there(told: Told) -> None:
    told.judge_all_together()
