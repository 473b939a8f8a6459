"""The Python clients, unmodified, against a real collector: what each meant to send is what the views show."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from tests.sdks.clients import DOCUMENT, PYTHON_RUNS, automatic, is_dry, row
from tests.sdks.house import Run, Views, collecting, drive, load
from tests.sdks.judging import judge, judge_nothing_else
from tests.sdks.scenario import Json, story


@dataclass
class Told:
    """Everything that was said and what became of it."""

    said: dict[str, Json]
    views: Views


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    data = tmp_path_factory.mktemp("sdks") / "data"
    with collecting(data) as url:
        said = drive(PYTHON_RUNS, url)
    return Told(said, load(data))


@pytest.mark.parametrize("run", PYTHON_RUNS, ids=lambda run: run.name)
def test_client_is_content_and_the_views_show_what_it_meant(told: Told, run: Run) -> None:
    # Count and content are judged in making the row; that what it says is written down is the rest.
    assert row(run, told.said[run.name], told.views) in DOCUMENT.read_text(encoding="utf-8")
    if not is_dry(run):
        assert judge(told.views, story(run.name), told.said[run.name]).automatic == automatic(run)


def test_nothing_was_refused_and_nobody_else_is_there(told: Told) -> None:
    judge_nothing_else(told.views, [story(run.name) for run in PYTHON_RUNS if not is_dry(run)])


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
