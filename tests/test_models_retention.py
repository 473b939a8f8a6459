"""N-period retention: known tables, calendar units across clock changes, and random stories judged by the oracle."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.calendar import Calendar, Period, TimeUnit, WeekStart
from models.errors import QuestionError
from models.filters import PropertyFilter
from models.matching import EventMatch
from models.retention import RetentionCohort, RetentionMode, RetentionQuestion, answer_retention, build_retention_sql
from tests.oracles import retention_oracle
from tests.worlds import StoryEvent, World, at, world
from warehouse.reader import EventProperty

UTC_CALENDAR = Calendar()
NEW_YORK = ZoneInfo("America/New_York")
DAY_S = 24 * 60 * 60


def table(
    question: RetentionQuestion, snapshot: World, calendar: Calendar = UTC_CALENDAR
) -> dict[str, tuple[int, ...]]:
    cohorts = answer_retention(question, calendar, snapshot).cohorts
    return {cohort.cohort_date.isoformat(): cohort.retained_counts for cohort in cohorts}


def day(number: int) -> datetime:
    """Noon of the n-th day of January 2024, UTC."""
    return at((number - 1) * DAY_S + DAY_S / 2)


def test_a_cohort_returns_in_exactly_the_nth_day_after() -> None:
    snapshot = world(
        [
            # Ann comes on the 1st, 2nd and 4th; Bob on the 1st (twice) and 4th; nobody new on the 3rd.
            StoryEvent("ann", "visit", day(1)),
            StoryEvent("ann", "visit", day(2)),
            StoryEvent("ann", "visit", day(4)),
            StoryEvent("bob", "visit", day(1)),
            StoryEvent("bob", "visit", day(1) + timedelta(hours=1)),
            StoryEvent("bob", "visit", day(4)),
        ]
    )

    answer = answer_retention(RetentionQuestion(periods=2), UTC_CALENDAR, snapshot)

    assert answer.watermark == "6 events"
    assert answer.cohorts == (
        RetentionCohort(date(2024, 1, 1), 2, (2, 1, 0), (1.0, 0.5, 0.0)),
        RetentionCohort(date(2024, 1, 2), 1, (1, 0, 1), (1.0, 0.0, 1.0)),
        RetentionCohort(date(2024, 1, 3), 0, (0, 0), (None, None)),
        RetentionCohort(date(2024, 1, 4), 2, (2,), (1.0,)),
    )


def test_first_time_puts_each_person_into_one_cohort_only() -> None:
    snapshot = world(
        [
            # Ann's first sign-up ever lies before the period: she is in no cohort. Bob's first is on the 5th.
            StoryEvent("ann", "sign", day(1)),
            StoryEvent("ann", "sign", day(5)),
            StoryEvent("bob", "sign", day(5)),
            StoryEvent("bob", "sign", day(6)),
            StoryEvent("bob", "visit", day(7)),
        ]
    )
    sign, visit = EventMatch("sign"), EventMatch("visit")
    period = Period(start=day(4))

    first_time = RetentionQuestion(sign, visit, periods=2, mode="first_time", period=period)
    recurring = RetentionQuestion(sign, visit, periods=2, mode="recurring", period=period)

    assert table(first_time, snapshot) == {
        "2024-01-04": (0, 0, 0),
        "2024-01-05": (1, 0, 1),
        "2024-01-06": (0, 0),
        "2024-01-07": (0,),
    }
    assert table(recurring, snapshot)["2024-01-05"] == (2, 0, 1)


def test_the_table_ends_with_the_unit_of_the_newest_event_of_any_name() -> None:
    snapshot = world([StoryEvent("ann", "sign", day(1)), StoryEvent("bob", "other", day(3))])

    assert table(RetentionQuestion(EventMatch("sign"), periods=5), snapshot) == {
        "2024-01-01": (1, 0, 0),
        "2024-01-02": (0, 0),
        "2024-01-03": (0,),
    }


def test_a_period_is_widened_to_whole_units() -> None:
    snapshot = world(
        [
            # The week of Monday the 8th, though the period starts on Wednesday; the last week runs to its Sunday.
            StoryEvent("ann", "visit", day(7)),
            StoryEvent("ann", "visit", day(8)),
            StoryEvent("ann", "visit", day(21)),
            StoryEvent("ann", "visit", day(22)),
        ]
    )
    question = RetentionQuestion(unit="week", periods=3, period=Period(day(10), day(16)))

    assert table(question, snapshot) == {"2024-01-08": (1, 1), "2024-01-15": (1,)}


def test_weeks_start_on_the_day_the_project_says() -> None:
    # Sunday the 7th and Monday the 8th.
    snapshot = world([StoryEvent("ann", "visit", day(7)), StoryEvent("ann", "visit", day(8))])
    question = RetentionQuestion(unit="week", periods=1)

    assert table(question, snapshot, Calendar(week_start="monday")) == {"2024-01-01": (1, 1), "2024-01-08": (1,)}
    assert table(question, snapshot, Calendar(week_start="sunday")) == {"2024-01-07": (1,)}


def test_days_are_local_days_also_when_the_clock_changes() -> None:
    snapshot = world(
        [
            # New York, March 2024: the 10th has 23 hours. Late evening of the 9th, the 10th and the 11th.
            StoryEvent("ann", "visit", datetime(2024, 3, 9, 23, 30, tzinfo=NEW_YORK)),
            StoryEvent("ann", "visit", datetime(2024, 3, 10, 23, 30, tzinfo=NEW_YORK)),
            StoryEvent("ann", "visit", datetime(2024, 3, 11, 23, 30, tzinfo=NEW_YORK)),
        ]
    )

    assert table(RetentionQuestion(periods=2), snapshot, Calendar("America/New_York")) == {
        "2024-03-09": (1, 1, 1),
        "2024-03-10": (1, 1),
        "2024-03-11": (1,),
    }


def test_a_day_begins_at_midnight_in_the_projects_zone() -> None:
    # 15:59 and 16:00 UTC are the two sides of midnight in Shanghai.
    snapshot = world([StoryEvent("ann", "visit", at(16 * 3600 - 60)), StoryEvent("ann", "visit", at(16 * 3600))])

    assert table(RetentionQuestion(periods=1), snapshot, Calendar("Asia/Shanghai")) == {
        "2024-01-01": (1, 1),
        "2024-01-02": (1,),
    }
    assert table(RetentionQuestion(periods=1), snapshot) == {"2024-01-01": (1,)}


def test_accounts_return_through_any_of_their_persons() -> None:
    snapshot = world(
        [
            StoryEvent("teacher", "visit", day(1), account="school"),
            StoryEvent("principal", "visit", day(2), account="school"),
            StoryEvent("parent", "visit", day(1)),
        ]
    )

    assert table(RetentionQuestion(periods=1, by="account"), snapshot) == {"2024-01-01": (1, 1), "2024-01-02": (1,)}


def test_no_events_make_an_empty_table() -> None:
    assert answer_retention(RetentionQuestion(), UTC_CALENDAR, world([])).cohorts == ()


def test_the_printed_sql_gives_the_answers_numbers() -> None:
    snapshot = world([StoryEvent("ann", "visit", day(n), properties={"plan": "full"}) for n in (1, 2, 4)])
    match = EventMatch("visit", (PropertyFilter("plan", "contains", "FUL"),))
    question = RetentionQuestion(match, match, periods=3)

    answer = answer_retention(question, UTC_CALENDAR, snapshot)

    [statement] = answer.sql
    assert statement.sql == build_retention_sql(question, UTC_CALENDAR, snapshot.event_properties())
    cells = [
        (cohort.cohort_date, cohort.cohort_size, index, count, rate)
        for cohort in answer.cohorts
        for index, (count, rate) in enumerate(zip(cohort.retained_counts, cohort.retention_rates, strict=True))
    ]
    assert [tuple(row.values()) for row in snapshot.query(statement.sql).to_pylist()] == cells


def test_a_question_says_what_is_wrong_with_it() -> None:
    with pytest.raises(QuestionError, match="0 to 366"):
        RetentionQuestion(periods=-1)
    with pytest.raises(QuestionError, match="unit cannot be 'hour': choose one of 'day', 'week', 'month'"):
        RetentionQuestion(unit="hour")  # type: ignore[arg-type]


# Around both clock changes of New York in 2024, an event every few hours.
CLOCK_CHANGES = (datetime(2024, 3, 8, tzinfo=UTC), datetime(2024, 11, 1, tzinfo=UTC))
MOMENTS = st.builds(
    lambda origin, hours: origin + timedelta(hours=hours), st.sampled_from(CLOCK_CHANGES[:1]), st.integers(0, 200)
) | st.builds(lambda days: CLOCK_CHANGES[1] - timedelta(days=days / 4), st.integers(-30, 500))
EVENTS = st.lists(
    st.builds(
        StoryEvent,
        person=st.sampled_from(["ann", "bob", "cid", "dan"]),
        event=st.sampled_from("ab"),
        at=MOMENTS,
        account=st.sampled_from(["school", None]),
        properties=st.fixed_dictionaries({}, optional={"plan": st.sampled_from(["full", "free"])}),
    ),
    max_size=30,
)
MATCHES = st.sampled_from(
    [EventMatch(None), EventMatch("a"), EventMatch("b"), EventMatch("a", (PropertyFilter("plan", "neq", "free"),))]
)
NAIVE_START = datetime(2024, 3, 9, 12)  # noqa: DTZ001
PERIODS = st.sampled_from([Period(), Period(start=NAIVE_START), Period(datetime(2024, 3, 10, 5, tzinfo=UTC), day(90))])


@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(
    events=EVENTS,
    start=MATCHES,
    returning=MATCHES,
    unit=st.sampled_from(["day", "week", "month"]),
    mode=st.sampled_from(["recurring", "first_time"]),
    period=PERIODS,
    by=st.sampled_from(["person", "account"]),
    timezone=st.sampled_from(["UTC", "Asia/Shanghai", "America/New_York"]),
    week_start=st.sampled_from(["monday", "sunday"]),
)
def test_random_stories_agree_with_the_oracle(
    events: list[StoryEvent],
    start: EventMatch,
    returning: EventMatch,
    unit: TimeUnit,
    mode: RetentionMode,
    period: Period,
    by: Any,
    timezone: str,
    week_start: WeekStart,
) -> None:
    question = RetentionQuestion(start, returning, unit, periods=4, mode=mode, period=period, by=by)
    calendar = Calendar(timezone, week_start)

    answer = answer_retention(question, calendar, world(events, [EventProperty("plan", "text")]))

    assert answer.cohorts == retention_oracle(question, calendar, events)
