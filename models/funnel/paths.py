"""The events that make the paths of a funnel: which steps each can take, and whose path it belongs to."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlglot import exp

from models.calendar import Period
from models.columns import Columns
from models.conditions import matches_any
from models.filters import PropertyOf
from models.funnel.definition import FunnelStep
from models.funnel.layout import Layout, bit, bits, listed, same
from models.groups import group_key
from models.matching import EventMatch
from models.questions import Scope, SeenEvents
from models.sql import any_of, fragment, literal, select, union_all
from models.subjects import Subject


def path_ctes(layout: Layout, scope: Scope) -> dict[str, exp.Query]:
    """`seen_events`, one row per event with its `step_bits`, and `path_events`: those of each path."""
    definition = layout.definition
    seen = SeenEvents(definition, scope)
    first_columns = Columns(
        scope.properties, absent=scope.absent, own_account_type=definition.account_type, prefix="first_"
    )
    first_events = {
        f"first_events_{index}": _first_events(step, definition.subject, first_columns)
        for index, step in enumerate(definition.steps, start=1)
        if step.occurrence != "all"
    }
    takes_step = [_takes_step(index, step, seen.columns) for index, step in enumerate(definition.steps, start=1)]
    excludes = [matches_any(exclusion.any_of, seen.columns) for exclusion in definition.exclusions]
    values: dict[str, exp.Expr] = {
        "event_at": exp.column("event_at", table="events"),
        "log_order": exp.column("log_order", table="events"),
        "step_bits": _bits_where(takes_step),
        "breakdown": group_key(definition.breakdown, seen.columns),
        **{f"is_excluded_{place}": condition for place, condition in enumerate(excludes, start=1)},
        **{f"held_{place}": _held_value(each, seen.columns) for place, each in enumerate(_distinct_held(layout), 1)},
    }
    needs_whole_stream = definition.order == "strict"
    where = [] if needs_whole_stream else [any_of([*takes_step, *excludes])]
    events = seen.rows(values, where, period=_period(layout, scope))
    ctes: dict[str, exp.Query] = {**first_columns.ctes, **first_events, **seen.ctes, "events_of_period": events}
    ctes["seen_events"] = select(_numbered(layout) if needs_whole_stream else "select * from events_of_period")
    return ctes | _path_events(layout)


def _period(layout: Layout, scope: Scope) -> Period:
    """The period of all steps: with `extend_over_end` as long after its end as an attempt can last."""
    definition = layout.definition
    _, end = definition.period.bounds_utc(definition.calendar(scope.calendar))
    if not definition.extend_over_end or end is None:
        return definition.period
    try:
        extended = end.replace(tzinfo=UTC) + timedelta(seconds=definition.conversion_window_s, microseconds=1)
    except OverflowError:
        return replace(definition.period, end=None)
    return replace(definition.period, end=extended)


def latest_start(layout: Layout, scope: Scope) -> datetime | None:
    """Where attempts must start before, as naive UTC; None where the events' own period says so already."""
    definition = layout.definition
    return definition.period.bounds_utc(definition.calendar(scope.calendar))[1] if definition.extend_over_end else None


def _takes_step(index: int, step: FunnelStep, columns: Columns) -> exp.Expr:
    matched = matches_any(step.any_of, columns)
    if step.occurrence == "all":
        return matched
    first = f"events.event_id in (select event_id from first_events_{index})"
    return fragment(f"$matched and {first}", matched=exp.paren(matched))


def _first_events(step: FunnelStep, counted: Subject, columns: Columns) -> exp.Select:
    """The first event of all time that the step asks for, of each person; by account, of each account."""
    subject = counted if counted.kind == "account" else Subject()
    by_name = tuple(EventMatch(match.event) for match in step.any_of)
    wanted = matches_any(step.any_of if step.occurrence == "first_time" else by_name, columns)
    earliest = "arg_min(events.event_id, row(events.event_at, events.log_order))"
    query = select(
        f"select {earliest} as event_id from events group by $subject", subject.tables, subject=subject.id_of(columns)
    )
    return columns.join(query.where(wanted, *subject.conditions(columns), copy=False))


def _bits_where(conditions: list[exp.Expr]) -> exp.Expr:
    bits_of_steps = [
        fragment("case when $condition then $bit else 0 end", condition=condition, bit=bit(index))
        for index, condition in enumerate(conditions, start=1)
    ]
    total = bits_of_steps[0]
    for each in bits_of_steps[1:]:
        total = exp.Add(this=total, expression=each)
    return exp.cast(exp.paren(total), exp.DataType.Type.BIGINT)


def _distinct_held(layout: Layout) -> list[PropertyOf]:
    return list(dict.fromkeys(layout.definition.held))


def _held_value(held: PropertyOf, columns: Columns) -> exp.Expr:
    return fragment("nullif($text, '')", text=columns.text(held))


def _numbered(layout: Layout) -> str:
    keys = listed(layout.stream_keys)
    return f"""
    select *, row_number() over (partition by {keys} order by event_at, log_order) as event_order
    from events_of_period
    """


def _path_events(layout: Layout) -> dict[str, exp.Query]:
    """The events that take steps, once for each path they belong to."""
    ctes: dict[str, exp.Query] = {}
    order = ["event_order"] if layout.definition.order == "strict" else []
    group = ["breakdown"] if layout.is_split_into_paths else []
    columns = ["subject_id", *group, "event_at", "log_order", *order]
    held = [f"held_{place}" for place, _ in enumerate(_distinct_held(layout), start=1)]
    at_step = layout.definition.attribution_step
    source = "seen_events"
    if at_step is not None:
        ctes["step_groups"] = select(
            "select distinct subject_id, breakdown from seen_events where step_bits & $bit <> 0", bit=bit(at_step)
        )
        source = "group_events"
        ctes[source] = select(
            _group_events([name for name in [*columns, *held] if name != "breakdown"]), at=bit(at_step)
        )
    if not held:
        ctes["path_events"] = select(f"select {listed(columns)}, step_bits from {source} where step_bits <> 0")
        return ctes
    ctes["held_events"] = union_all([_held_events(layout, place, columns, source) for place in range(len(held))])
    ctes["path_events"] = select(
        f"""
        select {listed(columns)}, held, cast(bit_or(step_bits) as bigint) as step_bits
        from held_events
        group by {listed(columns)}, held
        """
    )
    return ctes


def _group_events(columns: list[str]) -> str:
    """Every event once for each group of its subject; in a group only its own values take the step that says it."""
    return f"""
    select
        {listed(columns, "event")},
        step_groups.breakdown,
        case
            when event.breakdown = step_groups.breakdown then event.step_bits
            else event.step_bits & ~cast($at as bigint)
        end as step_bits
    from seen_events as event
    inner join step_groups on {same(["subject_id"], "event", "step_groups")}
    where event.step_bits <> 0
    """


def _held_events(layout: Layout, place: int, columns: list[str], source: str) -> exp.Select:
    """The steps that events can take in the path of the value they carry under one name."""
    held = layout.definition.held
    steps = bits(index for index in layout.indexes if held[index - 1] == _distinct_held(layout)[place])
    value = f"held_{place + 1}"
    return select(
        f"""
        select {listed(columns)}, {value} as held, step_bits & $steps as step_bits
        from {source}
        where {value} is not null and step_bits & $steps <> 0
        """,
        steps=literal(steps),
    )
