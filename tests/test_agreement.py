"""Every insight agrees with every other: the same people, asked in several ways, are the same number.

Random streams, with ties, values that are missing, nights in which clocks change, and persons, accounts, single ids or
orders as subjects.
"""

from collections import Counter
from dataclasses import replace
from datetime import datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from models import distribution, funnel, lifecycle, paths, retention, sales_path, sequences, sessions, stickiness, trend
from models.asking import ask, ask_people
from models.breakdown import Breakdown
from models.calendar import Calendar
from models.filters import PropertyFilter
from models.kinds import kind_of
from models.matching import ANY_EVENT, EventMatch, Stage, Step
from models.questions import Question
from models.sessionizing import SessionCut
from tests.event_streams import PROPERTIES, TIMEZONES, streams, subjects, wheres
from tests.examples import examples
from tests.worlds import StoryEvent, World, world

VISIT, TRIAL, PAY = EventMatch("visit"), EventMatch("trial"), EventMatch("pay")
STEPS = tuple(funnel.FunnelStep((each,)) for each in (VISIT, TRIAL, PAY))
ENDLESS_S = 10 * 366 * 86_400.0
STREAMS = streams(max_size=20)
INTERVALS = st.sampled_from(["day", "week", "month"])
ASKED = st.builds(
    lambda who, where, zone: {**who, "where": where, "timezone": zone}, subjects(), wheres(), st.sampled_from(TIMEZONES)
)


def rows(question: Question, snapshot: World) -> list[Any]:
    return list(ask(kind_of(question), question, snapshot, Calendar(), "missing").rows)


def people(question: Question, of: Any, snapshot: World) -> set[str]:
    """The list behind a number; what it counts, what it lists and what its SQL gives are the same."""
    found = ask_people(kind_of(question), question, of, snapshot, Calendar(), absent="missing")
    [statement] = found.sql
    assert snapshot.query(statement.sql)["subject_id"].to_pylist() == list(found.subjects)
    assert found.count == len(found.subjects)
    return set(found.subjects)


def who_did(match: EventMatch, interval: str | None, asked: dict[str, Any], snapshot: World) -> dict[Any, int]:
    """How many subjects did it, by interval: the trend, which everything else must agree with."""
    series = trend.Series((match,), measure="subjects")
    found = rows(trend.TrendQuestion(series=(series,), interval=interval, **asked), snapshot)  # type: ignore[arg-type]  # one of INTERVALS
    return {row.interval_start: row.value for row in found if row.value}


def story(events: list[StoryEvent]) -> World:
    return world(events, PROPERTIES)


@examples(10)
@given(events=STREAMS, asked=ASKED)
def test_the_steps_of_a_funnel_are_the_people_of_its_lists(events: list[StoryEvent], asked: dict[str, Any]) -> None:
    snapshot = story(events)
    question = funnel.FunnelQuestion(STEPS, conversion_window_s=ENDLESS_S, **asked)

    steps = rows(question, snapshot)
    lists = [people(question, funnel.FunnelNumber(step_index=step.step_index), snapshot) for step in steps]

    assert [step.subject_count for step in steps] == [len(each) for each in lists]
    assert lists[0] >= lists[1] >= lists[2]
    [started] = [len(lists[0])]
    assert started == sum(who_did(VISIT, None, asked, snapshot).values())


@examples(10)
@given(events=STREAMS, asked=ASKED)
def test_a_funnel_of_two_events_is_the_path_between_them(events: list[StoryEvent], asked: dict[str, Any]) -> None:
    # Without sessions, and with no other event between: who comes from the one to the other at all.
    snapshot = story(events)
    walked = funnel.FunnelQuestion((STEPS[0], STEPS[2]), conversion_window_s=ENDLESS_S, **asked)
    path = paths.PathsQuestion(
        any_of=(VISIT, PAY), start="visit", end="pay", session=SessionCut(gap_s=None), step_limit=2, **asked
    )

    converted = people(walked, funnel.FunnelNumber(step_index=2), snapshot)

    # At one instant a funnel takes events in the order that helps, a path in the order in which they came.
    at_once = {event.at for event in events if event.event == "visit"} & {e.at for e in events if e.event == "pay"}
    if not at_once:
        edges = [row for row in rows(path, snapshot) if (row.part, row.target) == ("edge", "pay")]
        arrived = people(path, paths.PathsNumber(part="edge", target="pay"), snapshot) if edges else set()
        assert arrived == converted


@examples(10)
@given(events=STREAMS, asked=ASKED, interval=INTERVALS)
def test_a_cohort_is_who_started_in_its_interval(
    events: list[StoryEvent], asked: dict[str, Any], interval: Any
) -> None:
    snapshot = story(events)
    question = retention.RetentionQuestion(start=Step((TRIAL,)), interval=interval, periods=1, **asked)

    cohorts = {row.cohort_start: row.cohort_size for row in rows(question, snapshot) if row.period_index == 0}

    assert {start: size for start, size in cohorts.items() if size} == who_did(TRIAL, interval, asked, snapshot)


