"""Events in the groups of a breakdown: every group is asked as if its events were all there are.

The column `breakdown` is a list of texts. Where groups are joined, the rest beyond the limit is the empty list and a
constant stands where nothing is split, which group and join faster than null and a list: `group_as_shown` ends that.
"""

from sqlglot import exp

from models.breakdown import Breakdown, group_of_event
from models.columns import Columns
from models.sql import fragment, select

GROUPED_EVENTS = "grouped_events"

_KEPT_GROUPS = """
select breakdown as kept_breakdown
from sized_rows
group by breakdown
order by $size desc, breakdown
limit $limit
"""


def kept_groups(breakdown: Breakdown | None, rows: exp.Select, size: str = "count(*)") -> dict[str, exp.Query]:
    """The CTE `kept_groups`, the largest by the `size` (SQL) of their `rows`; nothing where all groups are kept.

    `beside_kept_groups` joins to it.

    Groups of one size are taken in the order of their values.
    """
    if breakdown is None or breakdown.limit is None:
        return {}
    largest = select(_KEPT_GROUPS, size=fragment(size), limit=breakdown.limit)
    return {"kept_groups": largest.with_("sized_rows", as_=rows, copy=False)}


def beside_kept_groups(query: exp.Select, breakdown: Breakdown | None) -> exp.Select:
    """`query`, whose one column `breakdown` is the group, with the join that `shown_group` and `joined_group` read."""
    if not _is_limited(breakdown):
        return query
    # Not `breakdown in (select ...)`: DuckDB 2.0 loses rows where such a mark is filtered beside a view's own joins.
    return query.join("kept_groups", on="breakdown = kept_groups.kept_breakdown", join_type="left", copy=False)


def shown_group(breakdown: Breakdown | None) -> exp.Expr:
    """The column `breakdown` as answers have it: null (the rest) for a group that is not among `kept_groups`."""
    return fragment("kept_groups.kept_breakdown") if _is_limited(breakdown) else exp.column("breakdown")


def in_shown_groups(rows: str, breakdown: Breakdown | None) -> exp.Select:
    """The rows of a CTE under the group that is shown."""
    query = select(
        "select grouped.* replace ($shown as breakdown) from grouped", {"grouped": rows}, shown=shown_group(breakdown)
    )
    return beside_kept_groups(query, breakdown)


def group_key(breakdown: Breakdown | None, columns: Columns) -> exp.Expr:
    """The group of an event as groups are joined."""
    return group_of_event(breakdown, columns) if breakdown else fragment("0")


def joined_group(breakdown: Breakdown | None) -> exp.Expr:
    """The column `breakdown` as groups are joined: the rest beyond the limit is the empty list."""
    shown = shown_group(breakdown)
    group = fragment("coalesce($shown, cast([] as varchar[]))", shown=shown) if _is_limited(breakdown) else shown
    return exp.alias_(group, "breakdown")


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
    shown = select("select seen_events.* replace ($group) from seen_events", group=joined_group(breakdown))
    return {"seen_events": seen, **kept, GROUPED_EVENTS: beside_kept_groups(shown, breakdown)}


def group_as_shown(breakdown: Breakdown | None, table: str) -> exp.Expr:
    """The joined group as answers have it: [] where nothing is split, null for the rest beyond the limit."""
    if breakdown is None:
        return fragment("cast([] as varchar[])")
    column = exp.column("breakdown", table=table)
    return fragment("nullif($column, cast([] as varchar[]))", column=column) if breakdown.limit else column


def all_groups(breakdown: Breakdown | None, table: str) -> exp.Select:
    """The joined groups there are; the one of all where nothing is split, also where nobody is in it."""
    if breakdown is None:
        return select("select 0 as breakdown")
    return select("select distinct breakdown from members", {"members": table})
