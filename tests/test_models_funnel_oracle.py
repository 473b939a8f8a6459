"""Random streams and funnels of every kind, judged by an oracle that tries every way to take the steps."""

from dataclasses import fields, replace
from datetime import timedelta
from statistics import fmean, median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.asking import ask, scope_of
from models.breakdown import Breakdown, BreakdownProperty
from models.calendar import Calendar, Interval, Period
from models.filters import PropertyFilter, PropertyOf
from models.funnel import (
    FUNNEL,
    FUNNEL_TREND,
    TIME_TO_CONVERT,
    Exclusion,
    FunnelQuestion,
    FunnelStep,
    FunnelTrendQuestion,
    TimeToConvertQuestion,
)
from models.matching import EventMatch
from models.questions import Question, QuestionKind
from models.sql import render, select
from tests.examples import examples
from tests.funnel_oracle import funnel_oracle, times_oracle, trend_oracle
from tests.worlds import Carried, StoryEvent, World, at, world
from warehouse.reader import EventProperty

HOUR_S = 3600
CARRIED = Carried(persons={"ann": {"city": "Wuhan"}, "bob": {"city": "Berlin"}})
PROPERTIES = [EventProperty("plan", "text"), EventProperty("order", "number"), EventProperty("invoice", "text")]
# Ten slots of half an hour: many ties, windows that cut between them, and a midnight in Berlin and Shanghai among them.
SLOT_S = 1800
MATCHES = st.sampled_from(
    [
        EventMatch("reach"),
        EventMatch("trial"),
        EventMatch("pay"),
        EventMatch(None),
        EventMatch("reach", (PropertyFilter("plan", "eq", "full"),)),
        EventMatch("pay", (PropertyFilter("city", "eq", "Wuhan", of="person"),)),
        EventMatch(None, (PropertyFilter("order", "gt", 1),)),
    ]
)


@st.composite
def stories(draw: st.DrawFn) -> list[StoryEvent]:
    events = []
    for _ in range(draw(st.integers(0, 9))):
        plan, order, invoice = draw(
            st.tuples(*(st.sampled_from(each) for each in [(None, "", "full", "half"), (None, 1, 2), (None, "1", "2")]))
        )
        values = {"plan": plan, "order": order, "invoice": invoice}
        events.append(
            StoryEvent(
                draw(st.sampled_from(["ann", "ann", "bob"])),
                draw(st.sampled_from(["reach", "trial", "pay", "leave"])),
                at(20 * HOUR_S + SLOT_S * draw(st.integers(0, 9))),
                properties={name: value for name, value in values.items() if value is not None},
                account=draw(st.sampled_from([None, "s1", "s1", "s2"])),
            )
        )
    return events


@st.composite
def steps(draw: st.DrawFn, is_optional: bool) -> FunnelStep:
    return FunnelStep(
        tuple(draw(st.lists(MATCHES, min_size=1, max_size=2, unique=True))),
        optional=is_optional,
        occurrence=draw(st.sampled_from(["all", "all", "all", "first_time", "first_ever"])),
    )


@st.composite
def definitions(draw: st.DrawFn, order: str) -> dict[str, Any]:
    count = draw(st.integers(2, 4))
    may_skip = order != "unordered" and draw(st.booleans())
    optional = [False, *(may_skip and draw(st.booleans()) for _ in range(count - 1))]
    holds = draw(st.sampled_from([None, None, PropertyOf("order")]))
    taken = [draw(steps(each)) for each in optional]
    if holds and draw(st.booleans()):
        taken[-1] = replace(taken[-1], held=PropertyOf("invoice"))
    return {
        "steps": tuple(taken),
        "order": order,
        "conversion_window_s": draw(st.sampled_from([SLOT_S, 2 * SLOT_S, 4.5 * SLOT_S, 24 * HOUR_S])),
        "same_day": draw(st.sampled_from([False, False, True])),
        "hold_constant": holds,
        "exclusions": tuple(draw(st.lists(exclusions(order, count), max_size=2))),
        "period": Period(*draw(st.sampled_from([(None, None), (at(20.4 * HOUR_S), at(24 * HOUR_S))]))),
        "extend_over_end": draw(st.booleans()),
        "timezone": draw(st.sampled_from(["UTC", "Europe/Berlin", "Asia/Shanghai"])),
        "where": draw(st.sampled_from([(), (PropertyFilter("plan", "neq", "half"),)])),
        **draw(subjects()),
    }


