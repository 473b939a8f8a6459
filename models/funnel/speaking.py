"""Which attempt speaks for a subject: exclusions void attempts, the deepest speaks, and the groups of a breakdown."""

from collections import Counter
from collections.abc import Mapping

from sqlglot import exp

from models.funnel.definition import FunnelDefinition
from models.funnel.landings import landing_ctes
from models.funnel.layout import Layout, listed, same, step_column
from models.funnel.paths import latest_start, path_ctes
from models.funnel.unordered import unordered_ctes
from models.funnel.walk import backwards, walk_ctes
from models.groups import empty_key, has_value, in_joined_groups, kept_groups
from models.questions import Scope
from models.sql import select


def judged_ctes(definition: FunnelDefinition, scope: Scope, *, only_to_speak: bool = False) -> dict[str, exp.Query]:
    """`judged_attempts`: every attempt with its group (`breakdown`), what it came to, and whether it is void.

    With `only_to_speak` those are left out that cannot be the one that speaks, where that is known beforehand.
    """
    layout, calendar = Layout(definition), definition.calendar(scope.calendar)
    starts_before = latest_start(layout, scope)
    ctes = path_ctes(layout, scope)
    if definition.order == "unordered":
        ctes |= unordered_ctes(layout, calendar, starts_before)
    else:
        promising_only = only_to_speak and starts_before is None and _later_starts_are_better(definition)
        ctes |= landing_ctes(layout, promising_only=promising_only) | walk_ctes(layout, calendar, starts_before)
    return ctes | _whole_ctes(layout) | _void_ctes(layout) | _group_ctes(layout)


def speaking_ctes(definition: FunnelDefinition, scope: Scope) -> dict[str, exp.Query]:
    """`speaking_attempts`: the one attempt of each subject in each group, none where a void one went deepest."""
    layout = Layout(definition)
    unordered = definition.order == "unordered"
    ctes = judged_ctes(definition, scope, only_to_speak=True)
    pool = "where not is_void" if unordered else ""
    ctes["deepest_attempts"] = select(
        # Quicker than `distinct on`, which finds the first of each column by itself.
        f"""
        select *
        from judged_attempts
        {pool}
        qualify row_number() over (partition by subject_id, breakdown order by {_better(layout)}) = 1
        """
    )
    ctes["speaking_attempts"] = select("select * from deepest_attempts where not is_void")
    return ctes


def _later_starts_are_better(definition: FunnelDefinition) -> bool:
    """An exclusion can void a later start alone; an optional step can be taken before it."""
    is_plain = not definition.exclusions and not definition.has_optional
    return definition.order == "ordered" and is_plain and len(definition.steps) > 1


def shown_ctes(
    definition: FunnelDefinition, attempts: str, sized_rows: exp.Select, size: str = "count(*)"
) -> dict[str, exp.Query]:
    """`shown_attempts`: those attempts under the key of the group that is shown.

    The largest by the `size` of their `sized_rows` are kept. Who has several groups in the rest counts there once.
    """
    kept = kept_groups(definition.breakdown, sized_rows, size)
    return {**kept, "shown_attempts": in_joined_groups(attempts, definition.breakdown)}


def best_of_shown(definition: FunnelDefinition) -> dict[str, exp.Query]:
    """`spoken_attempts`: of each subject one attempt in each group shown."""
    layout = Layout(definition)
    if definition.breakdown is None or definition.breakdown.limit is None or not layout.is_split_into_paths:
        return {"spoken_attempts": select("select * from shown_attempts")}
    return {
        "spoken_attempts": select(
            f"""
            select distinct on (subject_id, breakdown) *
            from shown_attempts
            order by subject_id, breakdown, {_better(layout)}
            """
        )
    }


def reread(ctes: Mapping[str, exp.Query], *finals: exp.Query) -> tuple[str, ...]:
    """The CTEs that are read more than once."""
    read = Counter(table.name for query in (*ctes.values(), *finals) for table in query.find_all(exp.Table))
    return tuple(name for name in ctes if read[name] > 1 and name != "tangled_takings")


def _better(layout: Layout) -> str:
    """Deepest, with most steps, clean, finished first, then started latest (without order: earliest)."""
    start = "started_at" if layout.definition.order == "unordered" else "started_at desc"
    held = ", held" if layout.definition.held else ""
    return f"last_step desc, bit_count(taken) desc, is_void, finished_at, {start}{_more_ties(layout)}{held}"


def _more_ties(layout: Layout) -> str:
    """With a start and an end in common, attempts can still differ where steps are skipped or paths are several."""
    return f", {backwards(layout)}" if layout.definition.has_optional or layout.definition.held else ""


def _whole_ctes(layout: Layout) -> dict[str, exp.Query]:
    """Each attempt as far as it came, with the time of its last step.

    Without optional steps and exclusions the walk's earlier states of an attempt do no harm: a deeper one speaks.
    """
    finished = f"greatest({listed(layout.step_columns)})" if len(layout.step_columns) > 1 else layout.step_columns[0]
    text = f"select *, {finished} as finished_at from attempts"
    if layout.definition.has_optional or (layout.definition.exclusions and layout.definition.order != "unordered"):
        keys = f"{listed(layout.keys)}, start_place"
        text = f"""
        select distinct on ({keys}) *
        from ({text}) as attempts
        order by {keys}, last_step desc, bit_count(taken) desc, finished_at, {backwards(layout)}
        """
    return {"whole_attempts": select(text)}


def _void_ctes(layout: Layout) -> dict[str, exp.Query]:
    """Void is an attempt with an excluded event strictly inside the stretch, up to the window's end if it is open."""
    ctes: dict[str, exp.Query] = {}
    joins, voids = [], []
    for place, exclusion in enumerate(layout.definition.exclusions, start=1):
        name = f"excluded_{place}"
        keys = listed(layout.stream_keys)
        ctes[name] = select(f"select distinct {keys}, event_at from seen_events where is_excluded_{place}")
        opens = step_column(exclusion.from_step)
        closes = step_column(exclusion.to_step or len(layout.indexes))
        is_own = same(layout.stream_keys, "attempt", name)
        joins.append(f"asof left join {name} on {is_own} and attempt.{opens} < {name}.event_at")
        inside = f"{name}.event_at <= attempt.ends_at"
        before = f"(attempt.{closes} is null or {name}.event_at < attempt.{closes})"
        voids.append(f"coalesce({inside} and {before}, false)")
    ctes["void_attempts"] = select(
        f"select attempt.*, {' or '.join(voids) or 'false'} as is_void from whole_attempts as attempt {' '.join(joins)}"
    )
    return ctes


def _group_ctes(layout: Layout) -> dict[str, exp.Query]:
    if layout.is_split_into_paths:
        return {"judged_attempts": select("select * from void_attempts")}
    breakdown = layout.definition.breakdown
    if breakdown is None:
        return {"judged_attempts": select("select *, 0 as breakdown from void_attempts")}
    pick = "arg_min" if layout.definition.attribution == "first_touch" else "arg_max"
    touches = select(
        f"""
        select
            subject_id,
            coalesce({pick}(breakdown, row(event_at, log_order)) filter (where $has_value), $empty) as breakdown
        from seen_events
        where step_bits <> 0
        group by subject_id
        """,
        has_value=has_value(breakdown, exp.column("breakdown")),
        empty=empty_key(breakdown),
    )
    return {
        "touches": touches,
        "judged_attempts": select(
            """
            select void_attempts.*, touches.breakdown
            from void_attempts
            inner join touches on void_attempts.subject_id = touches.subject_id
            """
        ),
    }