@examples(10)
@given(events=STREAMS, asked=ASKED, interval=INTERVALS)
def test_new_returning_and_resurrecting_are_everybody_active(
    events: list[StoryEvent], asked: dict[str, Any], interval: Any
) -> None:
    snapshot = story(events)
    found = rows(lifecycle.LifecycleQuestion(interval=interval, **asked), snapshot)

    active = {row.interval_start: row.new_count + row.returning_count + row.resurrecting_count for row in found}

    assert {start: count for start, count in active.items() if count} == who_did(ANY_EVENT, interval, asked, snapshot)


@examples(10)
@given(events=STREAMS, asked=ASKED, interval=INTERVALS)
def test_stickiness_and_distribution_count_the_same_active_people(
    events: list[StoryEvent], asked: dict[str, Any], interval: Any
) -> None:
    snapshot = story(events)
    everybody = sum(who_did(PAY, None, asked, snapshot).values())
    sticky = rows(stickiness.StickinessQuestion(any_of=(PAY,), interval=interval, **asked), snapshot)
    often = rows(distribution.DistributionQuestion(any_of=(PAY,), **asked), snapshot)

    assert sum(row.subject_count for row in sticky) == everybody == sum(row.subject_count for row in often)
    assert sum(row.active_intervals * row.subject_count for row in sticky) == sum(
        who_did(PAY, interval, asked, snapshot).values()
    )


@examples(10)
@given(events=STREAMS, asked=ASKED)
def test_sessions_hold_every_event_once(events: list[StoryEvent], asked: dict[str, Any]) -> None:
    snapshot = story(events)
    total = trend.TrendQuestion(series=(trend.Series((ANY_EVENT,)),), interval=None, **asked)

    found = rows(sessions.SessionsQuestion(interval="day", **asked), snapshot)

    assert sum(row.event_count for row in found) == sum(row.value for row in rows(total, snapshot))


@examples(10)
@given(events=STREAMS, asked=ASKED)
def test_groups_add_up_to_the_whole_where_nobody_is_in_two(events: list[StoryEvent], asked: dict[str, Any]) -> None:
    snapshot, by_channel = story(events), Breakdown.of("channel")
    total = trend.TrendQuestion(series=(trend.Series((ANY_EVENT,)),), interval="day", **asked)
    first_touch = funnel.FunnelQuestion((STEPS[0], STEPS[2]), **asked)
    recurring = retention.RetentionQuestion(start=Step((VISIT,)), **asked)

    def summed(question: Question, key: str, value: str) -> Counter[Any]:
        sums: Counter[Any] = Counter()
        for row in rows(question, snapshot):
            sums[getattr(row, key)] += getattr(row, value)
        return +sums

    assert summed(replace(total, breakdown=by_channel), "interval_start", "value") == summed(
        total, "interval_start", "value"
    )
    assert summed(replace(first_touch, breakdown=by_channel), "step_index", "subject_count") == summed(
        first_touch, "step_index", "subject_count"
    )
    at_start = replace(recurring, breakdown=by_channel, attribution="start", periods=0)
    assert summed(at_start, "cohort_start", "cohort_size") == summed(
        replace(recurring, periods=0), "cohort_start", "cohort_size"
    )


@examples(10)
@given(events=STREAMS, asked=ASKED)
def test_the_sales_path_in_order_is_the_funnel_without_a_window(
    events: list[StoryEvent], asked: dict[str, Any]
) -> None:
    # Who enters each stage once, in order; a second entry may make a funnel that the path does not see.
    first_times = list(
        {(event.person, event.event): event for event in sorted(events, key=lambda e: e.at, reverse=True)}.values()
    )
    snapshot, asked = story(first_times), {**asked, "by": "person", "by_property": None, "where": ()}
    names = ("visit", "trial", "pay")
    walked = funnel.FunnelQuestion(STEPS, conversion_window_s=ENDLESS_S, **asked)
    stages = sales_path.SalesPathQuestion(tuple(Stage.of(name, name) for name in names), **asked)
    moments: dict[str, dict[str, datetime]] = {}
    for event in first_times:
        moments.setdefault(event.person, {})[event.event] = event.at
    in_order = {
        person
        for person, found in moments.items()
        if list(found) and sorted(found, key=lambda name: (found[name], names.index(name))) == list(names[: len(found)])
    }
    orderly = PropertyFilter("distinct_id", "eq", tuple(sorted(in_order)) or ("nobody",), of="field")
    snapshot = story([replace(event, sent_as=event.person) for event in first_times])

    reached = [row.reached for row in rows(replace(stages, where=(orderly,)), snapshot)]

    assert reached == [row.subject_count for row in rows(replace(walked, where=(orderly,)), snapshot)]


@examples(10)
@given(events=STREAMS, asked=ASKED)
def test_window_funnel_is_the_funnel_of_steps_that_share_no_event(
    events: list[StoryEvent], asked: dict[str, Any]
) -> None:
    # Without equal times, which the function takes in the order in which they came.
    distinct_times = list({event.at: event for event in events}.values())
    snapshot = story(distinct_times)

    levels = rows(sequences.WindowFunnelQuestion(conditions=STEPS, window_s=86_400.0, **asked), snapshot)
    walked = rows(funnel.FunnelQuestion(STEPS, conversion_window_s=86_400.0, **asked), snapshot)

    at_level = {row.level: row.subject_count for row in levels}
    assert [step.subject_count for step in walked] == [
        sum(count for level, count in at_level.items() if level >= step.step_index) for step in walked
    ]