@st.composite
def exclusions(draw: st.DrawFn, order: str, count: int) -> Exclusion:
    excluding = (draw(st.sampled_from([EventMatch("leave"), EventMatch("pay"), EventMatch("leave", ())])),)
    if order == "unordered":
        return Exclusion(excluding)
    from_step = draw(st.integers(1, count - 1))
    return Exclusion(excluding, from_step, draw(st.integers(from_step + 1, count)))


def subjects() -> st.SearchStrategy[dict[str, Any]]:
    return st.sampled_from(
        [{}, {}, {}, {"by": "account"}, {"by": "property", "by_property": "order"}, {"by": "distinct_id"}]
    )


@st.composite
def breakdowns(draw: st.DrawFn, step_count: int) -> dict[str, Any]:
    by = draw(
        st.lists(
            st.sampled_from(
                [BreakdownProperty("plan"), BreakdownProperty("order"), BreakdownProperty("city", of="person")]
            ),
            min_size=1,
            max_size=2,
            unique=True,
        )
    )
    attribution = draw(st.sampled_from(["first_touch", "last_touch", "all_events", "step"]))
    return {
        "breakdown": Breakdown(tuple(by), draw(st.sampled_from([None, 1, 2]))),
        "attribution": attribution,
        "attribution_step": draw(st.integers(1, step_count)) if attribution == "step" else None,
    }


def told(events: list[StoryEvent]) -> World:
    return world(events, PROPERTIES, CARRIED)


def people_counts(kind: QuestionKind[Any], question: Question, snapshot: World) -> dict[tuple[Any, ...], int]:
    """How many people are listed behind every number: by the fields of the kind's number, the group first."""
    columns = ["breakdown", *(each.name for each in fields(kind.number) if each.name != "breakdown")]
    listed = ", ".join(columns)
    sql = f"select {listed}, count(distinct subject_id) as people from all_people group by {listed}"
    return {
        (None if row["breakdown"] is None else tuple(row["breakdown"]), *(row[name] for name in columns[1:])): row[
            "people"
        ]
        for row in people_rows(kind, question, snapshot, sql)
    }


def people_of_bins(question: TimeToConvertQuestion, snapshot: World) -> dict[int, set[str]]:
    """Who is listed behind each bin."""
    listed: dict[int, set[str]] = {}
    for row in people_rows(TIME_TO_CONVERT, question, snapshot, "select bin_start_s, subject_id from all_people"):
        listed.setdefault(row["bin_start_s"], set()).add(str(row["subject_id"]))
    return listed


def people_rows(kind: QuestionKind[Any], question: Question, snapshot: World, sql: str) -> list[dict[str, Any]]:
    statement = kind.build(question, scope_of(question, snapshot, Calendar(), "missing"))
    ctes = {**statement.ctes, "all_people": statement.people}
    rows: list[dict[str, Any]] = snapshot.query(
        render(ctes, select(sql), materialized=statement.materialized)
    ).to_pylist()
    return rows


def judged(row: Any) -> Any:
    """A row with its group as a tuple and its times to the microsecond."""
    times = {
        name: None if value is None else pytest.approx(value, abs=1e-6)
        for name, value in vars(row).items()
        if name.endswith(("_s", "rate"))
    }
    return replace(row, breakdown=None if row.breakdown is None else tuple(row.breakdown), **times)


def assert_funnel_is_right(question: FunnelQuestion, events: list[StoryEvent]) -> None:
    snapshot = told(events)
    rows = ask(FUNNEL, question, snapshot, Calendar(), "missing").rows
    came = {(None if row.breakdown is None else tuple(row.breakdown), row.step_index): row for row in rows}
    expected = funnel_oracle(question, events, CARRIED)

    assert came.keys() == expected.keys()
    assert {key: replace(row, breakdown=key[0]) for key, row in came.items()} == {
        key: judged(row) for key, row in expected.items()
    }
    people = people_counts(FUNNEL, question, snapshot)
    assert people == {
        (key[0], key[1], outcome): count
        for key, row in came.items()
        for outcome, count in (("converted", row.subject_count), ("dropped", row.dropped_count))
        if count
    }


