"""Trends: stories with known answers, and random streams judged by the oracle."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.asking import ask, ask_people
from models.breakdown import Breakdown
from models.calendar import Calendar, Interval, Period
from models.errors import QuestionError
from models.filters import PropertyFilter, PropertyOf
from models.matching import EventMatch
from models.questions import OTHER
from models.trend import KIND, Comparison, Formula, Series, TrendNumber, TrendQuestion
from models.trend.question import ADDED_UP, OF_PROPERTY, Measure
from tests.event_streams import PROPERTIES, TIMEZONES, any_of, breakdowns, periods, streams, subjects, wheres
from tests.examples import examples
from tests.oracle_periods import subject_of
from tests.trend_oracle import Evaluate, TrendOracle, Value
from tests.worlds import StoryEvent, World, at, world

DAY = 86_400
AMOUNT = PropertyOf("amount")
INTERVALS: tuple[Interval | None, ...] = (None, *get_args(Interval))
MEASURES: tuple[Measure, ...] = get_args(Measure)


def values(question: TrendQuestion, snapshot: World) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """The answer by series, interval and group."""
    answer = ask(KIND, question, snapshot, Calendar(), absent="missing")
    return {
        (row.series_index, row.interval_start, row.breakdown if row.breakdown is None else tuple(row.breakdown)): (
            row.value,
            row.compared_start,
            row.compared_value,
        )
        for row in answer.rows
    }


def midnight(day: str) -> datetime:
    """When a day begins on the project's clock."""
    return datetime.fromisoformat(day)


def _division(over: Value, under: Value) -> Value:
    return None if over is None or not under else over / under


FORMULAS: tuple[tuple[str, Evaluate], ...] = (
    ("A * 100 - 2.5", lambda of: None if (a := of["A"]) is None else a * 100 - 2.5),
    ("1 / A", lambda of: _division(1, of["A"])),
    ("-(A + 1) / (A - 1)", lambda of: None if (a := of["A"]) is None else _division(-(a + 1), a - 1)),
)


@st.composite
def series(draw: st.DrawFn, measures: tuple[Measure, ...]) -> Series:
    measure = draw(st.sampled_from(measures))
    return Series(
        draw(any_of()),
        measure=measure,
        property=AMOUNT if measure in OF_PROPERTY else None,
        percentile=draw(st.sampled_from((0, 90, 33.3))) if measure == "percentile" else None,
        occurrence=draw(
            st.sampled_from(("all", "all", "first_time", "last_time", "first_in_period", "last_in_period"))
        ),
    )


@st.composite
def questions(draw: st.DrawFn) -> tuple[TrendQuestion, list[Evaluate]]:
    interval = draw(st.sampled_from(INTERVALS))
    is_cumulative = draw(st.integers(0, 3)) == 0
    comparison = draw(st.none() | st.builds(Comparison, st.sampled_from(("period", "day", "month")), st.just(1)))
    formulas = draw(st.lists(st.sampled_from(FORMULAS), max_size=1))
    question = TrendQuestion(
        series=tuple(draw(st.lists(series(ADDED_UP if is_cumulative else MEASURES), min_size=1, max_size=2))),
        formulas=tuple(Formula(text) for text, _ in formulas),
        interval=interval,
        breakdown=draw(breakdowns()),
        comparison=comparison,
        cumulative=is_cumulative,
        period=draw(periods(interval, closed=comparison is not None)),
        where=draw(wheres()),
        timezone=draw(st.sampled_from(TIMEZONES)),
        week_start=draw(st.sampled_from(("monday", "sunday"))),
        **draw(subjects()),
    )
    return question, [evaluate for _, evaluate in formulas]


@examples(50)
@given(events=streams(), asked=questions())
def test_every_trend_is_what_counting_event_by_event_gives(
    events: list[StoryEvent], asked: tuple[TrendQuestion, list[Evaluate]]
) -> None:
    question, formulas = asked
    oracle = TrendOracle(question, events, formulas)

    found = values(question, world(events, PROPERTIES))
    expected = oracle.values()

    assert found.keys() == expected.keys()
    for cell, (value, compared_start, compared_value) in expected.items():
        assert found[cell] == (pytest.approx(value), compared_start, pytest.approx(compared_value)), cell


@examples(20)
@given(events=streams(), asked=questions())
def test_the_people_behind_every_number_are_those_who_make_it(
    events: list[StoryEvent], asked: tuple[TrendQuestion, list[Evaluate]]
) -> None:
    question, _ = asked
    oracle, snapshot = TrendOracle(question, events, []), world(events, PROPERTIES)
    periods_asked = {False: question.period}
    if question.comparison:
        periods_asked[True] = question.comparison.period(question.period, question.calendar(Calendar()))
    for is_compared, period in periods_asked.items():
        people = oracle.people(period)
        for (index, start, group), expected in sorted(people.items(), key=str)[:3]:
            number = TrendNumber(index, start, breakdown=OTHER if group is None else group, is_compared=is_compared)

            found = ask_people(KIND, question, number, snapshot, Calendar(), absent="missing")

            assert set(found.subjects) == expected
            assert found.count == len(expected)


