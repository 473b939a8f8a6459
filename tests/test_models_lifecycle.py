"""Lifecycle: known stories of teachers who come, stay, pause and stop; random ones judged by the oracle."""

from datetime import datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.asking import ask, ask_people
from models.calendar import Calendar, Interval, Period
from models.errors import QuestionError
from models.filters import PropertyFilter, PropertyOf
from models.lifecycle import KIND, LifecycleNumber, LifecycleQuestion
from models.matching import EventMatch
from tests.event_streams import PROPERTIES, TIMEZONES, any_of, breakdowns, periods, streams, subjects, wheres
from tests.examples import examples
from tests.lifecycle_oracle import lifecycle_oracle
from tests.retention_oracle import group_asked
from tests.worlds import Carried, StoryEvent, World, at, person_id, world

CALENDAR, BERLIN = Calendar(), Calendar("Europe/Berlin")
DAY_S = 24 * 60 * 60


def day(number: float) -> datetime:
    """Noon of the n-th day of January 2024, UTC."""
    return at((number - 1) * DAY_S + DAY_S / 2)


def local(day_of_january: int) -> datetime:
    """The first moment of a day of January 2024, local wherever it is asked."""
    return datetime(2024, 1, day_of_january)  # noqa: DTZ001  # local by what it means


def counts(question: LifecycleQuestion, snapshot: World) -> list[tuple[int, int, int, int]]:
    """New, returning, resurrecting and dormant, interval by interval."""
    rows = ask(KIND, question, snapshot, CALENDAR).rows
    return [(row.new_count, row.returning_count, row.resurrecting_count, row.dormant_count) for row in rows]


@pytest.fixture(scope="module")
def school() -> World:
    """Ann teaches on the 1st, 2nd and 4th; Bob visits on the 1st and teaches on the 2nd."""
    carried = Carried(persons={"ann": {"created_at": "2024-01-01T08:00:00Z"}, "bob": {"created_at": "soon"}})
    return world(
        [
            StoryEvent("ann", "teach", day(1), properties={"room": "1"}),
            StoryEvent("ann", "teach", day(2), properties={"room": "2"}),
            StoryEvent("ann", "teach", day(4), properties={"room": "1"}),
            StoryEvent("bob", "visit", day(1)),
            StoryEvent("bob", "teach", day(2), properties={"room": "2"}),
        ],
        carried=carried,
    )


def test_who_comes_stays_pauses_and_stops(school: World) -> None:
    assert counts(LifecycleQuestion(), school) == [(2, 0, 0, 0), (0, 2, 0, 0), (0, 0, 0, 2), (0, 0, 1, 0)]
    rows = ask(KIND, LifecycleQuestion(), school, CALENDAR).rows
    assert [row.is_finished for row in rows] == [True, True, True, False]


def test_an_hour_is_finished_when_the_one_that_comes_twice_has_begun() -> None:
    """Berlin's clocks show 2:00 to 3:00 twice, from midnight UTC on."""
    night = datetime(2024, 10, 26, 23, tzinfo=at(0).tzinfo)
    story = world([StoryEvent("ann", "teach", night), StoryEvent("ann", "teach", night + timedelta(hours=1))])
    rows = ask(
        KIND, LifecycleQuestion(interval="hour", period=Period(night, night + timedelta(hours=2))), story, BERLIN
    )

    assert [(row.interval_start.hour, row.is_finished) for row in rows.rows] == [(1, True), (2, False)]


def test_new_is_by_the_first_event_ever_the_first_that_matches_or_a_property(school: World) -> None:
    teach = (EventMatch("teach"),)

    def second_day(**created: Any) -> tuple[int, int, int, int]:
        return counts(LifecycleQuestion(any_of=teach, **created), school)[1]

    # Bob was there the day before, though not to teach; of his creation nothing is known.
    assert second_day() == (0, 1, 1, 0)
    assert second_day(created_by="first_match") == (1, 1, 0, 0)
    by_property = {"created_by": "property", "created_property": PropertyOf("created_at", of="person")}
    assert counts(LifecycleQuestion(any_of=teach, **by_property), school)[:2] == [(1, 0, 0, 0), (0, 1, 1, 0)]  # type: ignore[arg-type]  # any fields


