"""Landings: the moments at which a path can take a step, and how many steps it takes there at once.

Time matters only from moment to moment: events of one path at the same instant are taken in whatever order helps, each
for one step. A strict funnel has no such choice: its moments are its events, in their order.
"""

from collections.abc import Iterator
from typing import cast

from sqlglot import exp

from models.funnel.definition import FunnelStep
from models.funnel.layout import Layout, bit, bits, listed, same
from models.sql import fragment, select


def landing_ctes(layout: Layout, *, promising_only: bool) -> dict[str, exp.Query]:
    """landing_k: the moments that can take step k, with `takes`, the steps from k on that are taken there.

    With `promising_only`, landing_1 leaves out the starts that cannot speak: see `_promising_starts`.

    With optional steps there are several ways to go on: `takes` is the list of them, the best for each last step and
    number of steps.
    """
    ctes: dict[str, exp.Query] = {"moments": select(_moments(layout))}
    can_tangle = layout.definition.order == "ordered" and steps_share_events(layout.definition.steps)
    if can_tangle:
        ctes |= _tangled_ctes(layout)
    if promising_only:
        ctes["promising_starts"] = select(_promising_starts(layout))
    for index in layout.indexes:
        moments = {"moments": "promising_starts"} if promising_only and index == 1 else None
        ctes[f"landing_{index}"] = select(_landing(layout, index, can_tangle), moments)
    return ctes


def steps_share_events(steps: tuple[FunnelStep, ...]) -> bool:
    """Whether an event could take one of several steps, judged by the names alone."""
    names = [name for step in steps for name in step.event_names]
    return len(steps) > 1 and (None in names or len(names) > len(set(names)))


def _moments(layout: Layout) -> str:
    keys = listed(layout.keys)
    if layout.definition.order == "strict":
        return f"select {keys}, event_at, event_order as place, step_bits from path_events"
    return f"""
    select
        {keys},
        event_at,
        event_at as place,
        cast(bit_or(step_bits) as bigint) as step_bits,
        count(*) as event_count,
        max(bit_count(step_bits)) as most_steps
    from path_events
    group by {keys}, event_at
    """


def _promising_starts(layout: Layout) -> str:
    """The first start of a path, and those after which step 2 comes before another start.

    The others come to step 2 at the same moment as a later start, which has more of the window left.
    """
    keys = listed(layout.keys)
    return f"""
    select * exclude (next_bits, first_place)
    from (
        select
            *,
            lead(step_bits) over (partition by {keys} order by place) as next_bits,
            min(place) filter (where step_bits & 1 = 1) over (partition by {keys}) as first_place
        from moments
        where step_bits & 3 <> 0
    ) as moments
    where step_bits & 1 = 1 and (place = first_place or step_bits & 2 = 2 or next_bits & 2 = 2)
    """


def _landing(layout: Layout, index: int, can_tangle: bool) -> str:
    has_optional = layout.definition.has_optional
    alone = f"[{bit(index)}]" if has_optional else str(bit(index))
    run = _ways(layout, index) if has_optional else _run(index)
    columns = [*layout.keys, "event_at", "place"]
    if layout.definition.order == "strict":
        return f"select {listed(columns)}, {alone} as takes from moments where step_bits & {bit(index)} <> 0"
    if not can_tangle:
        return f"select {listed(columns)}, {run} as takes from moments where step_bits & {bit(index)} <> 0"
    return f"""
    select
        {listed(columns, "moments")},
        case
            when event_count = 1 then {alone}
            when most_steps = 1 then {run}
            else tangled_takes.takes
        end as takes
    from moments
    left join tangled_takes
        on {same(layout.keys, "moments", "tangled_takes")}
        and moments.event_at = tangled_takes.event_at
        and tangled_takes.first_step = {index}
    where step_bits & {bit(index)} <> 0
    """


def _run(index: int) -> str:
    """The steps from this one on without a gap, where each event of a moment can take one step."""
    from_here = f"(step_bits >> {index - 1})"
    return f"(({from_here} & ~({from_here} + 1)) << {index - 1})"


def _ways(layout: Layout, index: int) -> str:
    """The same with optional steps: for each step one can stop at, all steps there are up to it."""
    ways = (
        f"case when step_bits & {needed} = {needed} then step_bits & {bits(range(index, last + 1))} end"
        for last, needed in _stops(layout, index)
    )
    return f"list_filter([{', '.join(ways)}], lambda way: way is not null)"


def _stops(layout: Layout, index: int) -> Iterator[tuple[int, int]]:
    """The steps one can stop at after taking this one, each with those that must be taken on the way."""
    steps = layout.definition.steps
    for last in layout.indexes[index - 1 :]:
        between = [each for each in range(index + 1, last) if not steps[each - 1].optional]
        yield last, bits({index, *between, last})


def next_steps(layout: Layout, index: int) -> list[int]:
    """The steps that can follow this one: the next, and those behind it while what is skipped is optional."""
    following: list[int] = []
    for each in layout.indexes[index:]:
        following.append(each)
        if not layout.definition.steps[each - 1].optional:
            break
    return following


def _tangled_ctes(layout: Layout) -> dict[str, exp.Query]:
    """Moments where several events could take the same steps: every way to give each event one step is tried.

    Events that can take the same steps are alike, and no more of them are of use than they have steps.
    """
    keys = listed(layout.keys)
    after = ", ".join(f"({i}, {j})" for i in layout.indexes for j in next_steps(layout, i))
    before = "list_slice(events, 1, list_position(events, used) - 1)"
    rest = f"list_concat({before}, list_slice(events, list_position(events, used) + 1, length(events))) as events"
    classes = f"""
    select {keys}, event_at, step_bits, least(count(*), bit_count(step_bits)) as useful_count
    from path_events
    semi join (select * from moments where event_count > 1 and most_steps > 1) as tangled
        on {same(layout.keys, "path_events", "tangled")} and path_events.event_at = tangled.event_at
    group by {keys}, event_at, step_bits
    """
    moments = f"""
    select
        {keys},
        event_at,
        flatten(list(list_resize(cast([] as bigint[]), useful_count, step_bits) order by step_bits)) as events
    from tangled_classes
    group by {keys}, event_at
    """
    takings = f"""
    select {keys}, event_at, first_step, first_step as last_step, (1::bigint << (first_step - 1)) as takes, {rest}
    from (
        select {keys}, event_at, events, unnest(list_distinct(events)) as used
        from tangled_moments
    ) as moment
    inner join (select unnest(range(1, {len(layout.indexes) + 1})) as first_step) as steps
        on (used >> (first_step - 1)) & 1 = 1
    union
    select {keys}, event_at, first_step, to_step, takes | (1::bigint << (to_step - 1)), {rest}
    from (
        select *, unnest(list_distinct(events)) as used
        from tangled_takings
    ) as taking
    inner join (values {after}) as next_steps (from_step, to_step)
        on taking.last_step = from_step and (used >> (to_step - 1)) & 1 = 1
    """
    furthest = f"select {keys}, event_at, first_step, max(takes) as takes from tangled_takings"
    best_ways = f"""
    select {keys}, event_at, first_step, list(takes) as takes
    from (
        select {keys}, event_at, first_step, min(takes) as takes
        from tangled_takings
        group by {keys}, event_at, first_step, last_step, bit_count(takes)
    ) as ways
    """
    takes = best_ways if layout.definition.has_optional else furthest
    return {
        "tangled_classes": select(classes),
        "tangled_moments": select(moments),
        "tangled_takings": cast(exp.Query, fragment(takings)),
        "tangled_takes": select(f"{takes} group by {keys}, event_at, first_step"),
    }
