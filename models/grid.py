"""The grid of an answer over time: every interval beside every group, so that none is left out for being empty."""

from collections.abc import Mapping

from sqlglot import exp

from models.breakdown import Breakdown, kept_groups, shown_group
from models.sql import fragment, select

_SIZED_GROUPS = "select breakdown, count(*) as size from grouped_rows group by breakdown"


def limit_ctes(breakdown: Breakdown | None, rows: exp.Select) -> Mapping[str, exp.Query]:
    """The CTE `kept_groups`, the largest by how many of `rows` are theirs; nothing where all groups are kept."""
    if not breakdown or not breakdown.limit:
        return {}
    sized = select(_SIZED_GROUPS).with_("grouped_rows", as_=rows, copy=False)
    return {"sized_groups": sized, "kept_groups": kept_groups("sized_groups", breakdown.limit)}


def group_in_answer(breakdown: Breakdown | None) -> exp.Expr:
    """The group of a row as the answer shows it, by its column breakdown: null for the rest."""
    shown = shown_group("kept_groups") if breakdown and breakdown.limit else exp.column("breakdown")
    return exp.alias_(shown, "breakdown")


def groups(breakdown: Breakdown | None, measured: str) -> exp.Select:
    """The groups that the CTE `measured` has; without a breakdown the one group there is, even of nothing."""
    if breakdown:
        return select("select distinct breakdown from measured", {"measured": measured})
    return exp.select(exp.alias_(fragment("cast([] as varchar[])"), "breakdown"))
