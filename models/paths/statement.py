"""Paths as SQL: nodes in sessions, cut to their ends, counted part by part.

Every path is a numbered session of a subject; row order is never relied on.
"""

from sqlglot import exp

from models.groups import group_as_shown, in_joined_groups, kept_groups
from models.paths.nodes import node_ctes, shown_name
from models.paths.question import PathsQuestion
from models.questions import Scope, SeenEvents, Statement
from models.sessionizing import session_ctes
from models.sql import fragment, select, union_all


def build(question: PathsQuestion, scope: Scope) -> Statement:
    """The parts of all paths, step by step."""
    seen = SeenEvents(question, scope)
    ctes: dict[str, exp.Query] = {
        **node_ctes(question, seen),
        **session_ctes(question.session, "nodes", seen.calendar, previous=["node"]),
        "visits": select(_VISITS),
        **_end_ctes(question),
        "shown_nodes": _shown_nodes(question),
        "steps": select(_STEPS),
        **_kept_ctes(question),
        "counted_steps": _counted_steps(question),
        "parts": union_all([select(_NODES), select(_EDGES), *_drop_offs(question)]),
    }
    shown = group_as_shown(question.breakdown, "parts")
    people = select("select parts.* replace ($shown as breakdown) from parts", shown=shown)
    return Statement(ctes, select(_ROWS, shown=shown), people, materialized=("visits", "steps", "kept_groups"))


# Equal neighbours are one node, at the time of the first.
_VISITS = """
select
    subject_id,
    session_number,
    node,
    event_at,
    breakdown,
    row_number() over in_order as position,
    lead(event_at) over in_order is null as is_last
from session_events
where node is distinct from previous_node
window in_order as (partition by subject_id, session_number order by event_number)
"""

_STARTS = """
select subject_id, session_number, min(position) as first_position
from visits
where node = $start
group by subject_id, session_number
"""

_ENDS = """
select subject_id, session_number, min(position) as last_position
from begun_visits
where node = $end
group by subject_id, session_number
"""

_BEGUN_VISITS = """
select visits.* replace (position - first_position + 1 as position)
from visits
inner join starts using (subject_id, session_number)
where position >= first_position
"""


def _end_ctes(question: PathsQuestion) -> dict[str, exp.Query]:
    """CTEs that end in begun_visits, numbered from the start, and ends, where they are asked for."""
    ctes: dict[str, exp.Query] = {"begun_visits": select("select * from visits")}
    if question.start is not None:
        start = select(_STARTS, start=shown_name(question.start, question))
        ctes = {"starts": start, "begun_visits": select(_BEGUN_VISITS)}
    if question.end is not None:
        ctes["ends"] = select(_ENDS, end=shown_name(question.end, question))
    return ctes


_FIRST_NODES = """
select *, position as step_index
from begun_visits
where position <= $step_limit
"""

_LAST_NODES = """
select
    begun_visits.*,
    position - greatest(last_position - $step_limit, 0) as step_index
from begun_visits
inner join ends using (subject_id, session_number)
where position between last_position - $step_limit + 1 and last_position
"""

# A path too long for both of its ends keeps a half on each side of what stands for the nodes between.
_FOLDED_NODES = """
select
    begun_visits.* replace (
        case when last_position > $step_limit and position = $half + 1 then '...' else node end as node
    ),
    case
        when last_position > $step_limit and position > $half + 1 then position - last_position + 2 * $half + 1
        else position
    end as step_index
from begun_visits
inner join ends using (subject_id, session_number)
where position <= last_position
    and (last_position <= $step_limit or position <= $half + 1 or position > last_position - $half)
"""


def _shown_nodes(question: PathsQuestion) -> exp.Select:
    if question.end is None:
        return select(_FIRST_NODES, step_limit=question.step_limit)
    if question.start is None:
        return select(_LAST_NODES, step_limit=question.step_limit)
    return select(_FOLDED_NODES, step_limit=question.step_limit, half=question.step_limit // 2)


_STEPS = """
select
    subject_id,
    session_number,
    step_index,
    node as source,
    lead(node) over in_order as target,
    (epoch_us(lead(event_at) over in_order) - epoch_us(event_at)) / 1e6 as seconds,
    is_last,
    first_value(breakdown) over in_order as breakdown
from shown_nodes
window in_order as (partition by subject_id, session_number order by step_index)
"""


def _kept_ctes(question: PathsQuestion) -> dict[str, exp.Query]:
    """The groups and the edges that keep their names, where not all do."""
    ctes = kept_groups(question.breakdown, select("select breakdown from steps where step_index = 1"))
    if question.edge_limit is not None:
        size = "count(*)" if question.count == "paths" else "count(distinct subject_id)"
        ctes["kept_edges"] = select(_KEPT_EDGES, size=fragment(size), limit=question.edge_limit)
    return ctes


_KEPT_EDGES = """
select step_index, source, target
from steps
where target is not null
group by step_index, source, target
order by $size desc, step_index, source, target
limit $limit
"""


def _counted_steps(question: PathsQuestion) -> exp.Select:
    steps = in_joined_groups("steps", question.breakdown)
    if question.edge_limit is None:
        return steps.select("true as is_kept")
    steps = steps.select("kept_edges.step_index is not null as is_kept")
    return steps.join("kept_edges", on=_IS_KEPT_EDGE, join_type="left")


_IS_KEPT_EDGE = """
grouped.step_index = kept_edges.step_index and grouped.source = kept_edges.source and grouped.target = kept_edges.target
"""

_NODES = """
select subject_id, session_number, 'node' as part, breakdown, step_index, source, cast(null as varchar) as target,
    cast(null as double) as seconds
from counted_steps
"""

_EDGES = """
select subject_id, session_number, case when is_kept then 'edge' else 'rest' end as part, breakdown, step_index,
    case when is_kept then source end as source, case when is_kept then target end as target, seconds
from counted_steps
where target is not null
"""

# A path that was only cut short by the limit has not dropped off.
_DROP_OFFS = """
select subject_id, session_number, 'drop_off' as part, breakdown, step_index, source, cast(null as varchar) as target,
    cast(null as double) as seconds
from counted_steps
where is_last
"""

_ROWS = """
select
    part,
    $shown as breakdown,
    step_index,
    source,
    target,
    count(*) as path_count,
    count(distinct subject_id) as subject_count,
    avg(seconds) as average_s
from parts
group by part, parts.breakdown, step_index, source, target
order by breakdown nulls last, step_index, part, path_count desc, source, target
"""


def _drop_offs(question: PathsQuestion) -> list[exp.Select]:
    """Paths that have to reach an end drop off nowhere."""
    return [select(_DROP_OFFS)] if question.end is None else []
