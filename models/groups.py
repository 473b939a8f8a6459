"""Events in the groups of a breakdown: every group is asked as if its events were all there are.

In answers the column `breakdown` is a list of texts, null for the rest beyond the limit. Until then events are grouped
and joined by its key: the text of one property, those of several as one text in JSON; with a limit the number of the
group among those kept, 0 for the rest; and 0 where nothing is split. `group_as_shown` turns a key into the list. Lists
take twice the time, and DuckDB 2.0's ASOF joins lose rows where a list or a struct is among several keys.
"""

from collections.abc import Sequence

from sqlglot import exp

from models.breakdown import Breakdown, group_texts
from models.columns import Columns
from models.sql import fragment, literal, select

GROUPED_EVENTS = "grouped_events"

_KEPT_GROUPS = """
select
    breakdown as kept_breakdown,
    $shown as shown_breakdown,
    row_number() over (order by $size desc, shown_breakdown) as group_number
from sized_rows
group by breakdown
order by group_number
limit $limit
"""


def kept_groups(breakdown: Breakdown | None, rows: exp.Select, size: str = "count(*)") -> dict[str, exp.Query]:
    """The CTE `kept_groups`, the largest by the `size` (SQL) of their `rows`; nothing where all groups are kept.

    Groups of one size are taken in the order of their values. `beside_kept_groups` joins to it.
    """
    if breakdown is None or breakdown.limit is None:
        return {}
    shown = _as_list(exp.column("breakdown"), breakdown)
    largest = select(_KEPT_GROUPS, shown=shown, size=fragment(size), limit=breakdown.limit)
    return {"kept_groups": largest.with_("sized_rows", as_=rows, copy=False)}


def beside_kept_groups(query: exp.Select, breakdown: Breakdown | None) -> exp.Select:
    """`query`, whose one column `breakdown` is the group, with the join that `joined_group` reads."""
    if not _is_limited(breakdown):
        return query
    # Not `breakdown in (select ...)`: DuckDB 2.0 loses rows where such a mark is filtered beside a view's own joins.
    return query.join("kept_groups", on="breakdown = kept_groups.kept_breakdown", join_type="left", copy=False)


def group_key(breakdown: Breakdown | None, columns: Columns) -> exp.Expr:
    """The key of an event's group, before it is looked up among `kept_groups`."""
    return _key(group_texts(breakdown, columns)) if breakdown else fragment("0")


def empty_key(breakdown: Breakdown) -> exp.Expr:
    """The key of the group without any value."""
    return _key([literal("") for _ in breakdown.by])


def has_value(breakdown: Breakdown, key: exp.Expr) -> exp.Expr:
    """True where at least one text of a group is not empty."""
    return exp.NEQ(this=key, expression=empty_key(breakdown))


def joined_group(breakdown: Breakdown | None) -> exp.Expr:
    """The column `breakdown` as the key that is left, beside `kept_groups`."""
    kept = fragment("coalesce(kept_groups.group_number, 0)") if _is_limited(breakdown) else exp.column("breakdown")
    return exp.alias_(kept, "breakdown")


def in_joined_groups(rows: str, breakdown: Breakdown | None) -> exp.Select:
    """The rows of a CTE under the key that is left."""
    query = select("select grouped.* replace ($group) from grouped", {"grouped": rows}, group=joined_group(breakdown))
    return beside_kept_groups(query, breakdown)


def _is_limited(breakdown: Breakdown | None) -> bool:
    return breakdown is not None and breakdown.limit is not None


def grouped_events(seen: exp.Select, breakdown: Breakdown | None, sized: str = "true") -> dict[str, exp.Query]:
    """The CTE GROUPED_EVENTS, `seen` with the rest beyond the limit as one group, after those it needs.

    A group is as large as the subjects with an event for which `sized` (SQL) holds.
    """
    sized_rows = select("select subject_id, breakdown from seen_events").where(sized, copy=False)
    kept = kept_groups(breakdown, sized_rows, size="count(distinct subject_id)")
    if not kept:
        return {GROUPED_EVENTS: seen}
    return {"seen_events": seen, **kept, GROUPED_EVENTS: in_joined_groups("seen_events", breakdown)}


def group_as_shown(breakdown: Breakdown | None, table: str) -> exp.Expr:
    """The group of a key, as answers have it: [] where nothing is split, null for the rest beyond the limit."""
    if breakdown is None:
        return fragment("cast([] as varchar[])")
    key = exp.column("breakdown", table=table)
    if breakdown.limit is None:
        return _as_list(key, breakdown)
    return fragment(
        "list_extract((select list(shown_breakdown order by group_number) from kept_groups), $key)", key=key
    )


def all_groups(breakdown: Breakdown | None, table: str) -> exp.Select:
    """The keys of the groups there are; the one of all where nothing is split, also where nobody is in it."""
    if breakdown is None:
        return select("select 0 as breakdown")
    return select("select distinct breakdown from members", {"members": table})


def _key(texts: Sequence[exp.Expr]) -> exp.Expr:
    if len(texts) == 1:
        return texts[0]
    return fragment("cast(to_json($texts) as varchar)", texts=exp.array(*texts))


def _as_list(key: exp.Expr, breakdown: Breakdown) -> exp.Expr:
    if len(breakdown.by) == 1:
        return exp.cast(exp.array(key), "varchar[]")
    return fragment("cast(cast($key as json) as varchar[])", key=key)
