"""Funnels: stories with known answers, for what the plain rules say and what the options change."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import polars as pl
import pytest

from models.asking import ask, ask_frame, ask_people, rows_sql, scope_of
from models.breakdown import Breakdown
from models.calendar import Calendar, Period
from models.filters import PropertyFilter, PropertyOf
from models.funnel import (
    FUNNEL,
    FUNNEL_TREND,
    TIME_TO_CONVERT,
    Exclusion,
    FunnelNumber,
    FunnelQuestion,
    FunnelRow,
    FunnelStep,
    FunnelTrendNumber,
    FunnelTrendQuestion,
    TimeToConvertNumber,
    TimeToConvertQuestion,
)
from models.matching import EventMatch
from tests.funnel_stories import HOUR_S, MINUTE_S, REACH_PAY, REACH_TRIAL_PAY, UTC_CALENDAR, counts, story
from tests.worlds import StoryEvent, at, person_id, world


def test_a_funnel_counts_persons_times_their_steps_and_names_who_dropped_out() -> None:
    snapshot = world(
        [
            # Ann goes all the way: 10 s to the trial, 100 s more to pay.
            *story("ann", ("reach", 0), ("trial", 10), ("pay", 110)),
            # Bob tries after 20 s, looks around, and never pays.
            *story("bob", ("reach", 0), ("browse", 5), ("trial", 20)),
            # Cid pays before trying: only the reach counts.
            *story("cid", ("pay", 0), ("reach", 1)),
            # Dan was never reached.
            *story("dan", ("trial", 0)),
        ]
    )

    answer = ask(FUNNEL, FunnelQuestion(REACH_TRIAL_PAY), snapshot, UTC_CALENDAR)

    assert answer.watermark == "9 events"
    assert [replace(row, breakdown=()) for row in answer.rows] == [
        FunnelRow((), 1, "reach", 3, 0, 1.0, None, None, None),
        FunnelRow((), 2, "trial", 2, 1, 2 / 3, 2 / 3, 15.0, 15.0),
        FunnelRow((), 3, "pay", 1, 1, 1 / 3, 0.5, 100.0, 100.0),
    ]
    converted = ask_people(FUNNEL, FunnelQuestion(REACH_TRIAL_PAY), FunnelNumber(2), snapshot, UTC_CALENDAR)
    dropped = ask_people(FUNNEL, FunnelQuestion(REACH_TRIAL_PAY), FunnelNumber(2, "dropped"), snapshot, UTC_CALENDAR)
    assert set(converted.subjects) == {str(person_id("ann")), str(person_id("bob"))}
    assert dropped.subjects == (str(person_id("cid")),)


def test_nobody_is_zero_and_rates_of_nobody_are_null() -> None:
    rows = ask(FUNNEL, FunnelQuestion(REACH_PAY), world([]), UTC_CALENDAR, "missing").rows

    assert [(row.subject_count, row.conversion_rate, row.step_conversion_rate) for row in rows] == [(0, None, None)] * 2


def test_the_window_runs_from_the_first_event_and_includes_its_last_instant() -> None:
    late = at(HOUR_S) + timedelta(microseconds=1)
    snapshot = world(
        [
            # Ann pays exactly at the window's end; Bob a microsecond later, though half an hour after his trial.
            *story("ann", ("reach", 0), ("trial", HOUR_S / 2), ("pay", HOUR_S)),
            *story("bob", ("reach", 0), ("trial", HOUR_S / 2)),
            StoryEvent("bob", "pay", late),
        ]
    )

    assert counts(FunnelQuestion(REACH_TRIAL_PAY, conversion_window_s=HOUR_S), snapshot) == [2, 2, 1]


def test_the_attempt_that_finishes_first_and_starts_latest_gives_the_times() -> None:
    snapshot = world(story("ann", ("reach", 0), ("reach", 40), ("trial", 50), ("reach", 60), ("trial", 61)))

    rows = ask(FUNNEL, FunnelQuestion((FunnelStep.of("reach"), FunnelStep.of("trial"))), snapshot, UTC_CALENDAR).rows

    assert rows[1].median_time_from_previous_s == 10


def test_a_repeated_step_needs_a_repeated_event() -> None:
    snapshot = world([*story("ann", ("pay", 0)), *story("bob", ("pay", 0), ("pay", 5))])

    assert counts(FunnelQuestion((FunnelStep.of("pay"), FunnelStep.of("pay"))), snapshot) == [2, 1]
    assert counts(FunnelQuestion((FunnelStep.of(None),) * 3), snapshot) == [2, 1, 0]


@pytest.mark.parametrize(
    ("order", "steps", "expected"),
    [
        # One request carried all events with one clock reading, the last step first.
        ("ordered", REACH_TRIAL_PAY, [1, 1, 1]),
        ("ordered", (FunnelStep.of("trial"), FunnelStep.of("pay"), FunnelStep.of("trial")), [1, 1, 0]),
        # Somebody takes the first step and pay the last: the trial is left for the one between.
        ("ordered", (FunnelStep.of("reach"), FunnelStep.of(None), FunnelStep.of("pay")), [1, 1, 1]),
        ("ordered", (FunnelStep.of(None), FunnelStep.of(None), FunnelStep.of(None), FunnelStep.of(None)), [1, 1, 1, 0]),
        # A strict funnel takes equal times in the order of arrival.
        ("strict", REACH_TRIAL_PAY, [1, 0, 0]),
        ("strict", (FunnelStep.of("pay"), FunnelStep.of("trial"), FunnelStep.of("reach")), [1, 1, 1]),
        ("unordered", (FunnelStep.of(None), FunnelStep.of("pay"), FunnelStep.of("pay")), [1, 1, 0]),
    ],
)
def test_equal_times_are_taken_in_the_order_that_helps(
    order: Any, steps: tuple[FunnelStep, ...], expected: list[int]
) -> None:
    snapshot = world(story("ann", ("pay", 0), ("trial", 0), ("reach", 0)))

    assert counts(FunnelQuestion(steps, order=order), snapshot) == expected


def test_strict_steps_follow_each_other_in_everything_somebody_does() -> None:
    snapshot = world(
        [
            *story("ann", ("reach", 0), ("reach", 1), ("pay", 2)),  # the second reach starts afresh
            *story("bob", ("reach", 0), ("browse", 1), ("pay", 2)),
        ]
    )
    filtered = (PropertyFilter("event_name", "neq", "browse", of="field"),)

    assert counts(FunnelQuestion(REACH_PAY, order="strict"), snapshot) == [2, 1]
    assert counts(FunnelQuestion(REACH_PAY, order="strict", where=filtered), snapshot) == [2, 2]


def test_without_order_any_event_of_a_step_begins_and_each_step_needs_its_own() -> None:
    snapshot = world(
        [
            *story("ann", ("pay", 0), ("reach", 30)),
            *story("bob", ("pay", 0), ("pay", 30)),
            *story("cid", ("reach", 0), ("pay", 2 * HOUR_S)),
        ]
    )

    rows = ask(FUNNEL, FunnelQuestion(REACH_PAY, order="unordered", conversion_window_s=HOUR_S), snapshot, UTC_CALENDAR)

    assert [(row.step_name, row.subject_count) for row in rows.rows] == [("any step", 3), ("any 2 steps", 1)]
    assert rows.rows[1].average_time_from_previous_s == 30


def test_an_excluded_event_voids_an_attempt_only_inside_its_stretch() -> None:
    snapshot = world(
        [
            *story("ann", ("reach", 0), ("complain", 5), ("pay", 10)),
            # Bob complains at the very time of a step, and after the last one.
            *story("bob", ("reach", 0), ("complain", 0), ("pay", 10), ("complain", 11)),
            # Cid's second attempt is clean.
            *story("cid", ("reach", 0), ("complain", 5), ("reach", 6), ("pay", 10)),
            # Dan's only attempt never paid, and is void up to the window's end: he is in no step.
            *story("dan", ("reach", 0), ("complain", HOUR_S)),
            *story("eve", ("reach", 0), ("complain", HOUR_S + 1)),
        ]
    )
    question = FunnelQuestion(REACH_PAY, conversion_window_s=HOUR_S, exclusions=(Exclusion.of("complain"),))

    assert counts(question, snapshot) == [3, 2]
    assert counts(replace(question, order="unordered"), snapshot) == [4, 2]


def test_optional_steps_may_be_skipped_and_never_cost_a_later_one() -> None:
    steps = (FunnelStep.of("reach"), replace(FunnelStep.of("trial"), optional=True), FunnelStep.of("pay"))
    snapshot = world(
        [
            *story("ann", ("reach", 0), ("trial", 10), ("pay", 20)),
            *story("bob", ("reach", 0), ("pay", 40)),
            *story("cid", ("reach", 0)),
        ]
    )

    rows = ask(FUNNEL, FunnelQuestion(steps), snapshot, UTC_CALENDAR).rows

    assert [(row.subject_count, row.dropped_count) for row in rows] == [(3, 0), (1, 2), (2, 1)]
    assert [row.step_conversion_rate for row in rows] == [None, 1 / 3, 2 / 3]
    assert rows[2].average_time_from_previous_s == 25  # ten seconds after the trial, forty after the reach


def test_a_first_time_step_is_taken_by_one_event_of_all_time() -> None:
    week = Period(at(100), at(200))
    snapshot = world(
        [
            *story("ann", ("pay", 0), plan="trial"),
            *story("ann", ("pay", 110), ("pay", 120), plan="full"),
            *story("bob", ("pay", 110), plan="full"),
        ]
    )
    full = (EventMatch("pay", (PropertyFilter("plan", "eq", "full"),)),)

    assert counts(FunnelQuestion((FunnelStep(full),), period=week), snapshot) == [2]
    assert counts(FunnelQuestion((FunnelStep(full, occurrence="first_time"),), period=week), snapshot) == [2]
    assert counts(FunnelQuestion((FunnelStep(full, occurrence="first_ever"),), period=week), snapshot) == [1]
    again = (FunnelStep(full, occurrence="first_time"), FunnelStep(full, occurrence="first_time"))
    assert counts(FunnelQuestion(again, period=week), snapshot) == [2, 0]


def test_a_property_held_constant_may_be_called_otherwise_by_a_step() -> None:
    order = [
        StoryEvent("ann", "offer", at(0), properties={"order": "7"}),
        StoryEvent("ann", "offer", at(1), properties={"order": "8"}),
        StoryEvent("ann", "pay", at(2), properties={"invoice": "7"}),
        StoryEvent("bob", "offer", at(0), properties={"order": "1"}),
        StoryEvent("bob", "pay", at(2), properties={"invoice": "2"}),
        StoryEvent("cid", "offer", at(0)),
        StoryEvent("cid", "pay", at(2)),
    ]
    steps = (FunnelStep.of("offer"), FunnelStep((EventMatch("pay"),), held=PropertyOf("invoice")))
    question = FunnelQuestion(steps, hold_constant=PropertyOf("order"))

    rows = ask(FUNNEL, question, world(order), UTC_CALENDAR).rows

    assert [row.subject_count for row in rows] == [2, 1]  # without a value nothing can be equal: Cid is in no path
    assert rows[1].average_time_from_previous_s == 2


def test_events_outside_the_period_do_not_exist_unless_later_steps_may_follow() -> None:
    snapshot = world(
        [
            # Ann pays exactly at the end, which is outside; Bob starts exactly at the start, which is inside.
            *story("ann", ("reach", 10), ("pay", 20)),
            *story("bob", ("reach", 5), ("pay", 19)),
            *story("cid", ("reach", 4), ("pay", 12)),
            # Dan begins after the end.
            *story("dan", ("reach", 20), ("pay", 21)),
        ]
    )
    question = FunnelQuestion(REACH_PAY, period=Period(at(5), at(20)))

    assert counts(question, snapshot) == [2, 1]
    assert counts(replace(question, extend_over_end=True), snapshot) == [2, 2]


def test_the_same_day_is_the_local_one() -> None:
    # 16:00 UTC is midnight in Shanghai; on the last Sunday of March Berlin's day has 23 hours.
    evening = world(story("ann", ("reach", 15 * HOUR_S), ("pay", 17 * HOUR_S)))
    sunday = datetime(2024, 3, 31)  # noqa: DTZ001  # local by what it means
    begins = Calendar("Europe/Berlin").to_utc(datetime.combine(sunday, time.min)).replace(tzinfo=at(0).tzinfo)
    short_day = world(
        [
            StoryEvent("ann", "reach", begins),
            StoryEvent("ann", "pay", begins + timedelta(hours=23)),
            StoryEvent("bob", "reach", begins),
            StoryEvent("bob", "pay", begins + timedelta(hours=22, minutes=59)),
        ]
    )
    question = FunnelQuestion(REACH_PAY, same_day=True)

    assert counts(question, evening) == [1, 1]
    assert counts(question, evening, Calendar("Asia/Shanghai")) == [1, 0]
    assert counts(question, short_day, Calendar("Europe/Berlin")) == [2, 1]


def test_a_day_is_over_at_the_first_midnight_where_it_comes_twice() -> None:
    # On the Azores the clocks go back to midnight an hour after it: Ann pays half an hour into the new day, Bob before.
    midnight = datetime(2024, 10, 27, tzinfo=UTC)
    snapshot = world(
        [
            *(
                StoryEvent("ann", name, midnight + timedelta(minutes=when))
                for name, when in (("reach", -30), ("pay", 30))
            ),
            *(
                StoryEvent("bob", name, midnight - timedelta(minutes=when))
                for name, when in (("reach", 30), ("pay", 1))
            ),
        ]
    )

    assert counts(FunnelQuestion(REACH_PAY, same_day=True, timezone="Atlantic/Azores"), snapshot) == [2, 1]


def test_a_naive_period_is_read_in_the_projects_time_zone() -> None:
    snapshot = world([*story("ann", ("reach", 15 * HOUR_S)), *story("bob", ("reach", 16 * HOUR_S))])
    question = FunnelQuestion((FunnelStep.of("reach"),), period=Period(start=datetime(2024, 1, 2)))  # noqa: DTZ001

    assert counts(question, snapshot, Calendar("Asia/Shanghai")) == [1]
    assert counts(question, snapshot, UTC_CALENDAR) == [0]


def test_an_account_or_an_order_walks_with_the_events_of_all_its_persons() -> None:
    snapshot = world(
        [
            # The school is reached through one teacher and pays through the principal, under one order.
            StoryEvent("teacher", "reach", at(0), "school", {"order": 7}),
            StoryEvent("principal", "pay", at(9), "school", {"order": 7}),
            # No account, no account's path.
            StoryEvent("parent", "reach", at(0)),
            StoryEvent("parent", "pay", at(1)),
        ]
    )
    by_order = FunnelQuestion(REACH_PAY, by="property", by_property="order")

    assert counts(FunnelQuestion(REACH_PAY, by="account"), snapshot) == [1, 1]
    assert counts(FunnelQuestion(REACH_PAY), snapshot) == [2, 1]
    assert counts(by_order, snapshot) == [1, 1]
    assert ask_people(FUNNEL, by_order, FunnelNumber(2), snapshot, UTC_CALENDAR).subjects == ("7",)


def test_the_first_time_of_a_school_is_its_own_not_that_of_each_teacher() -> None:
    """Both teach at s1, which Ann's trial opened; Bob's is his first, and not the school's."""
    schools = world(
        [
            StoryEvent("ann", "trial", at(0), account="s1"),
            StoryEvent("bob", "trial", at(3 * 24 * HOUR_S), account="s1"),
            StoryEvent("cid", "trial", at(3 * 24 * HOUR_S), account="s2"),
        ]
    )
    second_half = Period(at(2 * 24 * HOUR_S), at(5 * 24 * HOUR_S))
    first = FunnelQuestion((replace(FunnelStep.of("trial"), occurrence="first_time"),), period=second_half)

    assert counts(first, schools) == [2]
    assert counts(replace(first, by="account"), schools) == [1]
    assert counts(replace(first, by="session"), schools) == [2]


