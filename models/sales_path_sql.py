"""The sales path as SQL: each subject's first entry into each stage, and the stages counted over subjects."""

from sqlglot import exp

from models.calendar import Calendar, Period
from models.columns import Columns
from models.conditions import matches_any
from models.matching import Stage
from models.sql import any_of, fragment, period_conditions, render, select, union_all, values_table
from models.subjects import Subject

_ENTRIES_OF_STAGE = """
select subject_id, $index as stage_index, $entered_at as first_entered_at
from first_entries
where first_entered_at is not null
"""

_ENTRIES_IN_WINDOW = """
select subject_id, stage_index, first_entered_at
from all_stage_entries
qualify first_entered_at <= min(first_entered_at) over (partition by subject_id) + to_seconds($window)
"""

_NAMED_ENTRIES = """
select stage_entries.subject_id, stages.stage_index, stages.stage_name, stage_entries.first_entered_at
from stage_entries
inner join stages on stage_entries.stage_index = stages.stage_index
order by stage_entries.subject_id, stages.stage_index
"""

# latest_before: the latest first entry into any earlier stage; later than this entry means out of order.
_COMPARED_ENTRIES = """
select
    subject_id,
    stage_index,
    first_entered_at,
    lag(stage_index) over walk as previous_index,
    lag(first_entered_at) over walk as previous_entered_at,
    max(first_entered_at) over (
        partition by subject_id order by stage_index rows between unbounded preceding and 1 preceding
    ) as latest_before,
    stage_index = max(stage_index) over (partition by subject_id) as is_furthest
from stage_entries
window walk as (partition by subject_id order by stage_index)
"""

# Times stay whole microseconds until the median is taken.
_ENTRY_TOTALS = """
select
    stages.stage_index,
    stages.stage_name,
    count(entry.subject_id) as entered,
    count(entry.subject_id) filter (where entry.is_furthest) as furthest_here,
    count(entry.subject_id) filter (where entry.first_entered_at < entry.latest_before) as out_of_order,
    median(epoch_us(entry.first_entered_at) - epoch_us(entry.previous_entered_at)) filter (
        where entry.previous_index = entry.stage_index - 1 and entry.first_entered_at >= entry.previous_entered_at
    ) / 1000000 as median_time_from_previous_s
from stages
left join compared_entries as entry on stages.stage_index = entry.stage_index
group by stages.stage_index, stages.stage_name
"""

_REACH_TOTALS = """
select
    *,
    cast(sum(furthest_here) over (
        order by stage_index rows between current row and unbounded following
    ) as bigint) as reached
from entry_totals
"""

_FINAL = """
select
    stage_index,
    stage_name,
    entered,
    reached,
    furthest_here,
    reached - entered as skipped,
    out_of_order,
    reached / nullif(first_value(reached) over (order by stage_index), 0) as conversion_rate,
    reached / nullif(lag(reached) over (order by stage_index), 0) as step_conversion_rate,
    median_time_from_previous_s
from reach_totals
order by stage_index
"""


def build_stage_entries_query(
    *,
    stages: tuple[Stage, ...],
    period: Period,
    window_s: float | None,
    subject: Subject,
    calendar: Calendar,
    columns: Columns,
) -> str:
    """One row per subject and stage it entered, ordered by both."""
    ctes = _stage_entries_ctes(stages, period, window_s, subject, calendar, columns)
    return render(ctes, select(_NAMED_ENTRIES), materialized=("first_entries",))


def build_stage_totals_query(
    *,
    stages: tuple[Stage, ...],
    period: Period,
    window_s: float | None,
    subject: Subject,
    calendar: Calendar,
    columns: Columns,
) -> str:
    """One row per stage, in order. Who came further than a stage without entering it has skipped it."""
    ctes = _stage_entries_ctes(stages, period, window_s, subject, calendar, columns)
    ctes["compared_entries"] = select(_COMPARED_ENTRIES)
    ctes["entry_totals"] = select(_ENTRY_TOTALS)
    ctes["reach_totals"] = select(_REACH_TOTALS)
    return render(ctes, select(_FINAL), materialized=("first_entries",))


def _stage_entries_ctes(
    stages: tuple[Stage, ...],
    period: Period,
    window_s: float | None,
    subject: Subject,
    calendar: Calendar,
    columns: Columns,
) -> dict[str, exp.Query]:
    """stage_entries: the first entry of each subject into each stage; and the CTEs it is made from."""
    named_stages = [(index, stage.name) for index, stage in enumerate(stages, start=1)]
    entries = [_entries_of_stage(index) for index, _ in named_stages]
    ctes: dict[str, exp.Query] = {
        "stages": values_table("named_stages", ("stage_index", "stage_name"), named_stages),
        "stage_events": _stage_events(stages, subject, columns).where(
            *period_conditions(period, calendar), *subject.conditions(columns), copy=False
        ),
        "first_entries": _first_entries(len(stages)),
    }
    if window_s is None:
        return ctes | {"stage_entries": union_all(entries)}
    in_window = select(_ENTRIES_IN_WINDOW, window=window_s)
    return ctes | {"all_stage_entries": union_all(entries), "stage_entries": in_window}


def _stage_events(stages: tuple[Stage, ...], subject: Subject, columns: Columns) -> exp.Select:
    """Events that enter a stage, each with the stages it enters."""
    events = select(
        "select $subject as subject_id, event_at from events", subject.tables, subject=subject.id_of(columns)
    )
    flags = [exp.column(f"is_stage_{index}") for index in range(1, len(stages) + 1)]
    for flag, stage in zip(flags, stages, strict=True):
        events.select(exp.alias_(matches_any(stage.any_of, columns), flag.name), copy=False)
    return events.where(any_of(flags), copy=False)


def _first_entries(stage_count: int) -> exp.Select:
    """One row per subject: when it first entered each stage, null where it never did."""
    subjects = select("select subject_id from stage_events group by subject_id")
    for index in range(1, stage_count + 1):
        flag = exp.column(f"is_stage_{index}")
        first = fragment("min(event_at) filter (where $is_stage)", is_stage=flag)
        subjects.select(exp.alias_(first, f"stage_{index}_at"), copy=False)
    return subjects


def _entries_of_stage(index: int) -> exp.Select:
    return select(_ENTRIES_OF_STAGE, index=index, entered_at=exp.column(f"stage_{index}_at"))
