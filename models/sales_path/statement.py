"""The sales path as SQL: each subject's first entry into each stage, and the stages counted over subjects."""

from typing import cast

from sqlglot import exp

from models.conditions import matches_any
from models.errors import QuestionError
from models.questions import Scope, SeenEvents, Statement
from models.sales_path.question import SalesPathQuestion
from models.sql import any_of, fragment, render, select, union_all, values_table

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


_FURTHEST_STAGES = "select subject_id, max(stage_index) as furthest_index from stage_entries group by subject_id"

# Whoever's furthest stage is this one or a later one has reached it, entered or not.
_PEOPLE_OF_STAGES = """
select furthest_stages.subject_id, stages.stage_index, 'reached' as counted
from furthest_stages
inner join stages on furthest_stages.furthest_index >= stages.stage_index
union all
select furthest_stages.subject_id, stages.stage_index, 'skipped' as counted
from furthest_stages
inner join stages on furthest_stages.furthest_index > stages.stage_index
anti join stage_entries
    on furthest_stages.subject_id = stage_entries.subject_id and stages.stage_index = stage_entries.stage_index
union all
select subject_id, stage_index, 'entered' as counted from stage_entries
union all
select subject_id, stage_index, 'furthest_here' as counted from compared_entries where is_furthest
union all
select subject_id, stage_index, 'out_of_order' as counted from compared_entries where first_entered_at < latest_before
"""


def build_sales_path(question: SalesPathQuestion, scope: Scope) -> Statement:
    """One row per stage, in order. Who came further than a stage without entering it has skipped it."""
    ctes = _stage_entries_ctes(question, scope)
    ctes["compared_entries"] = select(_COMPARED_ENTRIES)
    ctes["entry_totals"] = select(_ENTRY_TOTALS)
    ctes["reach_totals"] = select(_REACH_TOTALS)
    ctes["furthest_stages"] = select(_FURTHEST_STAGES)
    ctes["people_of_stages"] = cast(exp.Query, fragment(_PEOPLE_OF_STAGES))
    return Statement(ctes, select(_FINAL), select("select * from people_of_stages"), ("first_entries",))


def build_stage_entries_sql(question: SalesPathQuestion, scope: Scope) -> str:
    """One row per subject and stage it entered: subject_id, stage_index, stage_name, first_entered_at (UTC)."""
    return render(_stage_entries_ctes(question, scope), select(_NAMED_ENTRIES), materialized=("first_entries",))


def _stage_entries_ctes(question: SalesPathQuestion, scope: Scope) -> dict[str, exp.Query]:
    """stage_entries: the first entry of each subject into each stage; and the CTEs it is made from."""
    if not question.stages:
        raise QuestionError("A sales path has at least one stage: name the events that enter it.")
    named_stages = [(index, stage.name) for index, stage in enumerate(question.stages, start=1)]
    entries = [_entries_of_stage(index) for index, _ in named_stages]
    seen = SeenEvents(question, scope)
    stage_events = _stage_events(question, seen)
    ctes: dict[str, exp.Query] = {
        **seen.ctes,
        "stages": values_table("named_stages", ("stage_index", "stage_name"), named_stages),
        "stage_events": stage_events,
        "first_entries": _first_entries(len(question.stages)),
    }
    if question.conversion_window_s is None:
        return ctes | {"stage_entries": union_all(entries)}
    in_window = select(_ENTRIES_IN_WINDOW, window=question.conversion_window_s)
    return ctes | {"all_stage_entries": union_all(entries), "stage_entries": in_window}


def _stage_events(question: SalesPathQuestion, seen: SeenEvents) -> exp.Select:
    """Events that enter a stage, each with the stages it enters."""
    flags = {
        f"is_stage_{index}": matches_any(stage.any_of, seen.columns)
        for index, stage in enumerate(question.stages, start=1)
    }
    return seen.rows({"event_at": exp.column("event_at", table="events"), **flags}, [any_of(flags.values())])


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
