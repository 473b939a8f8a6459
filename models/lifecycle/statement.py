"""The lifecycle as SQL: the intervals a subject is active in, each compared with the one before and the one after."""

from datetime import timedelta

from sqlglot import exp

from models.calendar import ALL_TIME, Period, shifted
from models.conditions import matches_any, moment_in
from models.groups import all_groups, group_as_shown, group_key, grouped_events
from models.intervals import interval_at, interval_bounds, interval_number, is_finished, whole_intervals
from models.lifecycle.question import LifecycleQuestion
from models.questions import Scope, SeenEvents, Statement
from models.sql import fragment, select, union_all

_ACTIVE_INTERVALS = """
select subject_id, breakdown, interval_number
from grouped_events
group by all
"""

_CREATED_SUBJECTS = """
select subject_id, $created as created_interval
from created_events
group by subject_id
"""

_STATUSES = """
select
    active_intervals.subject_id,
    active_intervals.breakdown,
    active_intervals.interval_number,
    case
        when active_intervals.interval_number = created_subjects.created_interval then 'new'
        when lag(active_intervals.interval_number) over in_time = active_intervals.interval_number - 1 then 'returning'
        else 'resurrecting'
    end as status,
    lead(active_intervals.interval_number) over in_time as next_interval
from active_intervals
left join created_subjects on $same_subject
window in_time as (
    partition by active_intervals.subject_id, active_intervals.breakdown order by active_intervals.interval_number
)
"""

_ACTIVE_SUBJECTS = "select subject_id, breakdown, interval_number, status from statuses"
_DORMANT_SUBJECTS = """
select subject_id, breakdown, interval_number + 1 as interval_number, 'dormant' as status
from statuses
where next_interval is distinct from interval_number + 1
"""

_CELLS = """
select groups.breakdown, unnest(range(bounds.first_interval, bounds.last_interval + 1)) as interval_number
from groups
cross join bounds
"""

_COUNTS = """
select
    breakdown,
    interval_number,
    count(*) filter (where status = 'new') as new_count,
    count(*) filter (where status = 'returning') as returning_count,
    count(*) filter (where status = 'resurrecting') as resurrecting_count,
    count(*) filter (where status = 'dormant') as dormant_count
from counted_subjects
group by all
"""

_ROWS = """
select
    $shown as breakdown,
    $interval_start as interval_start,
    coalesce(counts.new_count, 0) as new_count,
    coalesce(counts.returning_count, 0) as returning_count,
    coalesce(counts.resurrecting_count, 0) as resurrecting_count,
    coalesce(counts.dormant_count, 0) as dormant_count,
    $is_finished as is_finished
from cells
cross join bounds
left join counts on cells.breakdown = counts.breakdown and cells.interval_number = counts.interval_number
order by breakdown nulls last, interval_start
"""

_PEOPLE = """
select counted_subjects.subject_id, $shown as breakdown, $interval_start as interval_start, counted_subjects.status
from counted_subjects
cross join bounds
where counted_subjects.interval_number between bounds.first_interval and bounds.last_interval
"""


def build(question: LifecycleQuestion, scope: Scope) -> Statement:
    """The statement over the public views."""
    seen = SeenEvents(question, scope)
    breakdown, interval, calendar = question.breakdown, question.interval, seen.calendar
    events = seen.rows(
        {
            "breakdown": group_key(breakdown, seen.columns),
            "interval_number": interval_number(exp.column("event_at"), interval, calendar),
        },
        [matches_any(question.any_of, seen.columns)],
        period=_with_the_interval_before(question, seen),
    )
    created = _created_subjects(question, seen)
    oldest = "(select min(interval_number) from active_intervals)"
    ctes: dict[str, exp.Query] = {
        **seen.ctes,
        **grouped_events(events, breakdown),
        "active_intervals": select(_ACTIVE_INTERVALS),
        **created,
        "statuses": select(
            _STATUSES, same_subject=fragment("active_intervals.subject_id = created_subjects.subject_id")
        ),
        "counted_subjects": union_all([select(_ACTIVE_SUBJECTS), select(_DORMANT_SUBJECTS)]),
        "bounds": interval_bounds(question.period, interval, calendar, oldest),
        "groups": all_groups(breakdown, "active_intervals"),
        "cells": select(_CELLS),
        "counts": select(_COUNTS),
    }
    cell, number = (exp.column("interval_number", table=table) for table in ("cells", "counted_subjects"))
    rows = select(
        _ROWS,
        shown=group_as_shown(breakdown, "cells"),
        interval_start=interval_at(cell, interval, calendar),
        is_finished=is_finished(cell, interval, calendar),
    )
    people = select(
        _PEOPLE,
        shown=group_as_shown(breakdown, "counted_subjects"),
        interval_start=interval_at(number, interval, calendar),
    )
    return Statement(ctes, rows, people, materialized=("kept_groups", "active_intervals", "statuses", "bounds"))


def _with_the_interval_before(question: LifecycleQuestion, seen: SeenEvents) -> Period:
    """Whole intervals, one more at the start: who was active in it returns or is dormant in the first."""
    whole = whole_intervals(question.period, question.interval, seen.calendar)
    if whole.start is None:
        return whole
    moment_before = shifted(whole.start, -timedelta(microseconds=1))
    return Period(seen.calendar.interval_start(moment_before, question.interval), whole.end)


def _created_subjects(question: LifecycleQuestion, seen: SeenEvents) -> dict[str, exp.Query]:
    """In which interval each subject was created: one row per subject, none or null where nothing says it."""
    if question.created_property is not None:
        moment = moment_in(seen.columns.text(question.created_property))
    else:
        moment = exp.column("event_at")
    is_first_match = question.created_by == "first_match"
    events = seen.rows(
        {"created_at": moment},
        [matches_any(question.any_of, seen.columns)] if is_first_match else (),
        period=ALL_TIME,
        filtered=is_first_match,
    )
    created = interval_number(fragment("min(created_at)"), question.interval, seen.calendar)
    return {"created_events": events, "created_subjects": select(_CREATED_SUBJECTS, created=created)}
