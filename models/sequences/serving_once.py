"""Levels of a window funnel in which one event serves one condition, also where several events have one time.

Events of different times are different anyhow. Those of one time that meet the same conditions are alike, so it is
enough to remember which kinds of them were used at that time, and how often: `used`, a sorted list of kinds.
"""

from functools import reduce

from sqlglot import exp

from models.sql import fragment, select, union_all

_SERVED_KINDS = """
select path_id, event_at, $kind as kind, count(*) as row_count
from met_rows
group by path_id, event_at, kind
"""

_REACHED_FIRST = """
select path_id, event_at, [kind] as used, event_at as entered_at
from served_kinds
where (kind & $bit) <> 0
"""

_FROM_EARLIER = """
select served.path_id, served.event_at, [served.kind] as used, previous.entered_at
from served_kinds as served
asof join (
    select path_id, event_at, max(entered_at) as entered_at
    from reached_previous
    group by path_id, event_at
) as previous
    on served.path_id = previous.path_id and served.event_at > previous.event_at
where (served.kind & $bit) <> 0 and served.event_at <= previous.entered_at + to_seconds($window)
"""

_FROM_SAME_TIME = """
select served.path_id, served.event_at, list_sort(list_append(previous.used, served.kind)) as used, previous.entered_at
from served_kinds as served
inner join reached_previous as previous
    on served.path_id = previous.path_id and served.event_at = previous.event_at
where (served.kind & $bit) <> 0
    and length(list_filter(previous.used, lambda kind: kind = served.kind)) < served.row_count
"""

_REACHED_NEXT = """
select path_id, event_at, used, max(entered_at) as entered_at
from $ways
group by path_id, event_at, used
"""


def serving_once_ctes(condition_count: int, window_s: float) -> dict[str, exp.Query]:
    """reached_k as the window funnel wants them, from met_rows, whose columns is_1, is_2 ... say what each meets."""
    bits = [fragment(f"cast(is_{level} as bigint) * {1 << level - 1}") for level in range(1, condition_count + 1)]
    kind = reduce(lambda kinds, bit: exp.Add(this=kinds, expression=bit), bits)
    ctes: dict[str, exp.Query] = {
        "served_kinds": select(_SERVED_KINDS, kind=kind),
        "reached_1": select(_REACHED_FIRST, bit=1),
    }
    for level in range(2, condition_count + 1):
        tables, bit = {"reached_previous": f"reached_{level - 1}"}, 1 << level - 1
        earlier = select(_FROM_EARLIER, tables, bit=bit, window=window_s)
        ways = union_all([earlier, select(_FROM_SAME_TIME, tables, bit=bit)])
        ctes[f"reached_{level}"] = select(_REACHED_NEXT, ways=ways.subquery("ways"))
    return ctes
