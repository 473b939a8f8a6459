"""The Node clients and the mini program's, unmodified, against a real collector: `make test-sdks`."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.sdks.house import Run, Views, collecting, drive, load
from tests.sdks.judging import Kinds, judge, judge_nothing_else
from tests.sdks.scenario import Json, story

pytestmark = pytest.mark.sdks


def node(name: str) -> tuple[str, ...]:
    return ("node", f"tests/sdks/{name}.js")


RUNS = [
    *(Run("sa-sdk-node", mode, node("sensors_node"), alone=True) for mode in ("gzip", "plain", "batch")),
    *(
        Run("sa-sdk-miniprogram", mode, node("sensors_miniprogram"), alone=True)
        for mode in ("batch", "gzip plugin", "single")
    ),
    *(Run("@segment/analytics-node", mode, node("segment_node")) for mode in ("batches", "one by one")),
    *(Run("@rudderstack/rudder-sdk-node", mode, node("rudder_node")) for mode in ("gzip", "plain")),
]


# What the mini program's client sends of its own when somebody opens the mini program.
MINI_PROGRAM: Kinds = Counter(
    {
        ("profile_set_once", None): 1,
        ("track", "$MPLaunch"): 1,
        ("track", "$MPShow"): 1,
        ("track", "$MPViewScreen"): 1,
        ("track", "$MPHide"): 1,
    }
)


@dataclass
class Told:
    """Everything that was said and what became of it."""

    said: dict[str, Json]
    views: Views


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    data = tmp_path_factory.mktemp("sdks") / "data"
    with collecting(data) as url:
        said = drive(RUNS, url)
    yield Told(said, load(data))


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_client_is_content_and_the_views_show_what_it_meant(told: Told, run: Run) -> None:
    tally = judge(told.views, story(run.name), told.said[run.name])
    assert tally.automatic == (MINI_PROGRAM if run.client == "sa-sdk-miniprogram" else Counter())


def test_nothing_was_refused_and_nobody_else_is_there(told: Told) -> None:
    judge_nothing_else(told.views, [story(run.name) for run in RUNS])
