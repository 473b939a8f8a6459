"""Events placed in the intervals of their period by a join, empty intervals included.

A time zone is looked up once for each slot of UTC time and not for each event, which takes a tenth of the time. Every
offset in force since 1972 is a multiple of a slot, so that no interval begins inside one.
"""

from collections.abc import Mapping
from datetime import timedelta

from sqlglot import exp

from models.calendar import Calendar, Interval, Period
from models.intervals import interval_at, interval_number
from models.sql import fragment, literal, local_time, select, union_all

SLOT = timedelta(minutes=15)
SHORT_SLOT = timedelta(minutes=1)
INTERVAL_CTES = ("spans", "slots", "intervals")

_SPAN = "select $is_compared as is_compared, cast($start as timestamp) as start_at, cast($end as timestamp) as end_at"
_SLOTS = """
select *, interval_number - min(interval_number) over (partition by is_compared) as interval_index
from (
    select *, $number as interval_number
    from (
        select *, make_timestamp(slot * $slot_us) as slot_at
        from (
            select *, unnest(range(epoch_us(start_at) // $slot_us, (epoch_us(end_at) - 1) // $slot_us + 1)) as slot
            from spans
        )
    )
)
"""
_INTERVALS = """
select is_compared, interval_index, $start as interval_start
from (
    select *, unnest(range(last_number - first_number + 1)) as interval_index
    from (
        select is_compared, min(interval_number) as first_number, max(interval_number) as last_number
        from slots
        group by is_compared
    )
)
"""
_WHOLE = "select is_compared, 0 as interval_index, $start as interval_start from spans"
_NUMBERS = """
select slot, $number as interval_number
from (
    select slot, make_timestamp(slot * $slot_us) as slot_at
    from (
        select unnest(range(epoch_us(min(event_at)) // $slot_us, epoch_us(max(event_at)) // $slot_us + 1)) as slot
        from extent
    )
)
"""
_IN_SLOT = """
slots.slot = $slot and $moment >= slots.start_at and $moment < slots.end_at
"""
_IN_SPAN = """
$moment >= coalesce(spans.start_at, $moment) and $moment < coalesce(spans.end_at, 'infinity')
"""


def numbers_of_slots(extent: str, interval: Interval, calendar: Calendar) -> exp.Select:
    """The interval number of each slot from the first to the last event_at of the CTE `extent`; see `slot_of`."""
    number = interval_number(exp.column("slot_at"), interval, calendar)
    return select(_NUMBERS, {"extent": extent}, number=number, slot_us=_slot_us(interval))


def slot_of(moment: exp.Expr, interval: Interval) -> exp.Expr:
    """The slot that a moment is in."""
    return fragment("epoch_us($moment) // $slot_us", moment=moment, slot_us=_slot_us(interval))


def span_of(period: Period, calendar: Calendar, extent: str | None = None, *, is_compared: bool = False) -> exp.Select:
    """The row of a period in the CTE `spans`, its bounds in naive UTC.

    Where it is open, the first or last event_at of the CTE `extent` stands in; without one the bound is null.
    """
    start, end = period.bounds_utc(calendar)
    oldest, newest = literal(None), literal(None)
    if extent:
        oldest = fragment("(select min(event_at) from extent)", {"extent": extent})
        newest = fragment("(select max(event_at) + interval 1 microsecond from extent)", {"extent": extent})
    return select(
        _SPAN,
        is_compared=is_compared,
        start=literal(start) if start else oldest,
        end=literal(end) if end else newest,
    )


def interval_ctes(spans: list[exp.Select], interval: Interval | None, calendar: Calendar) -> Mapping[str, exp.Query]:
    """CTEs with one row per interval in `intervals`: is_compared, interval_index from 0, interval_start (local).

    Without an interval each period is one. `in_interval` joins to them.
    """
    ctes: dict[str, exp.Query] = {"spans": union_all(spans)}
    if interval is None:
        return ctes | {"intervals": select(_WHOLE, start=local_time(exp.column("start_at"), calendar))}
    number = interval_number(exp.column("slot_at"), interval, calendar)
    start = interval_at(fragment("first_number + interval_index"), interval, calendar)
    return ctes | {
        "slots": select(_SLOTS, number=number, slot_us=_slot_us(interval)),
        "intervals": select(_INTERVALS, start=start),
    }


def in_interval(query: exp.Select, moment: exp.Expr, interval: Interval | None) -> exp.Select:
    """`query` joined to the interval of each row's moment (naive UTC): is_compared, interval_index.

    A moment in two periods gives two rows, one outside of all none.
    """
    if interval is None:
        joined = exp.Join(this=exp.to_table("spans"), kind="INNER", on=fragment(_IN_SPAN, moment=moment))
        return query.join(joined).select("spans.is_compared", "0 as interval_index", copy=False)
    on = fragment(_IN_SLOT, moment=moment, slot=slot_of(moment, interval))
    joined = exp.Join(this=exp.to_table("slots"), kind="INNER", on=on)
    return query.join(joined).select("slots.is_compared", "slots.interval_index", copy=False)


def _slot_us(interval: Interval) -> int:
    return (SHORT_SLOT if interval == "minute" else SLOT) // timedelta(microseconds=1)
