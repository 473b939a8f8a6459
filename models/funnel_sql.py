"""The ordered funnel as one SQL statement, built from numbered events and ASOF joins.

Two passes. Backwards: every event that takes step k learns the latest start from which it can be reached, so each
subject's deepest attempt is known. Forwards: that attempt walks its steps, each at the earliest event after the last.
Within a subject events are numbered, so one event never serves two steps. Row order is never relied on: DuckDB loses
it in joins and long IN lists.
"""

from sqlglot import exp

from models.calendar import Calendar, Period
from models.columns import Columns
from models.conditions import matches_any
from models.matching import Step
from models.sql import any_of, fragment, period_conditions, render, select, union_all, values_table
from models.subjects import Subject


def build_funnel_query(
    *,
    steps: tuple[Step, ...],
    conversion_window_s: float,
    period: Period,
    subject: Subject,
    breakdown: str | None,
    breakdown_limit: int | None,
    calendar: Calendar,
    columns: Columns,
) -> str:
    """The funnel's statement: one row per group and step, largest group first."""
    matched_events = _matched_events(steps, subject, columns)
    matched_events.where(*period_conditions(period, calendar), *subject.conditions(columns), copy=False)
    if breakdown is not None:
        value = fragment("coalesce($text, '') as breakdown_value", text=columns.text(breakdown))
        matched_events.select(value, copy=False)
    ctes: dict[str, exp.Query] = {
        "steps": _named_steps(steps),
        "matched_events": matched_events,
        "ordered_events": select(_ORDERED_EVENTS),
        **_reached_ctes(len(steps), conversion_window_s),
        **_walked_ctes(len(steps), conversion_window_s),
    }
    if breakdown is None:
        ctes["step_totals"] = select(_STEP_TOTALS)
        final = select(_FINAL)
    else:
        ctes |= _group_ctes(breakdown_limit)
        final = select(_FINAL_BY_GROUP)
    reread = [name for name in ctes if name.startswith(("ordered_", "reached_", "walked_", "speaking_"))]
    return render(ctes, final, materialized=reread)


def _named_steps(steps: tuple[Step, ...]) -> exp.Select:
    rows = [(index, step.label) for index, step in enumerate(steps, start=1)]
    return values_table("named_steps", ("step_index", "step_name"), rows)


def _matched_events(steps: tuple[Step, ...], subject: Subject, columns: Columns) -> exp.Select:
    """Events that can take a step, each with the steps it can take."""
    events = select(
        "select $subject as subject_id, event_id, event_at from events", subject.tables, subject=subject.id_of(columns)
    )
    flags = [exp.column(f"is_step_{index}") for index in range(1, len(steps) + 1)]
    for flag, step in zip(flags, steps, strict=True):
        events.select(exp.alias_(matches_any(step.any_of, columns), flag.name), copy=False)
    events.select(exp.alias_(_first_true(flags, range(1, len(flags) + 1)), "lowest_step"), copy=False)
    reversed_steps = range(len(flags), 0, -1)
    events.select(exp.alias_(_first_true(flags[::-1], reversed_steps), "highest_step"), copy=False)
    return events.where(any_of(flags), copy=False)


def _first_true(flags: list[exp.Column], indexes: range) -> exp.Expr:
    case = exp.Case()
    for flag, index in zip(flags, indexes, strict=True):
        case.when(flag.copy(), str(index), copy=False)
    return case


# Events at the same time are numbered in the order of the steps they can take, which helps the subject.
_ORDERED_EVENTS = """
select
    *,
    row_number() over (
        partition by subject_id
        order by event_at, highest_step, lowest_step, event_id
    ) as event_order
from matched_events
"""

_REACHED_FIRST = """
select subject_id, event_order, event_at, event_at as entered_at
from ordered_events
where is_step_1
"""

# A later start is never worse than an earlier one, so the nearest preceding row is the only one worth asking.
_REACHED_NEXT = """
select event.subject_id, event.event_order, event.event_at, previous.entered_at
from ordered_events as event
asof join reached_previous as previous
    on event.subject_id = previous.subject_id and event.event_order > previous.event_order
where $is_step and event.event_at <= previous.entered_at + to_seconds($window)
"""


def _reached_ctes(step_count: int, window_s: float) -> dict[str, exp.Query]:
    """reached_k: every event that takes step k, with the latest start (`entered_at`) it can be reached from."""
    ctes: dict[str, exp.Query] = {"reached_1": select(_REACHED_FIRST)}
    for index in range(2, step_count + 1):
        flag = exp.column(f"is_step_{index}", table="event")
        tables = {"reached_previous": f"reached_{index - 1}"}
        ctes[f"reached_{index}"] = select(_REACHED_NEXT, tables, is_step=flag, window=window_s)
    return ctes


_ATTEMPTS_OF_DEPTH = """
select subject_id, $depth as depth, event_at as finished_at, entered_at
from reached_level
"""

# The deepest attempt speaks; among equals the one that finishes first, then the one that starts latest.
_SPEAKING_ATTEMPTS = """
select distinct on (subject_id) subject_id, entered_at
from attempts
order by subject_id, depth desc, finished_at, entered_at desc
"""

_WALKED_FIRST = """
select attempt.subject_id, attempt.entered_at, attempt.entered_at as event_at, min(event.event_order) as event_order
from speaking_attempts as attempt
inner join reached_1 as event
    on attempt.subject_id = event.subject_id and attempt.entered_at = event.event_at
group by attempt.subject_id, attempt.entered_at
"""

