"""Retention: known tables, calendar intervals across clock changes, every option, and random stories."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.asking import ask, ask_people, rows_sql, scope_of
from models.breakdown import Breakdown
from models.calendar import Calendar, Period
from models.errors import QuestionError
from models.filters import PropertyFilter
from models.matching import EventMatch, Step
from models.retention import KIND, RetentionInterval, RetentionNumber, RetentionQuestion, RetentionRow, RetentionValue
from tests.examples import examples
from tests.retention_oracle import RetentionOracle, group_asked
from tests.worlds import PropertyValue, StoryEvent, World, at, person_id, world
from warehouse.reader import EventProperty

UTC_CALENDAR = Calendar()
NEW_YORK = ZoneInfo("America/New_York")
DAY_S = 24 * 60 * 60


def table(
    question: RetentionQuestion, snapshot: World, calendar: Calendar = UTC_CALENDAR
) -> dict[str, tuple[int, ...]]:
    """The retained counts of each cohort, by its first day."""
    counts: dict[str, tuple[int, ...]] = {}
    for row in ask(KIND, question, snapshot, calendar).rows:
        name = row.cohort_start.date().isoformat()
        counts[name] = (*counts.get(name, ()), row.retained_count)
    return counts


def people(question: RetentionQuestion, snapshot: World, of: RetentionNumber) -> set[str]:
    """Who is behind a number, by the ids their events were sent as."""
    return set(ask_people(KIND, question, of, snapshot, UTC_CALENDAR).subjects)


def day(number: float) -> datetime:
    """Noon of the n-th day of January 2024, UTC."""
    return at((number - 1) * DAY_S + DAY_S / 2)


def local(day_of_january: int) -> datetime:
    """The first moment of a day of January 2024, local wherever it is asked."""
    return datetime(2024, 1, day_of_january)  # noqa: DTZ001  # local by what it means


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

    answer = ask(KIND, RetentionQuestion(periods=2), snapshot, UTC_CALENDAR)

    def row(start: int, size: int, index: int, count: int, mean: float | None, *, is_finished: bool) -> RetentionRow:
        return RetentionRow(
            breakdown=[],  # type: ignore[arg-type]  # as it comes from the table
            cohort_start=local(start),
            cohort_size=size,
            period_index=index,
            first_interval=index,
            last_interval=index,
            retained_count=count,
            retention_rate=count / size if size else None,
            churned_count=size - count,
            churn_rate=(size - count) / size if size else None,
            average_retention_rate=mean,
            value=None,
            is_finished=is_finished,
        )

    assert answer.watermark == "6 events"
    # One of the two of the 1st and none of the one of the 2nd came a day later; the 4th is not over.
    assert answer.rows == (
        row(1, 2, 0, 2, 1.0, is_finished=True),
        row(1, 2, 1, 1, 1 / 3, is_finished=True),
        row(1, 2, 2, 0, 0.0, is_finished=True),
        row(2, 1, 0, 1, 1.0, is_finished=True),
        row(2, 1, 1, 0, 1 / 3, is_finished=True),
        row(2, 1, 2, 1, 0.0, is_finished=False),
        row(3, 0, 0, 0, 1.0, is_finished=True),
        row(3, 0, 1, 0, 1 / 3, is_finished=False),
        row(4, 2, 0, 2, 1.0, is_finished=False),
    )


def test_a_first_time_is_of_all_time_and_only_one() -> None:
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
    period = Period(start=local(4))
    sign, visit = Step.of("sign"), Step.of("visit")

    first_time = RetentionQuestion(start=sign, returning=visit, periods=2, mode="first_time", period=period)
    recurring = RetentionQuestion(start=sign, returning=visit, periods=2, mode="recurring", period=period)

    assert table(first_time, snapshot) == {
        "2024-01-04": (0, 0, 0),
        "2024-01-05": (1, 0, 1),
        "2024-01-06": (0, 0),
        "2024-01-07": (0,),
    }
    assert table(recurring, snapshot)["2024-01-05"] == (2, 0, 1)


def test_the_first_ever_sign_up_must_itself_be_of_the_full_plan() -> None:
    # Ann first signs the free plan, Bob the full one at once; at the same moment, what was sent first came first.
    snapshot = world(
        [
            StoryEvent("ann", "sign", day(1), properties={"plan": "free"}),
            StoryEvent("ann", "sign", day(1), properties={"plan": "full"}),
            StoryEvent("bob", "sign", day(1), properties={"plan": "full"}),
            StoryEvent("bob", "sign", day(1), properties={"plan": "free"}),
        ]
    )
    full = Step.of("sign", PropertyFilter("plan", "eq", "full"))

    assert table(RetentionQuestion(start=full, mode="first_time", periods=0), snapshot) == {"2024-01-01": (2,)}
    first_ever = RetentionQuestion(start=full, mode="first_ever", periods=0)
    assert table(first_ever, snapshot) == {"2024-01-01": (1,)}
    assert people(first_ever, snapshot, RetentionNumber(cohort_start=local(1))) == {str(person_id("bob"))}


def test_the_table_ends_with_the_interval_of_the_newest_event_of_any_name() -> None:
    snapshot = world([StoryEvent("ann", "sign", day(1)), StoryEvent("bob", "other", day(3))])

    assert table(RetentionQuestion(start=Step.of("sign"), periods=5), snapshot) == {
        "2024-01-01": (1, 0, 0),
        "2024-01-02": (0, 0),
        "2024-01-03": (0,),
    }


def test_a_period_is_widened_to_whole_intervals() -> None:
    snapshot = world(
        [
            # The week of Monday the 8th, though the period starts on Wednesday; the last week runs to its Sunday.
            StoryEvent("ann", "visit", day(7)),
            StoryEvent("ann", "visit", day(8)),
            StoryEvent("ann", "visit", day(21)),
            StoryEvent("ann", "visit", day(22)),
        ]
    )
    question = RetentionQuestion(interval="week", periods=3, period=Period(day(10), day(16)))

    assert table(question, snapshot) == {"2024-01-08": (1, 1), "2024-01-15": (1,)}


def test_returns_after_the_period_count_where_that_is_asked() -> None:
    # The cohorts of the first two days; Ann is back on the 3rd and 5th.
    snapshot = world([StoryEvent("ann", "visit", day(n)) for n in (1, 3, 5)])
    question = RetentionQuestion(periods=3, period=Period(end=local(3)))

    assert table(question, snapshot) == {"2024-01-01": (1, 0), "2024-01-02": (0,)}
    longer = RetentionQuestion(periods=3, period=Period(end=local(3)), extend_over_end=True)
    assert table(longer, snapshot) == {"2024-01-01": (1, 0, 1, 0), "2024-01-02": (0, 0, 0, 0)}


def test_weeks_start_on_the_day_the_project_says() -> None:
    # Sunday the 7th and Monday the 8th.
    snapshot = world([StoryEvent("ann", "visit", day(7)), StoryEvent("ann", "visit", day(8))])
    question = RetentionQuestion(interval="week", periods=1)

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
    # From her own start it is 23 hours to the second evening, so no whole day of 24; the third is 47 hours away.
    elapsed = RetentionQuestion(periods=2, windows="elapsed")
    assert table(elapsed, snapshot, Calendar("America/New_York"))["2024-03-09"] == (1, 1, 0)


def test_exactly_24_hours_later_is_the_next_period() -> None:
    snapshot = world(
        [StoryEvent("ann", "visit", at(hours * 3600)) for hours in (20, 44)]  # at 20:00 of two days
        + [StoryEvent("bob", "visit", at(hours * 3600)) for hours in (20, 43)]
        + [StoryEvent("cid", "other", at(90 * 3600))]
    )
    question = RetentionQuestion(start=Step.of("visit"), returning=Step.of("visit"), periods=1, windows="elapsed")

    assert table(question, snapshot)["2024-01-01"] == (2, 1)


def test_24_hours_within_a_day_of_25_are_a_cell_that_the_table_does_not_have() -> None:
    berlin, midnight = Calendar("Europe/Berlin"), datetime(2024, 10, 26, 22, tzinfo=UTC)
    snapshot = world([StoryEvent("ann", "visit", midnight + timedelta(hours=hours)) for hours in (0, 24)])
    question = RetentionQuestion(periods=1, windows="elapsed")

    assert table(question, snapshot, berlin) == {"2024-10-27": (1,)}
    beyond = RetentionNumber(cohort_start=datetime(2024, 10, 27), period_index=1)  # noqa: DTZ001  # local, as in rows
    with pytest.raises(QuestionError, match="there is only 0"):
        ask_people(KIND, question, beyond, snapshot, berlin)


def test_an_hour_is_over_when_the_next_begins_though_it_comes_twice() -> None:
    # At 3:00 the clocks of Berlin go back to 2:00, which is 1:00 UTC; Ann's last event is in the first hour of the two.
    one = datetime(2024, 10, 26, 23, tzinfo=UTC)
    snapshot = world([StoryEvent("ann", "visit", one + timedelta(minutes=minutes)) for minutes in (0, 70)])
    question = RetentionQuestion(interval="hour", periods=0, timezone="Europe/Berlin")

    finished = {row.cohort_start.hour: row.is_finished for row in ask(KIND, question, snapshot, UTC_CALENDAR).rows}

    assert finished == {1: True, 2: False}


def test_the_largest_groups_are_those_who_start_in_the_period() -> None:
    # Many had come by the web before, and many do after.
    before_and_after = [("ann", 1), ("bob", 1), ("cid", 1), ("dan", 9), ("eve", 9), ("fay", 9)]
    here = [("gil", 5, "web"), ("hal", 5, "app"), ("ida", 5, "app")]
    snapshot = world(
        [
            StoryEvent(name, "sign", day(number), properties={"by": by})
            for name, number, by in (*((name, number, "web") for name, number in before_and_after), *here)
        ]
    )
    question = RetentionQuestion(
        mode="first_time",
        periods=0,
        period=Period(local(5), local(6)),
        extend_over_end=True,
        breakdown=Breakdown.of("by", limit=1),
    )

    rows = ask(KIND, question, snapshot, UTC_CALENDAR).rows

    assert [(row.breakdown, row.cohort_size) for row in rows] == [(["app"], 2), (None, 1)]


def test_rolling_counts_whoever_is_still_there_later() -> None:
    # Ann is back on the 2nd and 4th, Bob on the 3rd.
    snapshot = world([StoryEvent("ann", "visit", day(n)) for n in (1, 2, 4)] + [StoryEvent("bob", "visit", day(1.2))])
    question = RetentionQuestion(periods=3, rolling=True, mode="first_time")

    assert table(question, snapshot)["2024-01-01"] == (2, 1, 1, 1)


def test_brackets_are_stretches_of_periods() -> None:
    # Ann returns on the 2nd and 4th day after, Bob on the 6th.
    snapshot = world(
        [StoryEvent("ann", "visit", day(n)) for n in (1, 3, 5)] + [StoryEvent("bob", "visit", day(n)) for n in (1, 7)]
    )
    question = RetentionQuestion(brackets=(2, 5), mode="first_time")

    rows = ask(KIND, question, snapshot, UTC_CALENDAR).rows[:3]

    assert [(row.first_interval, row.last_interval, row.retained_count) for row in rows] == [
        (0, 0, 2),
        (1, 2, 1),
        (3, 7, 2),
    ]
    assert [row.is_finished for row in rows] == [True, True, False]


def test_period_0_counts_everyone_or_only_who_returned_in_it() -> None:
    snapshot = world(
        [
            # Ann pays after she signs, Bob before; Cid never.
            StoryEvent("ann", "sign", day(1)),
            StoryEvent("ann", "pay", day(1.1)),
            StoryEvent("bob", "pay", day(0.9)),
            StoryEvent("bob", "sign", day(1)),
            StoryEvent("cid", "sign", day(1)),
        ]
    )

    def first_column(period_0: Any) -> tuple[int, ...]:
        question = RetentionQuestion(start=Step.of("sign"), returning=Step.of("pay"), period_0=period_0)
        return table(question, snapshot)["2024-01-01"]

    assert first_column("cohort") == (3,)
    assert first_column("returned") == (2,)
    assert first_column("returned_later") == (1,)


def test_what_those_who_came_back_spent() -> None:
    snapshot = world(
        [
            StoryEvent("ann", "pay", day(1), properties={"amount": 10.0}),
            StoryEvent("ann", "pay", day(1.1), properties={"amount": 5.0}),
            StoryEvent("ann", "pay", day(2), properties={"amount": 20.0}),
            StoryEvent("bob", "pay", day(1), properties={"amount": 1.0}),
            StoryEvent("bob", "pay", day(2)),
        ]
    )

    def values(aggregate: Any) -> list[float | None]:
        question = RetentionQuestion(periods=1, value=RetentionValue("amount", aggregate=aggregate))
        return [row.value for row in ask(KIND, question, snapshot, UTC_CALENDAR).rows]

    assert values("sum") == [16, 20, 20]
    assert values("average") == [8, 10, 10]


def test_a_breakdown_asks_every_group_for_its_own_events_or_puts_each_where_it_started() -> None:
    # Ann starts on the web and comes back with the app.
    snapshot = world(
        [
            StoryEvent("ann", "visit", day(1), properties={"by": "web"}),
            StoryEvent("ann", "visit", day(2), properties={"by": "app"}),
            StoryEvent("bob", "visit", day(1), properties={"by": "app"}),
        ]
    )

    def counts(attribution: Any, limit: int | None = None) -> list[tuple[Any, int, int]]:
        breakdown = Breakdown.of("by", limit=limit)
        question = RetentionQuestion(periods=1, breakdown=breakdown, attribution=attribution, mode="first_time")
        rows = ask(KIND, question, snapshot, UTC_CALENDAR).rows
        return [(row.breakdown, row.period_index, row.retained_count) for row in rows if row.cohort_start == local(1)]

    assert counts("all_events") == [(["app"], 0, 1), (["app"], 1, 0), (["web"], 0, 1), (["web"], 1, 0)]
    assert counts("start") == [(["app"], 0, 1), (["app"], 1, 0), (["web"], 0, 1), (["web"], 1, 1)]
    # The app has two people with a start, the web is the rest.
    assert counts("all_events", limit=1) == [(["app"], 0, 1), (["app"], 1, 0), (None, 0, 1), (None, 1, 0)]


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
    assert ask(KIND, RetentionQuestion(), world([]), UTC_CALENDAR).rows == ()


def test_the_printed_sql_gives_the_answers_numbers() -> None:
    snapshot = world([StoryEvent("ann", "visit", day(n), properties={"plan": "full"}) for n in (1, 2, 4)])
    match = Step.of("visit", PropertyFilter("plan", "contains", "FUL"))
    question = RetentionQuestion(start=match, returning=match, periods=3)

    answer = ask(KIND, question, snapshot, UTC_CALENDAR)

    [statement] = answer.sql
    assert statement.sql == rows_sql(KIND, question, scope_of(question, snapshot, UTC_CALENDAR))
    assert tuple(RetentionRow(**row) for row in snapshot.query(statement.sql).to_pylist()) == answer.rows


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"periods": -1}, "periods is -1: ask for 0 to 366"),
        ({"interval": "minute"}, "interval cannot be 'minute': choose one of 'hour', 'day'"),
        ({"interval": "month", "windows": "elapsed"}, "A month has no fixed length: ask for elapsed hours, days or"),
        ({"brackets": (3, 0)}, "brackets are lengths of 1 or more"),
        ({"min_occurrences": 0}, "who returns has at least 1 event"),
        ({"attribution": "start"}, "name a breakdown too"),
    ],
)
def test_a_question_says_what_is_wrong_with_it(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(QuestionError, match=sentence):
        RetentionQuestion(**wrong)


# Around both clock changes of 2024 in New York and Berlin, an event every few hours, often at the same moment.
CLOCK_CHANGES = (datetime(2024, 3, 8, tzinfo=UTC), datetime(2024, 11, 1, tzinfo=UTC), datetime(2024, 3, 29, tzinfo=UTC))
HOURS = (0, 1, 2, 3, 22, 24, 25, 47, 48, 49, 71, 72, 96)
PLANS: tuple[dict[str, PropertyValue], ...] = ({}, {"plan": "full"}, {"plan": "free"}, {"plan": ""})
AMOUNTS: tuple[dict[str, PropertyValue], ...] = ({}, {"amount": 1.0}, {"amount": 2.5})


def a_story(seed: int) -> list[StoryEvent]:
    """Up to 40 events of three people in a few days, evenly drawn: most cells of a table have somebody in them."""
    chosen = Random(seed)  # a story, no secret
    origin = chosen.choice(CLOCK_CHANGES)
    return [
        StoryEvent(
            person=chosen.choice(("ann", "bob", "cid")),
            event=chosen.choice("ab"),
            at=origin + timedelta(hours=chosen.choice(HOURS)),
            account=chosen.choice(("school", None)),
            properties=chosen.choice(PLANS) | chosen.choice(AMOUNTS),
        )
        for _ in range(chosen.choice((1, 5, 20, 40)))
    ]


STORIES = st.integers(0, 10**9).map(a_story)
STEPS = st.sampled_from(
    [
        Step.of(None),
        Step.of("a"),
        Step.of("b"),
        Step.of("a", PropertyFilter("plan", "neq", "free")),
        Step((EventMatch("a", (PropertyFilter("plan", "eq", "full"),)), EventMatch("b"))),
    ]
)
NAIVE_START = datetime(2024, 3, 9, 12)  # noqa: DTZ001
PERIODS = st.sampled_from(
    [
        Period(),
        Period(start=NAIVE_START),
        Period(datetime(2024, 3, 8, 5, tzinfo=UTC), datetime(2024, 3, 31, tzinfo=UTC)),
    ]
)


@st.composite
def questions(draw: st.DrawFn) -> RetentionQuestion:
    interval: RetentionInterval = draw(st.sampled_from(("hour", "day", "day", "day", *get_args(RetentionInterval))))
    breakdown = draw(st.sampled_from([None, Breakdown.of("plan"), Breakdown.of("plan", limit=1)]))
    is_fixed = interval in ("hour", "day", "week")
    period = draw(PERIODS if interval != "hour" else PERIODS.filter(lambda period: period.end is not None))
    return RetentionQuestion(
        start=draw(STEPS),
        returning=draw(STEPS),
        interval=interval,
        periods=draw(st.integers(0, 4)),
        brackets=draw(st.sampled_from([(), (), (), (1, 2), (3,)])),
        mode=draw(st.sampled_from(["recurring", "first_time", "first_ever"])),
        windows=draw(st.sampled_from(["calendar", "calendar", "elapsed"])) if is_fixed else "calendar",
        rolling=draw(st.sampled_from([False, False, True])),
        min_occurrences=draw(st.sampled_from([1, 1, 2])),
        period_0=draw(st.sampled_from(["cohort", "cohort", "returned", "returned_later"])),
        extend_over_end=draw(st.booleans()),
        value=draw(st.sampled_from([None, RetentionValue("amount"), RetentionValue("amount", aggregate="average")])),
        breakdown=breakdown,
        attribution=draw(st.sampled_from(["all_events", "start"])) if breakdown else "all_events",
        period=period,
        where=draw(st.sampled_from([(), (PropertyFilter("plan", "neq", "full"),)])),
        by=draw(st.sampled_from(["person", "account", "distinct_id"])),
    )


def rounded(row: dict[str, Any]) -> dict[str, Any]:
    """A row whose rates and values are compared to nine digits."""
    return {name: round(value, 9) if isinstance(value, float) else value for name, value in row.items()}


@examples(60)
@given(
    events=STORIES,
    question=questions(),
    timezone=st.sampled_from(["UTC", "Asia/Shanghai", "America/New_York", "Europe/Berlin"]),
    week_start=st.sampled_from(["monday", "sunday"]),
    data=st.data(),
)
def test_random_stories_agree_with_the_oracle(
    events: list[StoryEvent], question: RetentionQuestion, timezone: str, week_start: Any, data: st.DataObject
) -> None:
    calendar = Calendar(timezone, week_start)
    snapshot = world(events, [EventProperty("plan", "text"), EventProperty("amount", "number")])
    oracle = RetentionOracle(question, calendar, events)

    answer = ask(KIND, question, snapshot, calendar, "missing")

    assert [rounded(vars(row)) for row in answer.rows] == list(map(rounded, oracle.rows))
    if not oracle.people:
        return
    group, start, index, outcome = data.draw(st.sampled_from(sorted(oracle.people, key=str)))
    of = RetentionNumber(
        cohort_start=start,
        period_index=index,
        outcome=outcome,
        breakdown=group_asked(group),
    )
    found = ask_people(KIND, question, of, snapshot, calendar, absent="missing")
    assert list(found.subjects) == sorted(oracle.people[group, start, index, outcome])
    assert found.count == len(found.subjects)
