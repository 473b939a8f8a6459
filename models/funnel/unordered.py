"""Attempts of a funnel without order: step k is taken when any k of the steps have an event of their own.

After any time the number of steps taken is the greatest matching of events and steps. By Hall's theorem it is the
least, over all sets of steps, of the steps outside the set plus the events that could take one in it. So step k is
taken at the latest, over all sets, of the times at which enough such events have come. Steps that share no event are
looked at alone; those that do, all sets of them.
"""

from datetime import datetime
from itertools import combinations

from sqlglot import exp

from models.calendar import Calendar
from models.errors import QuestionError
from models.funnel.landings import steps_share_events
from models.funnel.layout import Layout, bits, listed, same
from models.funnel.walk import ends_at
from models.sql import fragment, literal, select

MAX_SHARING = 5


def unordered_ctes(layout: Layout, calendar: Calendar, starts_before: datetime | None) -> dict[str, exp.Query]:
    """`attempts`: one for each moment at which any step can be taken; raises QuestionError where too many share."""
    sets = {group: _sets(layout, group) for group in _sharing_groups(layout)}
    ctes: dict[str, exp.Query] = {}
    for members in (members for group_sets in sets.values() for members, _ in group_sets):
        ctes[_touching(members)] = select(_touching_events(layout, members))
    ctes["starts"] = _starts(layout, calendar, starts_before)
    times = [_time_of(number, sets[group], len(group)) for group in sets for number in range(1, len(group) + 1)]
    joins = "\n".join(_join(layout, members) for group_sets in sets.values() for members, _ in group_sets)
    step_times = ", ".join(f"taken_at[{index}] as {name}" for index, name in enumerate(layout.step_columns, start=1))
    ctes["attempts"] = select(
        f"""
        select
            * exclude (taken_at),
            (1::bigint << length(taken_at)) - 1 as taken,
            length(taken_at) as last_step,
            {step_times}
        from (
            select
                starts.*,
                list_sort(list_filter([{", ".join(times)}], lambda taken_at: taken_at <= starts.ends_at)) as taken_at
            from starts
            {joins}
        ) as starts
        """
    )
    return ctes


def _starts(layout: Layout, calendar: Calendar, starts_before: datetime | None) -> exp.Select:
    keys = listed(layout.keys)
    query = select(
        f"""
        select distinct {keys}, event_at as start_place, event_at as started_at, $ends_at as ends_at
        from path_events
        """,
        ends_at=ends_at(layout, calendar, exp.column("event_at")),
    )
    if starts_before is not None:
        query.where(fragment("event_at < $end", end=literal(starts_before)), copy=False)
    return query


def _sharing_groups(layout: Layout) -> list[tuple[int, ...]]:
    """The steps, those together that may share events, through others too."""
    steps = layout.definition.steps
    groups: list[tuple[int, ...]] = []
    for index in layout.indexes:
        own = steps[index - 1]
        sharing = [group for group in groups if any(steps_share_events((own, steps[each - 1])) for each in group)]
        merged = tuple(sorted({index, *(each for group in sharing for each in group)}))
        groups = [group for group in groups if group not in sharing] + [merged]
    return groups


def _sets(layout: Layout, group: tuple[int, ...]) -> list[tuple[tuple[int, ...], int]]:
    """The sets of steps of a group that say something, each with its size; equal steps are in or out together."""
    steps, at_step = layout.definition.steps, layout.definition.attribution_step
    alike: dict[object, list[int]] = {}
    for index in group:
        step = steps[index - 1]
        held = layout.definition.held[index - 1] if layout.definition.held else None
        alike.setdefault((step.any_of, step.occurrence, held, index == at_step), []).append(index)
    kinds = list(alike.values())
    if len(kinds) > MAX_SHARING:
        names = ", ".join(sorted({steps[index - 1].label for index in group}))
        raise QuestionError(
            f"Without order at most {MAX_SHARING} different steps may share events, and {len(kinds)} do ({names}): "
            "ask fewer of them, or ask in order."
        )
    chosen = (some for size in range(1, len(kinds) + 1) for some in combinations(kinds, size))
    members = [tuple(sorted(index for kind in some for index in kind)) for some in chosen]
    return [(each, len(each)) for each in members]


def _touching(members: tuple[int, ...]) -> str:
    return f"touching_{bits(members)}"


def _touching_events(layout: Layout, members: tuple[int, ...]) -> str:
    """The events that can take a step of the set, the first of each moment, with the times of the next ones."""
    keys = listed(layout.keys)
    following = ", ".join(
        f"lead(event_at, {ahead}) over in_order as event_{ahead + 1}_at" for ahead in range(len(members))
    )
    return f"""
    select {keys}, event_at, {following}
    from path_events
    where step_bits & {bits(members)} <> 0
    window in_order as (partition by {keys} order by event_at, log_order)
    qualify lag(event_at) over in_order is distinct from event_at
    """


def _join(layout: Layout, members: tuple[int, ...]) -> str:
    name = _touching(members)
    return f"asof left join {name} on {same(layout.keys, 'starts', name)} and starts.started_at <= {name}.event_at"


def _time_of(number: int, sets: list[tuple[tuple[int, ...], int]], group_size: int) -> str:
    """When the group's steps taken are so many: each set asks for some events of its own."""
    asked = [(members, number - group_size + size) for members, size in sets if number - group_size + size > 0]
    times = [f"coalesce({_touching(members)}.event_{count}_at, timestamp 'infinity')" for members, count in asked]
    return f"greatest({', '.join(times)})" if len(times) > 1 else times[0]
