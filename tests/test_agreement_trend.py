"""Trends, distributions and intervals agree with each other, with their lists of people, and with SQL on the events."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import distribution, interval, trend
from models.asking import ask, ask_people
from models.breakdown import Breakdown
from models.calendar import Calendar, Period
from models.distribution import DistributionNumber, DistributionQuestion
from models.filters import PropertyOf
from models.interval import IntervalNumber, IntervalQuestion
from models.matching import EventMatch, Step
from models.trend import Formula, Measure, Series, TrendNumber, TrendQuestion
from tests.event_streams import PROPERTIES, breakdowns, periods, streams
from tests.examples import examples
from tests.worlds import StoryEvent, World, world

PAY = (EventMatch("pay"),)
AMOUNT = PropertyOf("amount")
WORLDS = streams(20).map(lambda events: world(events, PROPERTIES))


def value(question: TrendQuestion, snapshot: World) -> float:
    """The last value of a trend."""
    return float(rows(trend, question, snapshot)[-1].value)


def rows(kind: Any, question: Any, snapshot: World) -> tuple[Any, ...]:
    return ask(kind.KIND, question, snapshot, Calendar(), absent="missing").rows


def whole(measure: Measure, period: Period, **options: Any) -> TrendQuestion:
    """One number of the payments of a period."""
    asked = Series(PAY, measure=measure, property=AMOUNT if measure == "sum" else None)
    return TrendQuestion(series=(asked,), interval=None, period=period, **options)


@examples(15)
@given(snapshot=WORLDS, period=periods("day"))
def test_persons_of_a_trend_are_the_people_listed_and_the_distinct_persons_in_sql(
    snapshot: World, period: Period
) -> None:
    start, end = period.bounds_utc(Calendar())
    inside = [f"event_at >= timestamp '{start}'"] if start else []
    inside += [f"event_at < timestamp '{end}'"] if end else []
    counted = "select count(distinct person_id) as persons, count(*) as total from events where "
    [in_sql] = snapshot.query(counted + " and ".join(["event_name = 'pay'", *inside])).to_pylist()
    question = whole("subjects", period)

    people = ask_people(trend.KIND, question, TrendNumber(), snapshot, Calendar(), absent="missing")

    assert value(question, snapshot) == people.count == len(people.subjects) == in_sql["persons"]
    assert value(whole("total", period), snapshot) == in_sql["total"]


@examples(15)
@given(snapshot=WORLDS, split=breakdowns(), period=periods("day"), measure=st.sampled_from(("total", "sum")))
def test_groups_and_intervals_add_up_to_the_whole(
    snapshot: World, split: Breakdown | None, period: Period, measure: Measure
) -> None:
    question = whole(measure, period)
    by_group = rows(trend, replace(question, breakdown=split), snapshot)
    by_day = rows(trend, replace(question, interval="day"), snapshot)
    growing = rows(trend, replace(question, interval="day", cumulative=True), snapshot)

    total = value(question, snapshot)
    assert sum(row.value for row in by_group) == pytest.approx(total)
    assert sum(row.value for row in by_day) == pytest.approx(total)
    assert [row.value for row in growing][-1:] == pytest.approx([total] if by_day else [])


@examples(15)
@given(snapshot=WORLDS, period=periods("day"))
def test_first_payments_and_growing_subjects_count_everybody_once(snapshot: World, period: Period) -> None:
    everybody = value(whole("subjects", period), snapshot)
    question = replace(whole("subjects", period), interval="day")
    first = Series(PAY, measure="total", occurrence="first_in_period")
    growing = rows(trend, replace(question, cumulative=True), snapshot)
    firsts = rows(trend, replace(question, series=(first,)), snapshot)

    assert max([row.value for row in growing], default=0) == everybody
    assert sum(row.value for row in firsts) == everybody


@examples(15)
@given(snapshot=WORLDS, period=periods("day"))
def test_a_distribution_has_the_subjects_and_events_of_the_trend(snapshot: World, period: Period) -> None:
    answer = rows(distribution, DistributionQuestion(any_of=PAY, period=period), snapshot)

    assert (
        sum(row.subject_count for row in answer)
        == answer[0].all_subject_count
        == value(whole("subjects", period), snapshot)
    )
    events = answer[0].all_subject_count * (answer[0].average or 0)
    assert events == pytest.approx(value(whole("total", period), snapshot))
    for row in answer:
        people = ask_people(
            distribution.KIND,
            DistributionQuestion(any_of=PAY, period=period),
            DistributionNumber(row.bucket_index),
            snapshot,
            Calendar(),
            absent="missing",
        )
        assert people.count == row.subject_count


@examples(15)
@given(snapshot=WORLDS, period=periods("day"))
def test_from_payment_to_payment_there_is_a_pair_for_all_but_each_last_one(snapshot: World, period: Period) -> None:
    question = IntervalQuestion(first=Step(PAY), second=Step(PAY), period=period)
    [answer] = rows(interval, question, snapshot)

    total, everybody = value(whole("total", period), snapshot), value(whole("subjects", period), snapshot)
    assert answer.pair_count == total - everybody
    several = DistributionQuestion(any_of=PAY, period=period, buckets=(1, 2))
    assert answer.subject_count == rows(distribution, several, snapshot)[-1].subject_count
    assert ask_people(interval.KIND, question, IntervalNumber(), snapshot, Calendar(), absent="missing").count == (
        answer.subject_count
    )


@examples(15)
@given(events=streams(20))
def test_events_per_subject_are_the_formula_of_both(events: list[StoryEvent]) -> None:
    measures: tuple[Measure, ...] = ("total", "subjects", "per_subject")
    question = TrendQuestion(
        series=tuple(Series(PAY, measure=measure) for measure in measures), formulas=(Formula("A / B"),)
    )

    answer = rows(trend, question, world(events, PROPERTIES))

    divided = [row.value for row in answer if row.series_index == 4]
    assert [row.value for row in answer if row.series_index == 3] == divided