def test_a_trend_counts_who_began_in_each_interval_with_empty_ones_between() -> None:
    day = 24 * HOUR_S
    snapshot = world(
        [
            # Ann begins on Monday and again on Tuesday; both attempts end with the payment of Tuesday.
            *story("ann", ("reach", HOUR_S), ("reach", day), ("pay", day + 60)),
            *story("bob", ("reach", 2 * HOUR_S)),
            *story("cid", ("reach", 3 * day)),
        ]
    )
    question = FunnelTrendQuestion(REACH_PAY, period=Period(at(0), at(4 * day)))

    rows = ask(FUNNEL_TREND, question, snapshot, UTC_CALENDAR).rows

    assert [(row.from_count, row.to_count, row.conversion_rate) for row in rows] == [
        (2, 1, 0.5),
        (1, 1, 1.0),
        (0, 0, None),
        (1, 0, 0.0),
    ]
    assert [row.interval_start.day for row in rows] == [1, 2, 3, 4]
    came = FunnelTrendNumber(rows[0].interval_start, "from")
    assert ask_people(FUNNEL_TREND, question, came, snapshot, UTC_CALENDAR).count == 2
    open_ended = ask(FUNNEL_TREND, replace(question, period=Period()), snapshot, UTC_CALENDAR).rows
    assert [row.interval_start.day for row in open_ended] == [1, 2, 3, 4]