SCHOOL = [
    # Ann pays twice, a day apart; Bob only visits, on the third day; Cid pays on the fifth.
    StoryEvent("ann", "pay", at(0), None, {"amount": 50.0, "channel": "ads"}),
    StoryEvent("ann", "pay", at(DAY), None, {"amount": 70.0, "channel": "fair"}),
    StoryEvent("bob", "visit", at(2 * DAY), None, {"channel": "ads"}),
    StoryEvent("cid", "pay", at(4 * DAY), None, {"amount": 30.0, "channel": "ads"}),
]
FIVE_DAYS = Period(at(0), at(5 * DAY))


def line(snapshot: World, *asked: Series, series_index: int = 1, **options: Any) -> list[float | None]:
    """The values of one series, in the order of time."""
    question = TrendQuestion(series=asked, period=options.pop("period", FIVE_DAYS), **options)
    found = values(question, snapshot)
    return [value for (index, _, _), (value, _, _) in sorted(found.items()) if index == series_index]


@pytest.fixture(scope="module")
def school() -> World:
    return world(SCHOOL)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (Series.of("pay"), [1, 1, 0, 0, 1]),
        (Series.of(None), [1, 1, 1, 0, 1]),
        (Series((EventMatch("pay"), EventMatch("visit")), measure="subjects"), [1, 1, 1, 0, 1]),
        (Series((EventMatch("pay"),), measure="sum", property=AMOUNT), [50, 70, 0, 0, 30]),
        (Series((EventMatch("pay"),), measure="average", property=AMOUNT), [50, 70, None, None, 30]),
        (Series((EventMatch("pay"),), measure="subjects", occurrence="first_time"), [1, 0, 0, 0, 1]),
        (Series((EventMatch("pay"),), measure="subjects", occurrence="last_in_period"), [0, 1, 0, 0, 1]),
    ],
)
def test_a_school_week(school: World, asked: Series, expected: list[float | None]) -> None:
    assert line(school, asked) == expected


def test_one_number_of_the_whole_period(school: World) -> None:
    pay = (EventMatch("pay"),)
    asked = (
        Series(pay, measure="subjects"),
        Series(pay, measure="per_subject"),
        Series(pay, measure="sum_per_subject", property=AMOUNT),
        Series(pay, measure="percentile", property=AMOUNT, percentile=25),
        Series(pay, measure="distinct", property=PropertyOf("channel")),
    )

    found = values(TrendQuestion(series=asked, interval=None), school)

    assert [value for value, _, _ in found.values()] == [2, 1.5, 75, 40, 2]


def test_a_formula_over_series_by_letter_and_by_name(school: World) -> None:
    asked = (
        Series((EventMatch("pay"),), measure="sum", property=AMOUNT, name="revenue"),
        Series((EventMatch("pay"),), measure="subjects", name="who paid"),
    )
    formulas = (Formula('revenue / "who paid"', "per payer"), Formula("A / B"), Formula("(A - 50) / 1e1"))

    assert line(school, *asked, formulas=formulas, series_index=3) == [50, 70, None, None, 30]
    assert line(school, *asked, formulas=formulas, series_index=4) == [50, 70, None, None, 30]
    assert line(school, *asked, formulas=formulas, series_index=5) == [0, 2, -5, -5, -2]


def test_totals_that_grow_count_everybody_once(school: World) -> None:
    assert line(school, Series.of("pay"), cumulative=True) == [1, 2, 2, 2, 3]
    assert line(school, Series((EventMatch("pay"),), measure="subjects"), cumulative=True) == [1, 1, 1, 1, 2]


def test_who_is_in_two_small_groups_counts_once_in_the_rest(school: World) -> None:
    # Ann has payments in both groups; "ads" has more of them, and with no group kept she would be one of the rest.
    asked = Series((EventMatch(None),), measure="subjects")
    question = TrendQuestion(series=(asked,), interval=None, breakdown=Breakdown.of("channel", "amount", limit=1))

    found = values(question, school)

    assert {group: value for (_, _, group), (value, _, _) in found.items()} == {("ads", ""): 1, None: 2}
    people = ask_people(KIND, question, TrendNumber(breakdown=OTHER), school, Calendar())
    assert people.count == 2


