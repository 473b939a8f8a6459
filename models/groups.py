"""Events in the groups of a breakdown: every group is asked as if its events were all there are.

The column `breakdown` is a list of texts; inside a statement the rest beyond the limit is the empty list, and where
nothing is split a constant, which groups and joins faster than a list.
"""

from sqlglot import exp

from models.breakdown import Breakdown, group_of_event, kept_groups, shown_group
from models.columns import Columns
from models.sql import fragment, select

GROUPED_EVENTS = "grouped_events"

_SIZED_GROUPS = """
select breakdown, count(distinct subject_id) as size
from seen_events
where $sized
group by breakdown
"""

_SHOWN_EVENTS = """
select * replace (coalesce($shown, cast([] as varchar[])) as breakdown)
from seen_events
"""


def group_key(breakdown: Breakdown | None, columns: Columns) -> exp.Expr:
    """The column `breakdown` of an event."""
    return group_of_event(breakdown, columns) if breakdown else fragment("0")


def grouped_events(seen: exp.Select, breakdown: Breakdown | None, sized: str = "true") -> dict[str, exp.Query]:
    """The CTE GROUPED_EVENTS, `seen` with the rest beyond the limit as one group, after those it needs.

    A group is as large as the subjects with an event for which `sized` (SQL) holds.
    """
    if breakdown is None or breakdown.limit is None:
        return {GROUPED_EVENTS: seen}
    return {
        "seen_events": seen,
        "sized_groups": select(_SIZED_GROUPS, sized=fragment(sized)),
        "kept_groups": kept_groups("sized_groups", breakdown.limit),
        GROUPED_EVENTS: select(_SHOWN_EVENTS, shown=shown_group("kept_groups")),
    }


def group_as_shown(breakdown: Breakdown | None, table: str) -> exp.Expr:
    """The group as answers have it: [] where nothing is split, null for the rest beyond the limit."""
    if breakdown is None:
        return fragment("cast([] as varchar[])")
    column = exp.column("breakdown", table=table)
    return fragment("nullif($column, cast([] as varchar[]))", column=column) if breakdown.limit else column


def all_groups(breakdown: Breakdown | None, table: str) -> exp.Select:
    """The groups there are; the one of all where nothing is split, also where nobody is in it."""
    if breakdown is None:
        return select("select 0 as breakdown")
    return select("select distinct breakdown from members", {"members": table})
