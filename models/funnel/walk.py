"""The walk of ordered and strict funnels: every attempt from its first event, each step at the next landing.

walk_k holds the attempts that stand at step k or behind it. Those at k go on to the next landing of a step that can
follow: the nearest later moment (an ASOF join) or, in a strict funnel, the very next event.
"""

from datetime import datetime

from sqlglot import exp

from models.calendar import Calendar
from models.funnel.landings import next_steps
from models.funnel.layout import Layout, bit, listed, same, step_column
from models.sql import fragment, literal, local_time, select, union_all, utc_time


def walk_ctes(layout: Layout, calendar: Calendar, starts_before: datetime | None) -> dict[str, exp.Query]:
    """`attempts`: one row for each attempt and what it came to."""
    ctes: dict[str, exp.Query] = {"walk_1": _starts(layout, calendar, starts_before)}
    for index in layout.indexes[:-1]:
        state = f"walk_{index}"
        if layout.definition.has_optional:
            state = f"standing_{index}"
            ctes[state] = _standing(layout, index)
        arrivals = [_arrivals(layout, state, index, to_step) for to_step in next_steps(layout, index)]
        passed = select(f"select {listed(_columns(layout))} from walk_{index} where last_step > {index}")
        ctes[f"walk_{index + 1}"] = union_all([passed, *arrivals])
    states = [select(f"select * from walk_{index} where last_step = {index}") for index in layout.indexes]
    ctes["attempts"] = union_all(states)
    return ctes


def _columns(layout: Layout) -> tuple[str, ...]:
    return (*layout.keys, "start_place", "started_at", "ends_at", "place", "taken", "last_step", *layout.step_columns)


def _last_step(layout: Layout, taken: str) -> str:
    cases = " ".join(f"when {taken} >= {bit(index)} then {index}" for index in reversed(layout.indexes))
    return f"case {cases} end"


def ends_at(layout: Layout, calendar: Calendar, started_at: exp.Expr) -> exp.Expr:
    """The last instant at which an attempt can take a step."""
    window_us = round(layout.definition.conversion_window_s * 1_000_000)
    end = fragment("$started + to_microseconds($window)", started=started_at, window=window_us)
    if not layout.definition.same_day:
        return end
    next_day = fragment("date_trunc('day', $local) + interval 1 day", local=local_time(started_at, calendar))
    midnight = utc_time(exp.paren(next_day), calendar)
    return fragment("least($end, $midnight - interval 1 microsecond)", end=end, midnight=midnight)


def _starts(layout: Layout, calendar: Calendar, starts_before: datetime | None) -> exp.Select:
    steps = ", ".join(
        f"case when taken & {bit(index)} <> 0 then event_at end as {step_column(index)}" for index in layout.indexes
    )
    taken = "unnest(takes)" if layout.definition.has_optional else "takes"
    query = select(
        f"""
        select
            {listed(layout.keys)},
            place as start_place,
            event_at as started_at,
            $ends_at as ends_at,
            place,
            taken,
            {_last_step(layout, "taken")} as last_step,
            {steps}
        from (select * exclude (takes), {taken} as taken from landing_1) as landing
        """,
        ends_at=ends_at(layout, calendar, exp.column("event_at")),
    )
    if starts_before is not None:
        query.where(fragment("event_at < $end", end=literal(starts_before)), copy=False)
    return query


def _standing(layout: Layout, index: int) -> exp.Select:
    """For each number of steps taken the attempt's best way to this step: see `backwards`."""
    return select(
        f"""
        select distinct on ({listed(layout.keys)}, start_place, bit_count(taken)) *
        from walk_{index}
        where last_step = {index}
        order by {listed(layout.keys)}, start_place, bit_count(taken), {backwards(layout)}
        """
    )


def backwards(layout: Layout) -> str:
    """The better of two ways: whose steps, read from the last, come earlier; then the one of the earlier steps."""
    times = listed(reversed(layout.step_columns))
    return f"list_filter([{times}], lambda taken_at: taken_at is not null), taken"


def _arrivals(layout: Layout, state: str, index: int, to_step: int) -> exp.Select:
    if layout.definition.order == "strict":
        join = f"inner join landing_{to_step} as landing"
        follows = "state.place + 1 = landing.place"
    else:
        join = f"asof join landing_{to_step} as landing"
        follows = "state.place < landing.place"
    arrived = f"""
        select state.*, landing.place as new_place, landing.event_at, landing.takes
        from (select * from {state} where last_step = {index}) as state
        {join} on {same(layout.keys, "state", "landing")} and {follows}
        where landing.event_at <= state.ends_at
    """
    if layout.definition.has_optional:
        arrived = f"select * exclude (takes), unnest(takes) as takes from ({arrived}) as arrived"
    known = [step_column(each) for each in layout.indexes[:index]]
    new = [
        f"case when takes & {bit(each)} <> 0 then event_at end as {step_column(each)}"
        for each in layout.indexes[index:]
    ]
    return select(
        f"""
        select
            {listed([*layout.keys, "start_place", "started_at", "ends_at"])},
            new_place as place,
            taken | takes as taken,
            {_last_step(layout, "takes")} as last_step,
            {listed([*known, *new])}
        from ({arrived}) as arrived
        """
    )
