"""The time between two events: stories with known answers, and random streams judged by the oracle."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.asking import ask, ask_people
from models.breakdown import Breakdown
from models.calendar import Calendar, Interval, Period
from models.errors import QuestionError
from models.filters import PropertyOf
from models.interval import KIND, IntervalNumber, IntervalQuestion, IntervalRow
from models.matching import Step
from models.questions import OTHER
from tests.event_streams import PROPERTIES, TIMEZONES, any_of, breakdowns, periods, streams, subjects, wheres
from tests.examples import examples
from tests.interval_oracle import IntervalOracle, Pair
from tests.oracle_periods import quantile
from tests.worlds import StoryEvent, World, at, world

HOUR = 3600
INTERVALS: tuple[Interval | None, ...] = (None, "hour", "day", "month")
TRIAL, PAY = Step.of("trial"), Step.of("pay")


def rows(question: IntervalQuestion, snapshot: World) -> tuple[IntervalRow, ...]:
    return ask(KIND, question, snapshot, Calendar(), absent="missing").rows


@st.composite
def questions(draw: st.DrawFn) -> IntervalQuestion:
    interval, breakdown = draw(st.sampled_from(INTERVALS)), draw(breakdowns())
    held, held_by_second = draw(st.sampled_from(((None, None), (None, None), ("order", None), ("order", "channel"))))
    return IntervalQuestion(
        first=Step(draw(any_of())),
        second=Step(draw(any_of())),
        pairing=draw(st.sampled_from(("each", "first", "last"))),
        max_duration_s=draw(st.sampled_from((None, 0, 12 * HOUR, 30 * 24 * HOUR))),
        hold_constant=PropertyOf(held) if held else None,
        held_by_second=PropertyOf(held_by_second) if held_by_second else None,
        extend_over_end=draw(st.booleans()),
        interval=interval,
        breakdown=breakdown,
        attribution=draw(st.sampled_from(("first", "second"))) if breakdown else "first",
        period=draw(periods(interval)),
        where=draw(wheres()),
        timezone=draw(st.sampled_from(TIMEZONES)),
        **draw(subjects()),
    )


def row_of(pairs: list[Pair]) -> tuple[Any, ...]:
    """The figures of some pairs."""
    if not pairs:
        return (0, 0, *[None] * 10)
    durations = [pair.duration_s for pair in pairs]
    of_subject: dict[str, list[float]] = {}
    for pair in pairs:
        of_subject.setdefault(pair.subject, []).append(pair.duration_s)
    averages = [sum(own) / len(own) for own in of_subject.values()]
    return (
        len(pairs),
        len(of_subject),
        min(durations),
        *(pytest.approx(quantile(durations, share)) for share in (0.1, 0.25, 0.5, 0.75, 0.9)),
        max(durations),
        pytest.approx(sum(durations) / len(durations)),
        pytest.approx(sum(averages) / len(averages)),
        pytest.approx(len(pairs) / len(of_subject)),
    )


@examples(60)
@given(events=streams(20), question=questions())
def test_every_interval_is_what_pairing_event_by_event_gives(
    events: list[StoryEvent], question: IntervalQuestion
) -> None:
    oracle = IntervalOracle(question, events)

    found = {
        (row.interval_start, row.breakdown if row.breakdown is None else tuple(row.breakdown)): (
            row.pair_count,
            row.subject_count,
            row.min_s,
            row.p10_s,
            row.p25_s,
            row.median_s,
            row.p75_s,
            row.p90_s,
            row.max_s,
            row.average_s,
            row.average_per_subject_s,
            row.pairs_per_subject,
        )
        for row in rows(question, world(events, PROPERTIES))
    }

    expected = {cell: row_of(pairs) for cell, pairs in oracle.cells().items()}
    assert found == expected


@examples(15)
@given(events=streams(20), question=questions())
def test_the_people_of_an_interval_are_those_with_a_pair(events: list[StoryEvent], question: IntervalQuestion) -> None:
    oracle, snapshot = IntervalOracle(question, events), world(events, PROPERTIES)
    cells = {cell: {pair.subject for pair in pairs} for cell, pairs in oracle.cells().items() if pairs}
    for (start, group), expected in sorted(cells.items(), key=str)[:3]:
        number = IntervalNumber(start, breakdown=OTHER if group is None else group)

        people = ask_people(KIND, question, number, snapshot, Calendar(), absent="missing")

        assert set(people.subjects) == expected
        assert people.count == len(expected)


# Ann tries twice before she pays and tries again later; Bob pays without a trial, then after one.
EVENTS = [
    StoryEvent("ann", "trial", at(0), None, {"channel": "ads", "order": "o1"}),
    StoryEvent("ann", "trial", at(1 * HOUR), None, {"channel": "fair", "order": "o2"}),
    StoryEvent("ann", "pay", at(3 * HOUR), None, {"channel": "app", "order": "o1"}),
    StoryEvent("ann", "trial", at(5 * HOUR), None, {"channel": "ads", "order": "o3"}),
    StoryEvent("bob", "pay", at(2 * HOUR), None, {"channel": "web"}),
    StoryEvent("bob", "trial", at(4 * HOUR), None, {"channel": "ads"}),
    StoryEvent("bob", "pay", at(30 * HOUR), None, {"channel": "web"}),
]


@pytest.fixture(scope="module")
def school() -> World:
    return world(EVENTS)


@pytest.mark.parametrize(
    ("options", "hours"),
    [
        ({}, [2, 3, 26]),
        ({"pairing": "last"}, [2, 26]),
        ({"pairing": "first"}, [3, 26]),
        ({"max_duration_s": 26 * HOUR - 1}, [2, 3]),
        ({"max_duration_s": 26 * HOUR}, [2, 3, 26]),
        ({"hold_constant": PropertyOf("order")}, [3]),
        ({"period": Period(at(0), at(24 * HOUR))}, [2, 3]),
        ({"period": Period(at(0), at(24 * HOUR)), "extend_over_end": True}, [2, 3, 26]),
        ({"second": TRIAL}, [1, 4]),
        ({"first": Step.of(None), "second": PAY, "pairing": "last"}, [2, 26]),
    ],
)
def test_from_trial_to_payment(school: World, options: dict[str, Any], hours: list[float]) -> None:
    [row] = rows(IntervalQuestion(**{"first": TRIAL, "second": PAY, **options}), school)

    durations = [hour * HOUR for hour in hours]
    assert (row.pair_count, row.min_s, row.max_s) == (len(hours), durations[0], durations[-1])
    assert row.average_s == pytest.approx(sum(durations) / len(durations))
    assert row.median_s == quantile(durations, 0.5)


def test_by_the_property_of_the_first_or_the_second_event(school: World) -> None:
    question = {"first": TRIAL, "second": PAY, "breakdown": Breakdown.of("channel")}

    by_first = rows(IntervalQuestion(**question), school)  # type: ignore[arg-type]  # fields by name
    by_second = rows(IntervalQuestion(**question, attribution="second"), school)  # type: ignore[arg-type]  # fields by name

    assert [(tuple(row.breakdown or ()), row.pair_count) for row in by_first] == [(("ads",), 2), (("fair",), 1)]
    assert [(tuple(row.breakdown or ()), row.pair_count) for row in by_second] == [(("app",), 2), (("web",), 1)]


def test_events_at_the_same_moment_follow_the_order_of_arrival() -> None:
    together = [StoryEvent("ann", name, at(0)) for name in ("pay", "trial", "pay")]

    [row] = rows(IntervalQuestion(first=TRIAL, second=PAY), world(together))

    assert (row.pair_count, row.max_s) == (1, 0)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"max_duration_s": -1}, "0 to 100 years"),
        ({"max_duration_s": float("nan")}, "0 to 100 years"),
        ({"pairing": "any"}, "choose one of 'each', 'first', 'last'"),
        ({"held_by_second": PropertyOf("order")}, "goes with hold_constant"),
        ({"attribution": "second"}, "name one in breakdown"),
        ({"interval": "minute"}, "give the period a start and an end"),
    ],
)
def test_a_wrong_interval_says_how_to_ask_it(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(QuestionError, match=complaint):
        IntervalQuestion(first=TRIAL, second=PAY, **options)
