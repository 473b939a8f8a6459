"""The Python clients, unmodified, against a real collector: what each meant to send is what the views show."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.sdks.clients import PYTHON_RUNS, is_dry
from tests.sdks.house import Run, Views, drive
from tests.sdks.judging import judge
from tests.sdks.scenario import story
from tests.sdks.telling import Told


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return Told.to_collector(PYTHON_RUNS, tmp_path_factory.mktemp("sdks") / "data", drive)


@pytest.mark.parametrize("run", PYTHON_RUNS, ids=lambda run: run.name)
def test_client_is_content_and_the_views_show_what_it_meant(told: Told, run: Run) -> None:
    told.judge(run)


def test_nothing_was_refused_and_nobody_else_is_there(told: Told) -> None:
    told.judge_all_together()


SPOILED: dict[str, Callable[[Views], Views]] = {
    "an event is missing": lambda views: replace(views, events=views.events[1:]),
    "an event is there twice": lambda views: replace(views, events=[*views.events, views.events[0]]),
    "a value is another": lambda views: replace(
        views, events=[row | {"properties": row["properties"] | {"channel": "?"}} for row in views.events]
    ),
    "a time is another": lambda views: replace(
        views, events=[row | {"event_at": row["event_at"] + timedelta(milliseconds=1)} for row in views.events]
    ),
    "a call is missing": lambda views: replace(views, calls=views.calls[:-1]),
    "a profile is empty": lambda views: replace(views, persons=[row | {"properties": None} for row in views.persons]),
    "an identity is missing": lambda views: replace(
        views, identities=[row for row in views.identities if row["identity_key"] != "$identity_anonymous_id"]
    ),
    "an account has no member": lambda views: replace(
        views, accounts=[row | {"person_count": 0} for row in views.accounts]
    ),
}


@pytest.mark.parametrize("what", SPOILED)
def test_the_judge_sees_that(told: Told, what: str) -> None:
    spoiled = SPOILED[what](told.views)
    with pytest.raises(AssertionError):
        for run in PYTHON_RUNS:
            if not is_dry(run):
                judge(spoiled, story(run.name), told.said[run.name])
