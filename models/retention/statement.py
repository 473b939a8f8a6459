"""Retention as SQL: a cell for every cohort and period that has begun, filled with those who were retained."""

from sqlglot import exp

from models.groups import all_groups, group_as_shown
from models.intervals import interval_at, interval_at_utc, interval_bounds, interval_number
from models.questions import Scope, SeenEvents, Statement
from models.retention.cohorts import cohort_ctes
from models.retention.question import ELAPSED_S, RetentionQuestion
from models.retention.returns import return_ctes
from models.sql import fragment, select, union_all

_COHORTS = """
select breakdown, cohort_interval, count(*) as cohort_size
from members
group by all
"""

_COUNTS = """
select breakdown, cohort_interval, period_index, count(*) as retained_count, $value as value
from retained
group by all
"""
_AGGREGATES = {"sum": "sum(coalesce(value, 0))", "average": "avg(coalesce(value, 0))"}

_BOUNDS = "select *, $last_return as last_return from table_bounds"

_STARTS = """
select groups.breakdown, unnest(range(bounds.first_interval, bounds.last_interval + 1)) as cohort_interval
from groups
cross join bounds
"""

_CELLS = """
select
    starts.breakdown,
    starts.cohort_interval,
    periods.period_index,
    periods.first_interval,
    periods.last_interval,
    coalesce(cohorts.cohort_size, 0) as cohort_size,
    coalesce(counts.retained_count, 0) as retained_count,
    $value as value,
    coalesce($finished_at <= bounds.newest_at, false) as is_finished
from starts
cross join periods
cross join bounds
left join cohorts
    on starts.breakdown = cohorts.breakdown and starts.cohort_interval = cohorts.cohort_interval
left join counts
    on starts.breakdown = counts.breakdown
    and starts.cohort_interval = counts.cohort_interval
    and periods.period_index = counts.period_index
where starts.cohort_interval + periods.first_interval <= bounds.last_return
"""

_ROWS = """
select
    $shown as breakdown,
    $cohort_start as cohort_start,
    cells.cohort_size,
    cells.period_index,
    cells.first_interval,
    cells.last_interval,
    cells.retained_count,
    cells.retained_count / nullif(cells.cohort_size, 0) as retention_rate,
    cells.cohort_size - cells.retained_count as churned_count,
    (cells.cohort_size - cells.retained_count) / nullif(cells.cohort_size, 0) as churn_rate,
    sum(cells.retained_count) filter (where cells.is_finished) over (partition by cells.breakdown, cells.period_index)
        / nullif(
            sum(cells.cohort_size) filter (where cells.is_finished) over (
                partition by cells.breakdown, cells.period_index
            ),
            0
        ) as average_retention_rate,
    cells.value,
    cells.is_finished
from cells
order by breakdown nulls last, cohort_start, period_index
"""

# 24 hours after a start can be the same day, if the clocks go back: such a return can lie in a cell beyond the table.
_RETAINED_SUBJECTS = """
select retained.breakdown, retained.subject_id, retained.cohort_interval, retained.period_index, 'retained' as outcome
from retained
inner join periods on retained.period_index = periods.period_index
cross join bounds
where retained.cohort_interval + periods.first_interval <= bounds.last_return
"""

_CHURNED_SUBJECTS = """
select members.breakdown, members.subject_id, members.cohort_interval, periods.period_index, 'churned' as outcome
from members
cross join periods
cross join bounds
anti join retained
    on members.breakdown = retained.breakdown
    and members.subject_id = retained.subject_id
    and members.cohort_interval = retained.cohort_interval
    and periods.period_index = retained.period_index
where members.cohort_interval + periods.first_interval <= bounds.last_return
"""

_PEOPLE = """
select subject_id, $shown as breakdown, $cohort_start as cohort_start, period_index, outcome
from counted_subjects
"""


def build(question: RetentionQuestion, scope: Scope) -> Statement:
    """The statement over the public views."""
    seen = SeenEvents(question, scope)
    cohorts = cohort_ctes(question, seen)
    ctes: dict[str, exp.Query] = {
        **seen.ctes,
        **cohorts,
        **return_ctes(question),
        **_bounds(question, seen),
        "groups": all_groups(question.breakdown, "members"),
        "cohorts": select(_COHORTS),
        "counts": select(_COUNTS, value=_aggregate(question)),
        "starts": select(_STARTS),
        "cells": select(_CELLS, value=_cell_value(question), finished_at=_finished_at(question, seen)),
        "counted_subjects": union_all([select(_RETAINED_SUBJECTS), select(_CHURNED_SUBJECTS)]),
    }
    return Statement(
        ctes,
        rows=select(_ROWS, **_shown(question, seen, "cells")),
        people=select(_PEOPLE, **_shown(question, seen, "counted_subjects")),
        materialized=("kept_groups", "active_intervals", "members", "bounds"),
    )


def _shown(question: RetentionQuestion, seen: SeenEvents, table: str) -> dict[str, exp.Expr]:
    number = exp.column("cohort_interval", table=table)
    return {
        "shown": group_as_shown(question.breakdown, table),
        "cohort_start": interval_at(number, question.interval, seen.calendar),
    }


def _bounds(question: RetentionQuestion, seen: SeenEvents) -> dict[str, exp.Query]:
    """The first and last cohort, and the last interval in which returns are seen."""
    interval, oldest = question.interval, "(select min(cohort_interval) from members)"
    newest = interval_number(exp.column("newest_at"), interval, seen.calendar)
    last = exp.column("last_interval")
    last_return = fragment("greatest($last, $newest)", last=last, newest=newest) if question.extend_over_end else last
    return {
        "table_bounds": interval_bounds(question.period, interval, seen.calendar, oldest),
        "bounds": select(_BOUNDS, last_return=last_return),
    }


def _finished_at(question: RetentionQuestion, seen: SeenEvents) -> exp.Expr:
    """When a cell's period is over for all of its cohort, in UTC; null where that is not seen any more."""

    def starts_at(number: str) -> exp.Expr:
        return interval_at_utc(fragment(number), question.interval, seen.calendar)

    if not question.is_elapsed:
        return starts_at("starts.cohort_interval + periods.last_interval + 1")
    over = fragment(
        "$latest_start + to_seconds((periods.last_interval + 1) * $period_s)",
        latest_start=starts_at("starts.cohort_interval + 1"),
        period_s=ELAPSED_S[question.interval],
    )
    end = starts_at("bounds.last_return + 1")
    return fragment("case when $over <= $seen_until then $over end", over=over, seen_until=end)


def _aggregate(question: RetentionQuestion) -> exp.Expr:
    return fragment(_AGGREGATES[question.value.aggregate] if question.value else "cast(null as double)")


def _cell_value(question: RetentionQuestion) -> exp.Expr:
    """Of nobody the sum is 0, an average there is none."""
    is_sum = question.value is not None and question.value.aggregate == "sum"
    return fragment("coalesce(counts.value, 0)" if is_sum else "counts.value")
