"""sequence_match and sequence_count as SQL: from the last event of the pattern back to its first, one join each.

Every event that can be the k-th of a match learns where the match that begins with it ends, if each following event of
the pattern is the earliest that lets the match succeed.
"""

from collections.abc import Mapping

from sqlglot import exp

from models.questions import Scope, SeenEvents, Statement
from models.sequences.pattern import PatternItem, parse_pattern
from models.sequences.questions import SequenceMatchQuestion
from models.sequences.rows import SequenceRows
from models.sql import fragment, select, values_table


def build_match(question: SequenceMatchQuestion, scope: Scope) -> Statement:
    """Whether each path has a match."""
    rows = SequenceRows(question, SeenEvents(question, scope))
    ctes = {**_found_ctes(question, rows), "path_results": select(_ARE_MATCHED)}
    possible = values_table("possible", ("is_matched",), [(True,), (False,)])
    return rows.statement(ctes, ["is_matched"], _reread(ctes), possible)


def build_count(question: SequenceMatchQuestion, scope: Scope) -> Statement:
    """How many matches that do not overlap each path has."""
    rows = SequenceRows(question, SeenEvents(question, scope))
    ctes = {**_found_ctes(question, rows), "counts": select(_COUNTS), "path_results": select(_COUNTED)}
    return rows.statement(ctes, ["match_count"], _reread(ctes))


_MET_ROWS = """
select *, row_number() over (partition by path_id order by event_at, log_order) as position
from path_rows
where $meets_any
"""

_FOUND_LAST = "select path_id, position, event_at, position as end_position from met_rows where $is_met"

_FOUND_AT_ONCE = """
select met.path_id, met.position, met.event_at, following.end_position
from met_rows as met
inner join found_following as following
    on met.path_id = following.path_id and following.position = met.position + 1
where $is_met
"""

_FOUND_LATER = """
select met.path_id, met.position, met.event_at, following.end_position
from met_rows as met
asof join found_following as following
    on met.path_id = following.path_id and met.position < following.position
where $is_met and $in_time
"""

# At least a microsecond later: of the events of that time, the first.
_FOUND_AFTER_TIME = """
select met.path_id, met.position, met.event_at, following.end_position
from met_rows as met
asof join (
    select path_id, event_at, arg_min(end_position, position) as end_position
    from found_following
    group by path_id, event_at
) as following
    on met.path_id = following.path_id and met.event_at + to_microseconds($least) <= following.event_at
where $is_met and $in_time
"""

_IN_TIME = "epoch_us(following.event_at) - epoch_us(met.event_at) <= $most"

_ARE_MATCHED = """
select paths.path_id, found.path_id is not null as is_matched
from (select distinct path_id from path_rows) as paths
left join (select distinct path_id from found_1) as found using (path_id)
"""

# A match that begins before the one before has ended overlaps it, and is none.
_COUNTS = """
select
    path_id,
    list_reduce(
        list({'position': position, 'end_position': end_position, 'match_count': 1} order by position),
        lambda found, following: case
            when following.position > found.end_position then {
                'position': following.position,
                'end_position': following.end_position,
                'match_count': found.match_count + 1
            }
            else found
        end
    ).match_count as match_count
from found_1
group by path_id
"""

_COUNTED = """
select path_id, coalesce(match_count, 0) as match_count
from (select distinct path_id from path_rows) as paths
left join counts using (path_id)
"""


def _found_ctes(question: SequenceMatchQuestion, rows: SequenceRows) -> dict[str, exp.Query]:
    """found_k: the events that can be the k-th of a match, with the position at which the match ends."""
    items = parse_pattern(question.pattern, len(rows.flags))
    ctes = {
        **rows.ctes(),
        "met_rows": select(_MET_ROWS, meets_any=rows.meets_any),
        f"found_{len(items)}": select(_FOUND_LAST, is_met=_is_met(items[-1], None)),
    }
    for number in range(len(items) - 1, 0, -1):
        ctes[f"found_{number}"] = _found(number, items[number - 1], items[number])
    return ctes


def _found(number: int, item: PatternItem, following: PatternItem) -> exp.Select:
    tables, is_met = {"found_following": f"found_{number + 1}"}, _is_met(item, "met")
    if following.follows_at_once:
        return select(_FOUND_AT_ONCE, tables, is_met=is_met)
    in_time = exp.true() if following.max_us is None else fragment(_IN_TIME, most=following.max_us)
    if following.min_us == 0:
        return select(_FOUND_LATER, tables, is_met=is_met, in_time=in_time)
    return select(_FOUND_AFTER_TIME, tables, is_met=is_met, in_time=in_time, least=following.min_us)


def _is_met(item: PatternItem, table: str | None) -> exp.Expr:
    return exp.true() if item.condition is None else exp.column(f"is_{item.condition}", table=table)


def _reread(ctes: Mapping[str, exp.Query]) -> list[str]:
    return [name for name in ctes if name.startswith(("met_", "found_"))]
