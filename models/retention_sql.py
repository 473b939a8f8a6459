"""N-period retention as one SQL statement: units a subject was active in, paired with the units it started in."""

from datetime import date

from sqlglot import exp

from models.calendar import Calendar, Period, TimeUnit
from models.columns import Columns
from models.conditions import match_condition
from models.matching import EventMatch
from models.sql import any_of, fragment, instant_conditions, literal, render, select, unit_date
from models.subjects import Subject

# The same subject is seen once per unit, however many events it has there.
_ACTIVE_UNITS = """
select
    $subject as subject_id,
    $unit_date as unit_date,
    bool_or($starts) as has_started,
    bool_or($returns) as has_returned
from events
group by all
"""

_FIRST_STARTS = """
select $subject as subject_id, min($unit_date) as cohort_date
from events
where $starts
group by all
"""

_COHORT_OF_EVERY_START = """
select subject_id, unit_date as cohort_date
from active_units
where has_started
"""

_COHORT_OF_FIRST_START = """
select first_starts.subject_id, first_starts.cohort_date
from first_starts
inner join active_units
    on first_starts.subject_id = active_units.subject_id and first_starts.cohort_date = active_units.unit_date
"""

_RETURNS = """
select members.cohort_date, $units_apart as period_index, count(*) as returned_count
from members
inner join active_units
    on members.subject_id = active_units.subject_id and members.cohort_date < active_units.unit_date
where active_units.has_returned and period_index <= $periods
group by members.cohort_date, period_index
"""

_COHORTS = """
select units.cohort_date, count(members.subject_id) as cohort_size
from units
left join members on units.cohort_date = members.cohort_date
group by units.cohort_date
"""

_UNITS = """
select cast(unnest(generate_series(cast(first_date as timestamp), cast(last_date as timestamp), $one_unit)) as date)
    as cohort_date
from bounds
"""

_CELLS = """
select cohorts.cohort_date, cohorts.cohort_size, periods.period_index
from cohorts
cross join (select unnest(range(0, $periods + 1)) as period_index) as periods
cross join bounds
where cohorts.cohort_date + $one_unit * periods.period_index <= bounds.last_date
"""

_FINAL = """
select
    cells.cohort_date,
    cells.cohort_size,
    cells.period_index,
    case when cells.period_index = 0 then cells.cohort_size else coalesce(returns.returned_count, 0) end
        as retained_count,
    retained_count / nullif(cells.cohort_size, 0) as retention_rate
from cells
left join returns on cells.cohort_date = returns.cohort_date and cells.period_index = returns.period_index
order by cells.cohort_date, cells.period_index
"""

_ONE_UNIT = {"day": "interval 1 day", "week": "interval 7 day", "month": "interval 1 month"}
_UNITS_APART = {
    "day": "date_diff('day', members.cohort_date, active_units.unit_date)",
    "week": "date_diff('day', members.cohort_date, active_units.unit_date) // 7",
    "month": "date_diff('month', members.cohort_date, active_units.unit_date)",
}


def build_retention_query(
    *,
    start: EventMatch,
    returning: EventMatch,
    unit: TimeUnit,
    periods: int,
    first_time: bool,
    period: Period,
    subject: Subject,
    calendar: Calendar,
    columns: Columns,
) -> str:
    """The retention statement: one row per cohort and unit after it, oldest cohort first."""
    first_date, last_date = period.unit_dates(calendar, unit)
    ctes: dict[str, exp.Query] = {
        "active_units": _active_units(start, returning, unit, subject, calendar, columns).where(
            *_whole_unit_conditions(first_date, last_date, unit, calendar), copy=False
        )
    }
    if first_time:
        starts = match_condition(start, columns)
        day = unit_date(exp.column("event_at"), unit, calendar)
        first_starts = select(
            _FIRST_STARTS, subject.tables, subject=subject.id_of(columns), unit_date=day, starts=starts
        )
        ctes["first_starts"] = first_starts.where(*subject.conditions(columns), copy=False)
    ctes |= {
        "members": select(_COHORT_OF_FIRST_START if first_time else _COHORT_OF_EVERY_START),
        "bounds": _bounds(first_date, last_date, unit, calendar),
        "units": select(_UNITS, one_unit=fragment(_ONE_UNIT[unit])),
        "cohorts": select(_COHORTS),
        "returns": select(_RETURNS, units_apart=fragment(_UNITS_APART[unit]), periods=periods),
        "cells": select(_CELLS, one_unit=fragment(_ONE_UNIT[unit]), periods=periods),
    }
    return render(ctes, select(_FINAL), materialized=("active_units", "members", "bounds"))


def _active_units(
    start: EventMatch,
    returning: EventMatch,
    unit: TimeUnit,
    subject: Subject,
    calendar: Calendar,
    columns: Columns,
) -> exp.Select:
    starts, returns = match_condition(start, columns), match_condition(returning, columns)
    return select(
        _ACTIVE_UNITS,
        subject.tables,
        subject=subject.id_of(columns),
        unit_date=unit_date(exp.column("event_at"), unit, calendar),
        starts=starts,
        returns=returns,
    ).where(any_of([starts, returns]), *subject.conditions(columns), copy=False)


def _whole_unit_conditions(
    first_date: date | None, last_date: date | None, unit: TimeUnit, calendar: Calendar
) -> list[exp.Expr]:
    """The events inside the units from first to last, whole."""
    start = calendar.day_start_utc(first_date) if first_date else None
    end = calendar.day_start_utc(calendar.next_unit_start(last_date, unit)) if last_date else None
    return instant_conditions(start, end)


def _bounds(first_date: date | None, last_date: date | None, unit: TimeUnit, calendar: Calendar) -> exp.Select:
    """The first and the last unit of the table: the period's, else the oldest cohort's and the newest event's."""
    newest = fragment("(select $unit_date from events)", unit_date=unit_date(fragment("max(event_at)"), unit, calendar))
    oldest = fragment("(select min(cohort_date) from members)")
    first = literal(first_date) if first_date else oldest
    last = literal(last_date) if last_date else newest
    return select("select $first as first_date, $last as last_date", first=first, last=last)