@pytest.mark.parametrize("cumulative", [False, True])
def test_the_31st_of_january_stands_beside_no_day_of_february(*, cumulative: bool) -> None:
    story = world([StoryEvent("ann", "visit", at(28 * DAY)), StoryEvent("bob", "visit", at(30 * DAY))])
    february = Period(datetime(2024, 2, 1), datetime(2024, 3, 1))  # noqa: DTZ001  # local times
    question = TrendQuestion(
        series=(Series((EventMatch("visit"),), measure="subjects"),),
        period=february,
        comparison=Comparison("month"),
        cumulative=cumulative,
    )

    last = TrendNumber(interval_start=datetime(2024, 1, 29), is_compared=True)  # noqa: DTZ001
    assert ask_people(KIND, question, last, story, Calendar()).count == 1
    beyond = TrendNumber(interval_start=datetime(2024, 1, 31), is_compared=True)  # noqa: DTZ001
    with pytest.raises(
        QuestionError, match="no number with compared_start 2024-01-31T00:00:00: the nearest is 2024-01-29"
    ):
        ask_people(KIND, question, beyond, story, Calendar())


def test_groups_are_kept_by_their_events_where_nobody_carries_what_is_measured(school: World) -> None:
    spent = Series((EventMatch("visit"),), measure="sum", property=PropertyOf("amount"))
    visits = Series((EventMatch("visit"),))
    question = TrendQuestion(series=(spent, visits), interval=None, breakdown=Breakdown.of("channel", limit=1))
    story = world([StoryEvent("ann", "visit", at(0), properties={"channel": "ads"})], PROPERTIES)

    assert {group for _, _, group in values(question, story)} == {("ads",)}


def test_a_week_beside_the_week_before_it_by_position() -> None:
    events = [StoryEvent("ann", "visit", at(day * DAY)) for day in (0, 1, 1, 8)]
    second_week = TrendQuestion(
        series=(Series.of("visit"),), period=Period(at(7 * DAY), at(10 * DAY)), comparison=Comparison("week")
    )

    found = values(second_week, world(events))

    assert [(start.day, value, before.day, compared) for (_, start, _), (value, before, compared) in found.items()] == [
        (8, 0, 1, 1),
        (9, 1, 2, 2),
        (10, 0, 3, 0),
    ]


@pytest.mark.parametrize(
    ("shift", "count", "start", "end", "expected_start", "expected_end"),
    [
        # A day of 23 hours is compared with the whole day before it.
        ("period", 1, "2024-03-31", "2024-04-01", "2024-03-30", "2024-03-31"),
        ("month", 1, "2024-03-01", "2024-04-01", "2024-02-01", "2024-03-01"),
        ("month", 1, "2024-03-01", "2024-03-31", "2024-02-01", "2024-02-29"),
        ("month", 1, "2024-03-30", "2024-03-31", "2024-02-29", "2024-03-01"),
        ("quarter", 1, "2024-01-01", "2024-04-01", "2023-10-01", "2024-01-01"),
        ("year", 1, "2024-02-29", "2024-12-01", "2023-02-28", "2023-12-01"),
        ("week", 2, "2024-01-01", "2024-01-03", "2023-12-18", "2023-12-20"),
    ],
)
def test_the_earlier_period_goes_by_the_calendar(
    shift: Any, count: int, start: str, end: str, expected_start: str, expected_end: str
) -> None:
    found = Comparison(shift, count).period(Period(midnight(start), midnight(end)), Calendar("Europe/Berlin"))

    assert found == Period(midnight(expected_start), midnight(expected_end))


def test_the_hour_that_comes_twice_is_one_and_the_one_left_out_is_empty() -> None:
    # Berlin: 2024-10-27 has the hour from 2 to 3 twice, 2024-03-31 has none.
    hourly: dict[str, Any] = {"interval": "hour", "timezone": "Europe/Berlin"}
    long_day = Period(midnight("2024-10-27"), midnight("2024-10-28"))
    short_day = Period(midnight("2024-03-31"), midnight("2024-04-01"))
    nightly = [StoryEvent("ann", "visit", datetime.fromisoformat(f"2024-10-27T0{hour}:30Z")) for hour in (0, 1, 1)]
    snapshot = world(nightly)

    found = values(TrendQuestion(series=(Series.of("visit"),), period=long_day, **hourly), snapshot)

    assert len(found) == 24
    assert [(start.hour, value) for (_, start, _), (value, _, _) in found.items()][1:4] == [(1, 0), (2, 3), (3, 0)]
    assert line(snapshot, Series.of("visit"), period=short_day, **hourly) == [0] * 24
    assert line(snapshot, Series.of("visit"), period=long_day, timezone="Europe/Berlin") == [3]