def test_the_time_to_convert_is_a_histogram_with_mean_and_median() -> None:
    minutes = {"ann": 1, "bob": 2, "cid": 2, "dan": 9}
    snapshot = world(
        [each for name, needed in minutes.items() for each in story(name, ("reach", 0), ("pay", needed * MINUTE_S))]
    )
    question = TimeToConvertQuestion(REACH_PAY)

    rows = ask(TIME_TO_CONVERT, question, snapshot, UTC_CALENDAR).rows

    assert [(row.bin_start_s, row.bin_end_s, row.subject_count) for row in rows] == [
        (60, 300, 3),
        (300, 540, 0),
        (540, 780, 1),
    ]
    assert {(row.average_s, row.median_s, row.shortest_s, row.longest_s) for row in rows} == {(210, 120, 60, 540)}
    slow = ask_people(TIME_TO_CONVERT, question, TimeToConvertNumber(540), snapshot, UTC_CALENDAR)
    assert slow.subjects == (str(person_id("dan")),)
    assert ask_people(TIME_TO_CONVERT, question, TimeToConvertNumber(), snapshot, UTC_CALENDAR).count == 4


def test_a_funnel_of_one_step_has_a_trend_of_who_began() -> None:
    snapshot = world([StoryEvent("ann", "reach", at(0)), StoryEvent("bob", "reach", at(90_000))])
    question = FunnelTrendQuestion((FunnelStep((EventMatch("reach"),)),), interval="day")
    rows = ask(FUNNEL_TREND, question, snapshot, UTC_CALENDAR).rows
    assert [(row.from_count, row.to_count, row.conversion_rate) for row in rows] == [(1, 1, 1.0), (1, 1, 1.0)]


def test_the_printed_sql_and_the_frame_are_the_answers_rows() -> None:
    snapshot = world(
        [*story("ann", ("reach", 0), ("pay", 1 / 3), channel="it's"), *story("bob", ("reach", 0), channel="")]
    )
    question = FunnelQuestion(REACH_PAY, breakdown=Breakdown.of("channel", limit=1))

    answer = ask(FUNNEL, question, snapshot, UTC_CALENDAR)

    [statement] = answer.sql
    assert statement.sql == rows_sql(FUNNEL, question, scope_of(question, snapshot, UTC_CALENDAR))
    assert [FunnelRow(**row) for row in snapshot.query(statement.sql).to_pylist()] == list(answer.rows)
    frame = ask_frame(FUNNEL, question, snapshot, UTC_CALENDAR)
    assert frame.filter(pl.col("breakdown").is_null())["subject_count"].to_list() == [1, 1]
