"""Stickiness: on how many days teachers are there; random stories judged by the oracle."""

from datetime import datetime
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.asking import ask, ask_people
from models.breakdown import Breakdown
from models.calendar import Calendar, Interval, Period
from models.errors import QuestionError
from models.stickiness import KIND, StickinessNumber, StickinessQuestion
from tests.event_streams import PROPERTIES, TIMEZONES, any_of, breakdowns, periods, streams, subjects, wheres
from tests.examples import examples
from tests.retention_oracle import group_asked
from tests.stickiness_oracle import stickiness_oracle
from tests.worlds import StoryEvent, World, at, person_id, world

CALENDAR = Calendar()
DAY_S = 24 * 60 * 60


def day(number: float) -> datetime:
    """Noon of the n-th day of January 2024, UTC."""
    return at((number - 1) * DAY_S + DAY_S / 2)


def counts(question: StickinessQuestion, snapshot: World) -> list[int]:
    """How many are active in one interval, in two, and so on."""
    return [row.subject_count for row in ask(KIND, question, snapshot, CALENDAR).rows]


@pytest.fixture(scope="module")
def school() -> World:
    """Ann is there on four of four days, on the 1st twice; Bob on the 2nd and 3rd; Cid on the 4th."""
    events = [StoryEvent("ann", "visit", day(n), properties={"by": "web"}) for n in (1, 1.1, 2, 3, 4)]
    events += [StoryEvent("bob", "visit", day(n), properties={"by": "app"}) for n in (2, 3)]
    return world([*events, StoryEvent("cid", "visit", day(4), properties={"by": "web"})])


def test_on_how_many_days_people_are_there(school: World) -> None:
    assert counts(StickinessQuestion(), school) == [1, 1, 0, 1]
    assert counts(StickinessQuestion(cumulative=True), school) == [3, 2, 1, 1]
    shares = [row.subject_rate for row in ask(KIND, StickinessQuestion(cumulative=True), school, CALENDAR).rows]
    assert shares == [1, 2 / 3, 1 / 3, 1 / 3]


def test_days_count_in_pairs_from_the_first_of_the_period(school: World) -> None:
    assert counts(StickinessQuestion(interval_count=2), school) == [1, 2]
    # From the 2nd on: the 2nd and 3rd are a pair, the 4th is alone.
    later = Period(datetime(2024, 1, 2), datetime(2024, 1, 5))  # noqa: DTZ001  # local by what it means
    assert counts(StickinessQuestion(interval_count=2, period=later), school) == [2, 1]


def test_only_days_with_enough_and_not_too_many_events_count(school: World) -> None:
    assert counts(StickinessQuestion(min_occurrences=2), school) == [1, 0, 0, 0]
    assert counts(StickinessQuestion(max_occurrences=1), school) == [1, 1, 1, 0]


def test_the_people_behind_two_days_or_more(school: World) -> None:
    found = ask_people(
        KIND, StickinessQuestion(cumulative=True), StickinessNumber(active_intervals=2), school, CALENDAR
    )

    assert set(found.subjects) == {str(person_id("ann")), str(person_id("bob"))}


def test_groups_of_a_breakdown_are_asked_apart(school: World) -> None:
    rows = ask(KIND, StickinessQuestion(breakdown=Breakdown.of("by")), school, CALENDAR).rows

    assert [(row.breakdown, row.active_intervals) for row in rows if row.subject_count] == [
        (["app"], 2),
        (["web"], 1),
        (["web"], 4),
    ]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"any_of": ()}, "leave it out to mean any event"),
        ({"interval_count": 0}, "interval_count is 0: ask for 1 to 366"),
        ({"min_occurrences": 0}, "an active interval has at least 1 event"),
        ({"min_occurrences": 3, "max_occurrences": 2}, "no interval would count"),
    ],
)
def test_a_question_says_what_is_wrong_with_it(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(QuestionError, match=sentence):
        StickinessQuestion(**wrong)


@st.composite
def questions(draw: st.DrawFn) -> StickinessQuestion:
    interval: Interval = draw(st.sampled_from(get_args(Interval)[1:]))
    fields: dict[str, Any] = draw(subjects())
    least = draw(st.sampled_from((1, 1, 2)))
    return StickinessQuestion(
        any_of=draw(any_of()),
        interval=interval,
        interval_count=draw(st.sampled_from((1, 1, 2, 5))),
        min_occurrences=least,
        max_occurrences=draw(st.sampled_from((None, None, least, 2))),
        cumulative=draw(st.booleans()),
        breakdown=draw(breakdowns()),
        period=draw(periods(interval)),
        where=draw(wheres()),
        **fields,
    )


@examples(60)
@given(events=streams(), question=questions(), timezone=st.sampled_from(TIMEZONES), data=st.data())
def test_random_stories_agree_with_the_oracle(
    events: list[StoryEvent], question: StickinessQuestion, timezone: str, data: st.DataObject
) -> None:
    calendar, snapshot = Calendar(timezone), world(events, PROPERTIES)
    expected, people = stickiness_oracle(question, calendar, events)

    answer = ask(KIND, question, snapshot, calendar, "missing")

    assert [vars(row) for row in answer.rows] == expected
    if not people:
        return
    group, active = data.draw(st.sampled_from(sorted(people, key=str)))
    of = StickinessNumber(active_intervals=active, breakdown=group_asked(group))
    found = ask_people(KIND, question, of, snapshot, calendar, absent="missing")
    assert (found.count, list(found.subjects)) == (len(people[group, active]), sorted(people[group, active]))