_WALKED_NEXT = """
select
    previous.subject_id,
    previous.entered_at,
    event.event_at,
    event.event_order,
    epoch_us(event.event_at) - epoch_us(previous.event_at) as from_previous_us
from walked_previous as previous
asof join reached_level as event
    on previous.subject_id = event.subject_id and previous.event_order < event.event_order
where event.event_at <= previous.entered_at + to_seconds($window)
"""


def _walked_ctes(step_count: int, window_s: float) -> dict[str, exp.Query]:
    """walked_k: the event that takes step k in each subject's speaking attempt."""
    indexes = range(1, step_count + 1)
    attempts = [select(_ATTEMPTS_OF_DEPTH, {"reached_level": f"reached_{index}"}, depth=index) for index in indexes]
    ctes: dict[str, exp.Query] = {
        "attempts": union_all(attempts),
        "speaking_attempts": select(_SPEAKING_ATTEMPTS),
        "walked_1": select(_WALKED_FIRST),
    }
    steps = [select("select subject_id, 1 as step_index, cast(null as bigint) as from_previous_us from walked_1")]
    for index in indexes[1:]:
        tables = {"walked_previous": f"walked_{index - 1}", "reached_level": f"reached_{index}"}
        ctes[f"walked_{index}"] = select(_WALKED_NEXT, tables, window=window_s)
        text = "select subject_id, $index as step_index, from_previous_us from walked_level"
        steps.append(select(text, {"walked_level": f"walked_{index}"}, index=index))
    ctes["taken_steps"] = union_all(steps)
    return ctes


# Times stay whole microseconds until they are averaged: sums of fractions would depend on the order of rows.
_STEP_TOTALS = """
select
    steps.step_index,
    steps.step_name,
    count(taken_steps.subject_id) as count,
    median(taken_steps.from_previous_us) / 1000000 as median_time_from_previous_s,
    avg(taken_steps.from_previous_us) / 1000000 as average_time_from_previous_s
from steps
left join taken_steps on steps.step_index = taken_steps.step_index
group by steps.step_index, steps.step_name
"""

_FINAL = """
select
    step_index,
    step_name,
    count,
    count / nullif(first_value(count) over (order by step_index), 0) as conversion_rate,
    count / nullif(lag(count) over (order by step_index), 0) as step_conversion_rate,
    median_time_from_previous_s,
    average_time_from_previous_s
from step_totals
order by step_index
"""

_FIRST_TOUCHES = """
select
    subject_id,
    coalesce(first(breakdown_value order by event_at, event_id) filter (where breakdown_value <> ''), '')
        as breakdown_value
from ordered_events
group by subject_id
"""

_RANKED_GROUPS = """
select breakdown_value, row_number() over (order by count(*) desc, breakdown_value) as group_rank
from first_touches
inner join walked_1 on first_touches.subject_id = walked_1.subject_id
group by breakdown_value
"""

_SUBJECT_GROUPS = """
select
    walked_1.subject_id,
    case when group_rank <= $limit then first_touches.breakdown_value else 'Other' end as breakdown_value
from walked_1
inner join first_touches on walked_1.subject_id = first_touches.subject_id
inner join ranked_groups on first_touches.breakdown_value = ranked_groups.breakdown_value
"""

_ALL_SUBJECT_GROUPS = """
select walked_1.subject_id, first_touches.breakdown_value
from walked_1
inner join first_touches on walked_1.subject_id = first_touches.subject_id
"""

_STEP_TOTALS_BY_GROUP = """
select
    shown_groups.breakdown_value,
    steps.step_index,
    steps.step_name,
    count(taken_steps.subject_id) as count,
    median(taken_steps.from_previous_us) / 1000000 as median_time_from_previous_s,
    avg(taken_steps.from_previous_us) / 1000000 as average_time_from_previous_s
from (select distinct breakdown_value from subject_groups) as shown_groups
cross join steps
left join (
    select subject_groups.breakdown_value, taken_steps.*
    from taken_steps
    inner join subject_groups on taken_steps.subject_id = subject_groups.subject_id
) as taken_steps
    on shown_groups.breakdown_value = taken_steps.breakdown_value and steps.step_index = taken_steps.step_index
group by shown_groups.breakdown_value, steps.step_index, steps.step_name
"""

_FINAL_BY_GROUP = """
select
    breakdown_value,
    step_index,
    step_name,
    count,
    count / nullif(entry_count, 0) as conversion_rate,
    count / nullif(lag(count) over (partition by breakdown_value order by step_index), 0) as step_conversion_rate,
    median_time_from_previous_s,
    average_time_from_previous_s
from (
    select *, first_value(count) over (partition by breakdown_value order by step_index) as entry_count
    from step_totals
) as step_totals
order by entry_count desc, breakdown_value, step_index
"""


def _group_ctes(limit: int | None) -> dict[str, exp.Query]:
    """The group each subject belongs to, and the steps counted within groups."""
    ctes: dict[str, exp.Query] = {"first_touches": select(_FIRST_TOUCHES)}
    if limit is None:
        ctes["subject_groups"] = select(_ALL_SUBJECT_GROUPS)
    else:
        ctes["ranked_groups"] = select(_RANKED_GROUPS)
        ctes["subject_groups"] = select(_SUBJECT_GROUPS, limit=limit)
    ctes["step_totals"] = select(_STEP_TOTALS_BY_GROUP)
    return ctes
