"""Sessions: stories with known measures, and random streams judged by cutting each event by hand."""

from collections.abc import Sequence
from dataclasses import astuple, replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.asking import ask, ask_people
from models.breakdown import Breakdown, BreakdownProperty
from models.calendar import Calendar
from models.errors import QuestionError
from models.matching import EventMatch
from models.sessionizing import SessionCut
from models.sessions import KIND, SessionsNumber, SessionsQuestion, SessionsRow
from tests.examples import examples
from tests.sessions_oracle import session_rows
from tests.test_models_paths import CUTS, PERIODS, story
from tests.worlds import StoryEvent, World, at, person_id, world

UTC_DAYS = Calendar()
BY_EVENT = Breakdown((BreakdownProperty("event_name", of="field"),))


def rows_of(question: SessionsQuestion, snapshot: World) -> list[SessionsRow]:
    """The rows, their groups as tuples."""
    rows = ask(KIND, question, snapshot, UTC_DAYS, "missing").rows
    return [replace(row, breakdown=None if row.breakdown is None else tuple(row.breakdown)) for row in rows]


@pytest.fixture
def classroom() -> World:
    """Ann prepares a lesson for ten minutes and looks in again at night; Bob only opens the app, over midnight."""
    return world(
        [
            StoryEvent("ann", "open", at(0)),
            StoryEvent("ann", "search", at(300)),
            StoryEvent("ann", "print", at(600)),
            StoryEvent("ann", "open", at(2400)),
            StoryEvent("bob", "open", at(86_390)),
            StoryEvent("bob", "search", at(86_400)),
        ]
    )


def test_half_an_hour_of_silence_ends_a_session(classroom: World) -> None:
    assert rows_of(SessionsQuestion(), classroom) == [
        SessionsRow(
            breakdown=(),
            interval_start=None,
            session_count=3,
            subject_count=2,
            sessions_per_subject=1.5,
            event_count=6,
            events_per_session=2,
            average_duration_s=610 / 3,
            median_duration_s=10,
            bounce_count=1,
            bounced_subject_count=1,
            bounce_rate=1 / 3,
        )
    ]


@pytest.mark.parametrize(
    ("cut", "sessions"),
    [
        (SessionCut(gap_s=300), 5),
        (SessionCut(gap_s=300, exact_gap="holds"), 3),
        (SessionCut(gap_s=None), 2),
        (SessionCut(split_by_day=True), 4),
        (SessionCut(gap_s=None, start_events=(EventMatch("search"),)), 4),
        (SessionCut(gap_s=None, end_events=(EventMatch("search"),)), 3),
    ],
)
def test_sessions_are_cut_where_the_question_says(cut: SessionCut, sessions: int, classroom: World) -> None:
    assert sum(row.session_count for row in rows_of(SessionsQuestion(session=cut), classroom)) == sessions


def test_midnight_is_that_of_the_question(classroom: World) -> None:
    question = SessionsQuestion(session=SessionCut(split_by_day=True), timezone="Asia/Shanghai", interval="day")

    assert [(row.interval_start, row.session_count) for row in rows_of(question, classroom)] == [
        (datetime(2024, 1, 1), 2),  # noqa: DTZ001  # local
        (datetime(2024, 1, 2), 1),  # noqa: DTZ001  # local
    ]


def test_the_exit_event_splits_sessions_by_how_they_end(classroom: World) -> None:
    entries, exits = SessionsQuestion(breakdown=BY_EVENT), SessionsQuestion(breakdown=BY_EVENT, attribution="exit")

    assert {row.breakdown: row.session_count for row in rows_of(entries, classroom)} == {("open",): 3}
    assert {row.breakdown: row.session_count for row in rows_of(exits, classroom)} == {
        ("open",): 1,
        ("print",): 1,
        ("search",): 1,
    }


def test_only_included_events_make_a_session(classroom: World) -> None:
    (row,) = rows_of(SessionsQuestion(any_of=(EventMatch("search"),)), classroom)

    assert (row.session_count, row.bounce_count) == (2, 2)


def test_who_bounced_is_named(classroom: World) -> None:
    people = ask_people(KIND, SessionsQuestion(), SessionsNumber(is_bounce=True), classroom, UTC_DAYS)

    assert people.subjects == (str(person_id("ann")),)


def test_a_wrong_question_says_how_to_ask_it() -> None:
    with pytest.raises(QuestionError, match="name the properties in breakdown"):
        SessionsQuestion(attribution="exit")


QUESTIONS = st.builds(
    SessionsQuestion,
    period=PERIODS,
    timezone=st.sampled_from(["UTC", "Europe/Berlin", "Asia/Shanghai"]),
    any_of=st.sampled_from([(), (EventMatch("visit"), EventMatch("pay"))]),
    session=CUTS,
    interval=st.sampled_from([None, "hour", "day", "week"]),
    breakdown=st.sampled_from([Breakdown.of("url"), BY_EVENT, Breakdown((*BY_EVENT.by,), limit=1)]),
    attribution=st.sampled_from(["entry", "exit"]),
)


def ordered(rows: Sequence[SessionsRow]) -> list[tuple[object, ...]]:
    """In a fixed order, measures to a millionth."""
    rounded = [tuple(round(each, 6) if isinstance(each, float) else each for each in astuple(row)) for row in rows]
    return sorted(rounded, key=repr)


@examples(60)
@given(events=story(), question=QUESTIONS)
def test_sessions_are_those_cut_by_hand(events: list[StoryEvent], question: SessionsQuestion) -> None:
    assert ordered(rows_of(question, world(events))) == ordered(session_rows(question, events, UTC_DAYS))


@examples(12)
@given(events=story(), question=QUESTIONS)
def test_the_people_are_as_many_as_every_number(events: list[StoryEvent], question: SessionsQuestion) -> None:
    snapshot = world(events)
    for row in rows_of(question, snapshot):
        group: Any = "other" if row.breakdown is None else row.breakdown
        for is_bounce, count in ((None, row.subject_count), (True, row.bounced_subject_count)):
            of = SessionsNumber(row.interval_start, is_bounce, group)
            assert ask_people(KIND, question, of, snapshot, UTC_DAYS, absent="missing").count == count
