"""The intervals of a period as rows, empty ones included, and in which of them an event falls.

A time zone is looked up once for each slot of UTC time and not for each event, which takes a tenth of the time. Every
offset in force since 1972 is a multiple of a slot, so that no interval begins inside one.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import get_args

from sqlglot import exp

from models.calendar import Calendar, Interval, Period
from models.errors import QuestionError, require_choice
from models.sql import fragment, interval_start, literal, local_time, select, union_all

MAX_INTERVALS = 10_000
SLOT = timedelta(minutes=15)
SHORT_SLOT = timedelta(minutes=1)

_SHORT = ("minute", "hour")
_SHORTEST = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(hours=23),
    "week": timedelta(days=6, hours=23),
    "month": timedelta(days=27, hours=23),
    "quarter": timedelta(days=89, hours=23),
    "year": timedelta(days=365),
}

_SPAN = "select $is_compared as is_compared, cast($start as timestamp) as start_at, cast($end as timestamp) as end_at"
_SLOTS = """
select
    is_compared,
    start_at,
    end_at,
    slot,
    $interval_start as interval_start,
    dense_rank() over (partition by is_compared order by $key) - 1 as interval_index
from (
    select *, make_timestamp(slot * $slot_us) as slot_at
    from (
        select *, unnest(range(epoch_us(start_at) // $slot_us, (epoch_us(end_at) - 1) // $slot_us + 1)) as slot
        from spans
    )
)
"""
_INTERVALS = "select distinct is_compared, interval_index, interval_start from slots"
_WHOLE = "select is_compared, 0 as interval_index, $start as interval_start from spans"
_KEYS = """
select slot, $key as interval_key
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


def require_intervals(interval: Interval | None, period: Period) -> None:
    """Raise QuestionError where nobody would look at that many intervals."""
    if interval is None:
        return
    require_choice("interval", interval, get_args(Interval))
    if period.start and period.end:
        start, end = period.bounds_utc(Calendar())
        count = (end - start) / _SHORTEST[interval] if start and end else 0
        if count > MAX_INTERVALS:
            raise QuestionError(
                f"The period has about {count:,.0f} intervals of a {interval}: ask for {MAX_INTERVALS:,} at most, by a "
                "shorter period or a longer interval."
            )
    elif interval in _SHORT:
        raise QuestionError(f"By the {interval}, give the period a start and an end.")


def interval_key(moment: exp.Expr, interval: Interval, calendar: Calendar) -> exp.Expr:
    """What all moments of an interval share, in the order of time: the two hours that a clock shows alike differ."""
    start = interval_start(moment, interval, calendar)
    if interval not in _SHORT:
        return start
    local = local_time(moment, calendar)
    return fragment("$moment - ($local - $start)", moment=moment, local=local, start=start)


def keys_of_slots(extent: str, interval: Interval, calendar: Calendar) -> exp.Select:
    """The `interval_key` of each slot from the first to the last event_at of the CTE `extent`; see `slot_of`."""
    key = interval_key(exp.column("slot_at"), interval, calendar)
    return select(_KEYS, {"extent": extent}, key=key, slot_us=_slot_us(interval))


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
    moment = exp.column("slot_at")
    slots = select(
        _SLOTS,
        interval_start=interval_start(moment, interval, calendar),
        key=interval_key(moment, interval, calendar),
        slot_us=_slot_us(interval),
    )
    return ctes | {"slots": slots, "intervals": select(_INTERVALS)}


INTERVAL_CTES = ("spans", "slots", "intervals")


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