def test_weeks_begin_on_the_day_asked_for(school: World) -> None:
    question = TrendQuestion(series=(Series.of("pay"),), interval="week", week_start="sunday")

    assert [start for _, start, _ in values(question, school)] == [midnight("2023-12-31")]


def test_nothing_happened_in_an_open_period() -> None:
    nobody = world([], PROPERTIES)

    assert values(TrendQuestion(series=(Series.of("pay"),)), nobody) == {}
    assert line(nobody, Series.of("pay"), interval=None) == [0]


def wrong(make: Callable[[], object], complaint: str) -> Any:
    return pytest.param(make, complaint, id=complaint)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        wrong(lambda: TrendQuestion(series=()), "1 to 26 series"),
        wrong(lambda: Series(()), "at least one event"),
        wrong(lambda: Series.of("pay", name="A") and pay(Series.of("pay"), Series.of("pay", name="A")), "longer name"),
        wrong(lambda: pay(Series.of("pay", name="x"), Series.of("pay", name="x")), "given twice"),
        wrong(lambda: Series((EventMatch("pay"),), measure="sum"), "'sum' needs a property"),
        wrong(lambda: Series((EventMatch("pay"),), property=AMOUNT), "'total' measures no property"),
        wrong(lambda: Series((EventMatch("pay"),), measure="percentile", property=AMOUNT), "percentile is the number"),
        wrong(
            lambda: Series((EventMatch("pay"),), measure="percentile", property=AMOUNT, percentile=101), "one of 0 to"
        ),
        wrong(lambda: pay(interval="minute"), "By the minute, give the period a start and an end"),
        wrong(lambda: pay(interval="minute", period=Period(at(0), at(365 * DAY))), "10,000 at most"),
        wrong(lambda: pay(comparison=Comparison()), "needs a period with a start and an end"),
        wrong(lambda: Comparison(count=0), "1 to 1000 times"),
        wrong(lambda: pay(Series((EventMatch("pay"),), measure="per_subject"), cumulative=True), "cannot be added up"),
        wrong(lambda: pay(formulas=(Formula("A / C"),)), "the series A."),
    ],
)
def test_a_wrong_trend_says_how_to_ask_it(make: Callable[[], object], complaint: str) -> None:
    with pytest.raises(QuestionError, match=complaint):
        make()


def pay(*asked: Series, **options: Any) -> TrendQuestion:
    return TrendQuestion(series=asked or (Series.of("pay"),), **options)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A B",
        "A, A",
        "A; drop table events",
        "A.b",
        "'A'",
        "A // A",
        "A % 2",
        "A > 1",
        "sum(A)",
        "(select 1)",
        "A::int",
        "1e999",
        "0x1F",
        "A +",
        "A + 1 -- nope",
        "2 * A /* + 1 */",
        "A {# nope #}",
        "1e",
        ".5.*A",
        "1_000",
        "*",
        "a",
        "(" * 30 + "A" + ")" * 30,
        "A+" * 120 + "A",
    ],
)
def test_a_formula_is_arithmetic_and_nothing_else(text: str) -> None:
    with pytest.raises(QuestionError, match=r"is no formula|A formula has at most"):
        pay(formulas=(Formula(text),))


def test_the_interval_of_a_number_may_be_said_with_an_offset(school: World) -> None:
    asked = TrendQuestion(series=(Series((EventMatch("pay"),), measure="subjects"),), timezone="Asia/Shanghai")
    row = next(row for row in ask(KIND, asked, school, Calendar()).rows if row.value)
    assert row.interval_start is not None
    same_moment = row.interval_start.replace(tzinfo=ZoneInfo("Asia/Shanghai")).astimezone(UTC)

    people = ask_people(KIND, asked, TrendNumber(interval_start=same_moment), school, Calendar())

    assert people.count == row.value


def test_two_minuses_in_a_formula_are_two(school: World) -> None:
    formulas = tuple(map(Formula, ("A--1", "A---1", "5.*A - .5*A")))
    (paid, *computed) = (
        row.value or 0 for row in ask(KIND, pay(formulas=formulas, interval=None), school, Calendar()).rows
    )

    assert computed == [paid + 1, paid - 1, paid * 4.5]


def test_whole_period_persons_are_the_people_listed_and_those_in_the_events(school: World) -> None:
    where = (PropertyFilter("amount", "gt", 40),)
    question = TrendQuestion(
        series=(Series((EventMatch("pay"),), measure="subjects"),), interval=None, where=where, period=FIVE_DAYS
    )

    people = ask_people(KIND, question, TrendNumber(), school, Calendar())

    assert set(people.subjects) == {subject_of(SCHOOL[0], question)}
    assert [value for value, _, _ in values(question, school).values()] == [people.count] == [1]
