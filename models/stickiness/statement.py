"""Stickiness as SQL: events counted by subject and interval, active intervals by subject, subjects by how many."""

from sqlglot import exp

from models.conditions import matches_any
from models.groups import all_groups, group_as_shown, group_key, grouped_events
from models.intervals import interval_bounds, interval_number
from models.questions import Scope, SeenEvents, Statement
from models.sql import fragment, select
from models.stickiness.question import StickinessQuestion

_EVENT_COUNTS = """
select subject_id, breakdown, interval_number, count(*) as event_count
from grouped_events
group by all
"""

# Several intervals of the calendar as one, counted from the first.
_JOINED_COUNTS = """
select
    event_counts.subject_id,
    event_counts.breakdown,
    (event_counts.interval_number - bounds.first_interval) // $interval_count as interval_index,
    sum(event_counts.event_count) as event_count
from event_counts
cross join bounds
group by all
"""

_ACTIVE_SUBJECTS = """
select subject_id, breakdown, count(*) as active_intervals
from counts_of_intervals
where event_count >= $least
group by subject_id, breakdown
"""

# Cumulative: who is active in three intervals stands behind one, two and three.
_COUNTED_EXACTLY = "select subject_id, breakdown, active_intervals from active_subjects"
_COUNTED_CUMULATIVELY = """
select subject_id, breakdown, unnest(range(1, active_intervals + 1)) as active_intervals
from active_subjects
"""

_COUNTS = """
select breakdown, active_intervals, count(*) as subject_count
from counted_subjects
group by all
"""

_CELLS = """
select groups.breakdown, unnest(range(1, (bounds.last_interval - bounds.first_interval) // $interval_count + 2))
    as active_intervals
from groups
cross join bounds
"""

_TOTALS = """
select breakdown, count(*) as total_count
from active_subjects
group by breakdown
"""

_ROWS = """
select
    $shown as breakdown,
    cells.active_intervals,
    coalesce(counts.subject_count, 0) as subject_count,
    coalesce(counts.subject_count, 0) / totals.total_count as subject_rate
from cells
left join counts on cells.breakdown = counts.breakdown and cells.active_intervals = counts.active_intervals
left join totals on cells.breakdown = totals.breakdown
order by breakdown nulls last, cells.active_intervals
"""

_PEOPLE = "select subject_id, $shown as breakdown, active_intervals from counted_subjects"


def build(question: StickinessQuestion, scope: Scope) -> Statement:
    """The statement over the public views."""
    seen = SeenEvents(question, scope)
    breakdown, interval = question.breakdown, question.interval
    values = {
        "breakdown": group_key(breakdown, seen.columns),
        "interval_number": interval_number(exp.column("event_at"), interval, seen.calendar),
    }
    events = seen.rows(values, [matches_any(question.any_of, seen.columns)])
    oldest = "(select min(interval_number) from event_counts)"
    ctes: dict[str, exp.Query] = {
        **seen.ctes,
        **grouped_events(events, breakdown),
        "event_counts": select(_EVENT_COUNTS),
        "bounds": interval_bounds(question.period, interval, seen.calendar, oldest),
        **_active_subjects(question),
        "counted_subjects": select(_COUNTED_CUMULATIVELY if question.cumulative else _COUNTED_EXACTLY),
        "groups": all_groups(breakdown, "active_subjects"),
        "counts": select(_COUNTS),
        "cells": select(_CELLS, interval_count=question.interval_count),
        "totals": select(_TOTALS),
    }
    rows = select(_ROWS, shown=group_as_shown(breakdown, "cells"))
    people = select(_PEOPLE, shown=group_as_shown(breakdown, "counted_subjects"))
    return Statement(ctes, rows, people, materialized=("kept_groups", "event_counts", "bounds", "active_subjects"))


def _active_subjects(question: StickinessQuestion) -> dict[str, exp.Query]:
    """CTEs that end in active_subjects: in how many intervals each is active, those who are in any."""
    joined: dict[str, exp.Query] = {}
    if question.interval_count > 1:
        joined["joined_counts"] = select(_JOINED_COUNTS, interval_count=question.interval_count)
    active = select(
        _ACTIVE_SUBJECTS,
        {"counts_of_intervals": "joined_counts" if joined else "event_counts"},
        least=question.min_occurrences,
    )
    if question.max_occurrences is not None:
        active = active.where(fragment("event_count <= $most", most=question.max_occurrences), copy=False)
    return {**joined, "active_subjects": active}