def test_the_interval_before_the_period_is_looked_at(school: World) -> None:
    question = LifecycleQuestion(period=Period(local(3), local(5)))

    assert counts(question, school) == [(0, 0, 0, 2), (0, 0, 1, 0)]
    dormant = LifecycleNumber(interval_start=local(3), status="dormant")
    found = ask_people(KIND, question, dormant, school, CALENDAR)
    assert set(found.subjects) == {str(person_id("ann")), str(person_id("bob"))}


def test_filters_leave_the_first_event_ever_alone(school: World) -> None:
    # Of the events in room 2 Ann has one, on her second day; she is not new there.
    question = LifecycleQuestion(where=(PropertyFilter("room", "eq", "2"),), period=Period(local(2), local(3)))

    assert counts(question, school) == [(0, 0, 2, 0)]


def test_nobody_has_no_lifecycle() -> None:
    assert ask(KIND, LifecycleQuestion(), world([]), CALENDAR).rows == ()


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"any_of": ()}, "leave it out to mean any event"),
        ({"created_by": "property"}, "needs created_property"),
        ({"created_property": PropertyOf("since")}, "read only with created_by 'property', not 'first_event'"),
        ({"created_by": "birth"}, "choose one of 'first_event', 'first_match', 'property'"),
    ],
)
def test_a_question_says_what_is_wrong_with_it(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(QuestionError, match=sentence):
        LifecycleQuestion(**wrong)


CARRIED = Carried(persons={"ann": {"created_at": "2024-03-30T23:30:00Z"}, "bob": {"created_at": "2024-10-27"}})
CREATED: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    (
        {},
        {"created_by": "first_match"},
        {"created_by": "property", "created_property": PropertyOf("created_at", of="person")},
    )
)


@st.composite
def questions(draw: st.DrawFn) -> LifecycleQuestion:
    interval: Interval = draw(st.sampled_from(get_args(Interval)[1:]))
    fields = {**draw(CREATED), **draw(subjects())}
    return LifecycleQuestion(
        any_of=draw(any_of()),
        interval=interval,
        breakdown=draw(breakdowns()),
        period=draw(periods(interval)),
        where=draw(wheres()),
        **fields,
    )


@examples(60)
@given(events=streams(), question=questions(), timezone=st.sampled_from(TIMEZONES), data=st.data())
def test_random_stories_agree_with_the_oracle(
    events: list[StoryEvent], question: LifecycleQuestion, timezone: str, data: st.DataObject
) -> None:
    calendar, snapshot = Calendar(timezone), world(events, PROPERTIES, CARRIED)
    expected, people = lifecycle_oracle(question, calendar, events, CARRIED)

    answer = ask(KIND, question, snapshot, calendar, "missing")

    assert [vars(row) for row in answer.rows] == expected
    if not people:
        return
    group, start, status = data.draw(st.sampled_from(sorted(people, key=str)))
    of = LifecycleNumber(interval_start=start, status=status, breakdown=group_asked(group))  # type: ignore[arg-type]  # a status
    found = ask_people(KIND, question, of, snapshot, calendar, absent="missing")
    behind = people[group, start, status]
    assert (found.count, list(found.subjects)) == (len(behind), sorted(behind))


def test_more_intervals_than_anybody_looks_at_are_refused() -> None:
    century = Period(datetime(1926, 1, 1), datetime(2026, 1, 1))  # noqa: DTZ001  # local by what it means
    with pytest.raises(QuestionError, match="intervals of one hour: ask for 10,000 at most"):
        LifecycleQuestion(interval="hour", period=century)