@pytest.mark.parametrize("order", ["ordered", "strict", "unordered"])
@examples(25)
@given(data=st.data(), events=stories())
def test_every_funnel_counts_what_trying_everything_counts(
    order: str, data: st.DataObject, events: list[StoryEvent]
) -> None:
    definition = data.draw(definitions(order))

    assert_funnel_is_right(FunnelQuestion(**definition), events)


@pytest.mark.parametrize("order", ["ordered", "strict", "unordered"])
@examples(20)
@given(data=st.data(), events=stories())
def test_every_breakdown_groups_as_its_plain_reading(order: str, data: st.DataObject, events: list[StoryEvent]) -> None:
    definition = data.draw(definitions(order))
    split = data.draw(breakdowns(len(definition["steps"])))

    assert_funnel_is_right(FunnelQuestion(**definition, **split), events)


@pytest.mark.parametrize("order", ["ordered", "strict", "unordered"])
@examples(12)
@given(data=st.data(), events=stories())
def test_a_trend_counts_every_interval_by_itself(order: str, data: st.DataObject, events: list[StoryEvent]) -> None:
    definition = data.draw(definitions(order))
    count = len(definition["steps"])
    split = data.draw(st.one_of(st.just({}), breakdowns(count)))
    to_step = data.draw(st.integers(2, count))
    from_step = data.draw(st.integers(1, to_step - 1))
    intervals: list[Interval] = ["hour", "day", "week"]
    interval = data.draw(st.sampled_from(intervals))
    question = FunnelTrendQuestion(**definition, **split, interval=interval, from_step=from_step, to_step=to_step)
    snapshot = told(events)

    rows = ask(FUNNEL_TREND, question, snapshot, Calendar(), "missing").rows

    expected = trend_oracle(question, events, CARRIED)
    entered = {group for (group, _), row in expected.items() if row.from_count or not question.breakdown}
    came = {(None if r.breakdown is None else tuple(r.breakdown), r.interval_start): r for r in rows}
    assert len(came) == len(rows)
    assert {key for key, row in came.items() if row.from_count or row.to_count} == {
        key for key, row in expected.items() if key[0] in entered and (row.from_count or row.to_count)
    }
    for (group, start), row in came.items():
        told_by_oracle = expected.get((group, start))
        counts = (told_by_oracle.from_count, told_by_oracle.to_count) if told_by_oracle else (0, 0)
        assert (row.from_count, row.to_count) == counts
    assert {
        key: count for key, count in people_counts(FUNNEL_TREND, question, snapshot).items() if key[0] in entered
    } == {
        (group, start, reached): count
        for (group, start), row in came.items()
        for reached, count in (("from", row.from_count), ("to", row.to_count))
        if count
    }


@pytest.mark.parametrize("order", ["ordered", "strict", "unordered"])
@examples(12)
@given(data=st.data(), events=stories())
def test_times_to_convert_are_those_of_the_speaking_attempts(
    order: str, data: st.DataObject, events: list[StoryEvent]
) -> None:
    definition = data.draw(definitions(order))
    to_step = data.draw(st.integers(2, len(definition["steps"])))
    bins = data.draw(st.sampled_from([None, 1, 3]))
    question = TimeToConvertQuestion(
        **definition, to_step=to_step, from_step=data.draw(st.integers(1, to_step - 1)), bins=bins
    )
    snapshot = told(events)

    rows = ask(TIME_TO_CONVERT, question, snapshot, Calendar(), "missing").rows

    expected = times_oracle(question, events, CARRIED)
    assert sum(row.subject_count for row in rows) == len(expected)
    people = people_of_bins(question, snapshot)
    for row in rows:
        inside = {who for who, needed in expected.items() if row.bin_start_s <= needed < row.bin_end_s}
        assert (row.subject_count, people.get(row.bin_start_s, set())) == (len(inside), inside)
        figures = (row.all_subject_count, row.average_s, row.median_s, row.shortest_s, row.longest_s)
        needed = list(expected.values())
        assert figures == pytest.approx((len(needed), fmean(needed), median(needed), min(needed), max(needed)))


def test_the_slots_of_the_stories_meet_a_midnight() -> None:
    berlin = [at(20 * HOUR_S + SLOT_S * slot) + timedelta(hours=1) for slot in range(10)]

    assert len({moment.date() for moment in berlin}) == 2
