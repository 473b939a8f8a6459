"""sequence_retention and sequence_next_node as SQL."""

from sqlglot import exp

from models.conditions import all_hold, filter_conditions
from models.questions import Scope, SeenEvents, Statement
from models.sequences.questions import SequenceNextNodeQuestion, SequenceRetentionQuestion
from models.sequences.rows import SequenceRows
from models.sql import fragment, select, values_table


def build_retention(question: SequenceRetentionQuestion, scope: Scope) -> Statement:
    """Which conditions each path has met, where it has met the first."""
    rows = SequenceRows(question, SeenEvents(question, scope))
    numbered = list(enumerate(rows.flags, start=1))
    met = [exp.alias_(fragment("bool_or($is_met)", is_met=flag), flag.name) for flag in rows.flags]
    numbers = [exp.Case().when(flag, str(number)) for number, flag in numbered]
    ctes = {
        **rows.ctes(),
        "met_conditions": select("select path_id from path_rows group by path_id").select(*met),
        "path_conditions": select(_PATH_CONDITIONS, conditions=exp.array(*numbers)),
        "path_results": select("select * from path_conditions where condition is not null"),
    }
    possible = values_table("possible", ("condition",), [(number,) for number, _ in numbered])
    return rows.statement(ctes, ["condition"], possible=possible)


_PATH_CONDITIONS = "select path_id, unnest($conditions) as condition from met_conditions where is_1"

_NUMBERED_ROWS = """
select
    *,
    row_number() over (partition by path_id order by event_at, log_order) as position,
    count(*) over (partition by path_id) as row_count
from path_rows
"""

_BASES = """
select path_id, $position as base_position
from numbered_rows
where $can_be_base
group by path_id
"""

_CHAINS = """
select path_id, abs(position - base_position) + 1 as place, next_node, $is_met as is_met
from numbered_rows
inner join bases using (path_id)
where $distance between 0 and $length
"""

_PATH_RESULTS = """
select path_id, coalesce(is_found, false) as has_next, case when is_found then following end as next_node
from (select distinct path_id from path_rows) as paths
left join (
    select
        path_id,
        bool_and(is_met) and count(*) = $length + 1 as is_found,
        any_value(next_node) filter (where place = $length + 1) as following
    from chains
    group by path_id
) as followed using (path_id)
"""


def build_next_node(question: SequenceNextNodeQuestion, scope: Scope) -> Statement:
    """What comes next on each path."""
    seen = SeenEvents(question, scope)
    rows = SequenceRows(question, seen)
    node = seen.columns.text(question.node) if question.node else exp.column("event_name", table="events")
    values = {"next_node": node, "is_base": all_hold(filter_conditions(question.base_where, seen.columns))}
    length = len(rows.flags)
    ctes = {
        **rows.ctes(values),
        "numbered_rows": select(_NUMBERED_ROWS),
        "bases": select(_BASES, can_be_base=fragment(_IS_BASE[question.base]), position=_position(question)),
        "chains": select(_CHAINS, is_met=_is_met_in_place(rows), length=length, distance=_distance(question)),
        "path_results": select(_PATH_RESULTS, length=length),
    }
    return rows.statement(ctes, ["has_next", "next_node"], ["numbered_rows"])


_IS_BASE = {
    "head": "is_base and position = 1",
    "tail": "is_base and position = row_count",
    "first_match": "is_base and is_1",
    "last_match": "is_base and is_1",
}


def _position(question: SequenceNextNodeQuestion) -> exp.Expr:
    return fragment("max(position)" if question.base == "last_match" else "min(position)")


def _distance(question: SequenceNextNodeQuestion) -> exp.Expr:
    return fragment("position - base_position" if question.direction == "forward" else "base_position - position")


def _is_met_in_place(rows: SequenceRows) -> exp.Expr:
    """Whether the event meets the condition of its place in the chain; the one after the chain meets all."""
    case = exp.Case(this=exp.column("place"))
    for place, flag in enumerate(rows.flags, start=1):
        case.when(exp.Literal.number(place), flag, copy=False)
    return case.else_(exp.true(), copy=False)
