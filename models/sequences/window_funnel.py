"""window_funnel as SQL: levels reached by ASOF joins, and the rows that end a strict one.

A start that is later is never worse, so every event of a level needs only the latest start it can be reached from:
that of the nearest event of the level before. What a strict mode ends is the same run of levels, cut at the first row
that the mode does not bear. Such rows stand in a position: the time, then the condition, so that equal times are in
order; an event that meets no condition stands before those of its time.
"""

from sqlglot import exp

from models.questions import Scope, SeenEvents, Statement
from models.sequences.questions import WindowFunnelQuestion
from models.sequences.rows import SequenceRows
from models.sequences.serving_once import serving_once_ctes
from models.sql import any_of, fragment, select, union_all, values_table

_STRICT = {"strict_order", "strict_deduplication"}


def build(question: WindowFunnelQuestion, scope: Scope) -> Statement:
    """The level of every path."""
    rows = SequenceRows(question, SeenEvents(question, scope))
    ctes = {**rows.ctes(), "met_rows": select(_MET_ROWS, meets_any=rows.meets_any)}
    if "strict_once" in question.modes and "strict_increase" not in question.modes:
        ctes |= serving_once_ctes(len(rows.flags), question.longest_s)
    else:
        ctes |= _reached_ctes(rows, question)
    reached = [name for name in ctes if name.startswith("reached_")]
    ctes["first_levels"] = union_all(
        [select(_FIRST_LEVEL, {"reached_level": name}, level=level) for level, name in enumerate(reached, start=1)]
    )
    if _STRICT & set(question.modes):
        ctes |= {"met_conditions": _met_conditions(rows), **_ending_ctes(rows, question)}
        ctes["levels"] = select(_LEVELS_BEFORE_ENDS, level_count=len(reached))
    else:
        ctes["levels"] = select(_LEVELS)
    ctes["path_results"] = select(_PATH_RESULTS)
    reread = ("met_rows", *(name for name in ctes if name.startswith(("reached_", "served_"))), "first_levels")
    possible = values_table("possible", ("level",), [(level,) for level in range(len(reached) + 1)])
    return rows.statement(ctes, ["level"], reread, possible)


_MET_ROWS = "select * exclude (log_order) from path_rows where $meets_any"

_REACHED_FIRST = "select path_id, event_at, event_at as entered_at from met_rows where $is_met"

_REACHED_NEXT = """
select met.path_id, met.event_at, previous.entered_at
from met_rows as met
asof join reached_previous as previous
    on met.path_id = previous.path_id and met.event_at >= previous.event_at
where $is_met and met.event_at <= previous.entered_at + to_seconds($window)
"""

_FIRST_LEVEL = """
select path_id, $level as level, epoch_us(min(event_at)) * 128 + 2 * $level as position
from reached_level
group by path_id
"""

_LEVELS = "select path_id, max(level) as level from first_levels group by path_id"

_PATH_RESULTS = """
select path_id, coalesce(level, 0) as level
from (select distinct path_id from path_rows) as paths
left join levels using (path_id)
"""


def _reached_ctes(rows: SequenceRows, question: WindowFunnelQuestion) -> dict[str, exp.Query]:
    """reached_k: the events that reach level k, each with the latest start (`entered_at`) it can be reached from."""
    ctes: dict[str, exp.Query] = {"reached_1": select(_REACHED_FIRST, is_met=rows.flags[0])}
    text = _REACHED_NEXT
    if "latest_only" in question.modes:
        text += "and met.event_at > previous.event_at"
    elif "strict_increase" in question.modes:
        text = text.replace("met.event_at >= previous", "met.event_at > previous")
    for level, flag in enumerate(rows.flags[1:], start=2):
        tables = {"reached_previous": f"reached_{level - 1}"}
        is_met = exp.column(flag.name, table="met")
        ctes[f"reached_{level}"] = select(text, tables, is_met=is_met, window=question.longest_s)
    return ctes


_MET_CONDITIONS = """
select
    path_id,
    condition,
    epoch_us(event_at) * 128 + 2 * condition as position,
    count(*) as row_count,
    lag(condition) over (partition by path_id order by position) as condition_before
from (select path_id, event_at, unnest($conditions) as condition from met_rows)
where condition is not null
group by path_id, event_at, condition
"""


def _met_conditions(rows: SequenceRows) -> exp.Select:
    numbers = [exp.Case().when(flag, str(number)) for number, flag in enumerate(rows.flags, start=1)]
    return select(_MET_CONDITIONS, conditions=exp.array(*numbers))


_FIRST_POSITIONS = """
select path_id, list(position order by level) as positions
from first_levels
group by path_id
"""

_ENDED_BY_OTHER = """
select path_id, epoch_us(min(event_at)) * 128 as position, cast(null as bigint) as ended_level
from path_rows
inner join first_positions using (path_id)
where not ($meets_any) and epoch_us(event_at) * 128 > positions[1]
group by path_id
"""

_ENDED_BY_CONDITION = """
select path_id, position, cast(null as bigint) as ended_level
from met_conditions
inner join first_positions using (path_id)
where $ends
"""

_IS_REENTRY = "condition = 1 and position > positions[2]"
_IS_OUT_OF_TURN = """
condition >= 3 and position > positions[1] and coalesce(position < positions[condition - 1], true)
"""

# Two rows of one time that meet a condition are the condition and its repeat.
_ENDED_BY_REPEAT = """
select
    path_id,
    case when position > positions[condition] then position else position + 1 end as position,
    $ended_level as ended_level
from met_conditions
inner join first_positions using (path_id)
where condition >= 2
    and (position > positions[condition] or (position = positions[condition] and row_count > 1))
"""

_LEVEL_OF_ROW_BEFORE = "case when position > positions[condition] then condition_before else condition end"

_ENDS = """
select path_id, min(position) as position, arg_min(coalesce(ended_level, 0), position) as ended_level
from all_ends
group by path_id
"""

# What was complete before is complete.
_LEVELS_BEFORE_ENDS = """
select
    path_id,
    case
        when max(level) < $level_count and max(ended_level) > 0 then max(ended_level)
        else max(level)
    end as level
from first_levels
left join ends using (path_id)
where ends.position is null or first_levels.position < ends.position
group by path_id
"""


def _ending_ctes(rows: SequenceRows, question: WindowFunnelQuestion) -> dict[str, exp.Query]:
    """CTEs that end in ends: the position of the row that ended a path, and the level this row gave it, or 0."""
    modes = question.modes
    found: list[exp.Select] = []
    if "strict_order" in modes:
        found.append(select(_ENDED_BY_OTHER, meets_any=rows.meets_any))
        ends = [text for mode, text in _BROKEN_ORDER.items() if mode not in modes]
        if ends:
            found.append(select(_ENDED_BY_CONDITION, ends=any_of(map(fragment, ends))))
    if "strict_deduplication" in modes:
        level = "cast(null as bigint)" if "level_reached" in modes else _LEVEL_OF_ROW_BEFORE
        found.append(select(_ENDED_BY_REPEAT, ended_level=fragment(level)))
    return {"first_positions": select(_FIRST_POSITIONS), "all_ends": union_all(found), "ends": select(_ENDS)}


_BROKEN_ORDER = {"allow_reentry": _IS_REENTRY, "allow_early": _IS_OUT_OF_TURN}
