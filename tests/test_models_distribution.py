"""Distributions: stories with known answers, and random streams judged by the oracle."""

from collections.abc import Callable
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.asking import ask, ask_people
from models.calendar import Calendar, Interval, Period
from models.distribution import KIND, DistributionMeasure, DistributionNumber, DistributionQuestion, DistributionRow
from models.distribution.question import DEFAULT_BUCKETS, OF_PROPERTY, bounds_of
from models.errors import QuestionError
from models.filters import PropertyOf
from models.matching import EventMatch
from models.questions import OTHER
from tests.distribution_oracle import DistributionOracle, median
from tests.event_streams import PROPERTIES, TIMEZONES, any_of, breakdowns, periods, streams, subjects, wheres
from tests.examples import examples
from tests.worlds import StoryEvent, World, at, world

DAY = 86_400
AMOUNT = PropertyOf("amount")
MEASURES: tuple[DistributionMeasure, ...] = get_args(DistributionMeasure)
INTERVALS: tuple[Interval | None, ...] = (None, "hour", "day", "week", "month")
LESSON = (EventMatch("lesson"),)


def rows(question: DistributionQuestion, snapshot: World) -> tuple[DistributionRow, ...]:
    return ask(KIND, question, snapshot, Calendar(), absent="missing").rows


@st.composite
def questions(draw: st.DrawFn) -> DistributionQuestion:
    measure, interval = draw(st.sampled_from(MEASURES)), draw(st.sampled_from(INTERVALS))
    return DistributionQuestion(
        any_of=draw(any_of()),
        measure=measure,
        property=AMOUNT if measure in OF_PROPERTY else None,
        buckets=draw(st.sampled_from((DEFAULT_BUCKETS, (1, 2), (0, 2.5, 4), (2,)))),
        interval=interval,
        breakdown=draw(breakdowns()),
        period=draw(periods(interval)),
        where=draw(wheres()),
        timezone=draw(st.sampled_from(TIMEZONES)),
        week_start=draw(st.sampled_from(("monday", "sunday"))),
        **draw(subjects()),
    )


@examples(50)
@given(events=streams(), question=questions())
def test_every_distribution_is_what_counting_subject_by_subject_gives(
    events: list[StoryEvent], question: DistributionQuestion
) -> None:
    oracle = DistributionOracle(question, events)
    expected: dict[Any, Any] = {}
    for (start, group), amounts in oracle.amounts().items():
        buckets = [oracle.bucket_of(amount) for amount in amounts.values()]
        average = sum(amounts.values()) / len(amounts) if amounts else None
        for index, lowest, highest in bounds_of(question):
            subjects_here = buckets.count(index)
            expected[start, group, index] = (
                lowest,
                highest,
                subjects_here,
                pytest.approx(subjects_here / len(amounts)) if amounts else None,
                len(amounts),
                pytest.approx(average),
                pytest.approx(median(list(amounts.values()))),
            )

    found = {
        (row.interval_start, row.breakdown if row.breakdown is None else tuple(row.breakdown), row.bucket_index): (
            row.bucket_from,
            row.bucket_to,
            row.subject_count,
            row.subject_rate,
            row.all_subject_count,
            row.average,
            row.median,
        )
        for row in rows(question, world(events, PROPERTIES))
    }

    assert found == expected


@examples(15)
@given(events=streams(), question=questions())
def test_the_people_of_every_bucket_are_those_counted(events: list[StoryEvent], question: DistributionQuestion) -> None:
    oracle, snapshot = DistributionOracle(question, events), world(events, PROPERTIES)
    cells = [cell for cell, amounts in oracle.amounts().items() if amounts]
    for start, group in sorted(cells, key=str)[:2]:
        amounts = oracle.amounts()[start, group]
        for bucket in {oracle.bucket_of(amount) for amount in amounts.values()}:
            number = DistributionNumber(bucket, start, breakdown=OTHER if group is None else group)

            people = ask_people(KIND, question, number, snapshot, Calendar(), absent="missing")

            expected = {subject for subject, amount in amounts.items() if oracle.bucket_of(amount) == bucket}
            assert set(people.subjects) == expected
            assert people.count == len(expected)


# Ann takes four lessons on two days, Bob three on three days, Cid one.
LESSONS = [
    *(StoryEvent("ann", "lesson", at(hour * 3600), None, {"amount": 10.0}) for hour in (0, 1, 1, 30)),
    *(StoryEvent("bob", "lesson", at(day * DAY), None, {"amount": 2.5}) for day in range(3)),
    StoryEvent("cid", "lesson", at(DAY)),
]


@pytest.fixture(scope="module")
def lessons() -> World:
    return world(LESSONS)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, [1, 2, 0, 0, 0, 0, 0]),
        ({"measure": "hours"}, [1, 2, 0, 0, 0, 0, 0]),
        ({"measure": "days", "buckets": (1, 2, 3)}, [1, 1, 1]),
        ({"measure": "weeks", "buckets": (1, 2)}, [3, 0]),
        ({"measure": "sum", "property": AMOUNT, "buckets": (5, 7.5)}, [0, 0, 2]),
        ({"measure": "average", "property": AMOUNT, "buckets": (5,)}, [1, 1]),
        ({"buckets": (2, 4)}, [1, 1, 1]),
    ],
)
def test_lessons_of_a_class(lessons: World, asked: dict[str, Any], expected: list[int]) -> None:
    answer = rows(DistributionQuestion(any_of=LESSON, **asked), lessons)

    assert [row.subject_count for row in answer] == expected


def test_average_and_median_are_those_of_all_subjects(lessons: World) -> None:
    first, *_ = rows(DistributionQuestion(any_of=LESSON), lessons)

    assert (first.all_subject_count, first.median, first.bucket_from, first.bucket_to) == (3, 3, 1, 3)
    assert (first.average, first.subject_rate) == pytest.approx((8 / 3, 1 / 3))


def test_each_day_is_counted_by_itself(lessons: World) -> None:
    question = DistributionQuestion(any_of=LESSON, buckets=(1, 3), interval="day", period=Period(at(0), at(4 * DAY)))

    assert [row.subject_count for row in rows(question, lessons)] == [1, 1, 3, 0, 1, 0, 0, 0]


def test_nobody_did_it() -> None:
    nobody = rows(DistributionQuestion(any_of=LESSON, buckets=(1, 3), measure="days"), world([], PROPERTIES))

    assert [(row.subject_count, row.subject_rate, row.all_subject_count, row.average) for row in nobody] == [
        (0, None, 0, None)
    ] * 2


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: DistributionQuestion(any_of=()), "at least one event"),
        (lambda: DistributionQuestion(any_of=LESSON, measure="sum"), "'sum' needs a property"),
        (lambda: DistributionQuestion(any_of=LESSON, property=AMOUNT), "'total' measures no property"),
        (lambda: DistributionQuestion(any_of=LESSON, buckets=(3, 1)), "growing boundaries"),
        (lambda: DistributionQuestion(any_of=LESSON, buckets=(1, float("inf"))), "each a finite number"),
        (lambda: DistributionQuestion(any_of=LESSON, buckets=()), "1 to 100 growing boundaries"),
        (lambda: DistributionQuestion(any_of=LESSON, interval="hour"), "give the period a start and an end"),
    ],
)
def test_a_wrong_distribution_says_how_to_ask_it(make: Callable[[], object], complaint: str) -> None:
    with pytest.raises(QuestionError, match=complaint):
        make()
