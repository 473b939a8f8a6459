"""Intervals of the calendar by number, so that the steps between them are plain arithmetic, also in SQL.

Number 0 holds Monday 0001-01-01, so that the numbers of events are positive. Intervals are what the local clock shows:
a day of 23 hours is one day, the hour that comes twice when clocks go back is one hour of 120 minutes, and the one left
out when they go forward is one in which nothing happens. So a local start is never that of two.
"""

from datetime import datetime, timedelta
from typing import get_args

from sqlglot import exp

from models.calendar import Calendar, Interval, Period, shifted
from models.errors import QuestionError, require_choice
from models.sql import fragment, literal, local_time, select, utc_time

MAX_INTERVALS = 10_000

_NUMBERS = {
    "day": "date_diff('day', timestamp '0001-01-01', $local)",
    "week": "(date_diff('day', timestamp '0001-01-01', $local) + $days_before_monday) // 7",
    "quarter": "date_diff('month', timestamp '0001-01-01', $local) // 3",
}
_OTHER_NUMBERS = "date_diff($interval, timestamp '0001-01-01', $local)"
_STARTS = {
    "minute": "timestamp '0001-01-01' + to_minutes($number)",
    "hour": "timestamp '0001-01-01' + to_hours($number)",
    "day": "timestamp '0001-01-01' + to_days(cast($number as integer))",
    "week": "timestamp '0001-01-01' + to_days(cast($number as integer) * 7 - $days_before_monday)",
    "month": "timestamp '0001-01-01' + to_months(cast($number as integer))",
    "quarter": "timestamp '0001-01-01' + to_months(cast($number as integer) * 3)",
    "year": "timestamp '0001-01-01' + to_years(cast($number as integer))",
}
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

_BOUNDS = """
select
    $first as first_interval,
    $last as last_interval,
    newest.newest_at
from (select max(event_at) as newest_at from events) as newest
"""


def require_few_intervals(interval: Interval | None, period: Period) -> None:
    """Raise QuestionError where nobody would look at that many intervals."""
    if interval is None:
        return
    require_choice("interval", interval, get_args(Interval))
    start, end = period.bounds_utc(Calendar())
    count = (end - start) / _SHORTEST[interval] if start and end else 0
    if count > MAX_INTERVALS:
        raise QuestionError(
            f"The period has about {count:,.0f} intervals of one {interval}: ask for {MAX_INTERVALS:,} at most, by a "
            "shorter period or a longer interval."
        )


def require_bounded_intervals(interval: Interval | None, period: Period) -> None:
    """Also where a grid of short intervals would have no end: raises QuestionError."""
    require_few_intervals(interval, period)
    if interval in _SHORT and not (period.start and period.end):
        raise QuestionError(f"By the {interval}, give the period a start and an end.")


def interval_number(moment: exp.Expr, interval: Interval, calendar: Calendar) -> exp.Expr:
    """The number of the interval that holds a UTC timestamp."""
    return _number_of_local(local_time(moment, calendar), interval, calendar)


def number_of_moment(moment: datetime, interval: Interval, calendar: Calendar) -> exp.Expr:
    """The number of the interval that holds a known moment; see `Calendar.to_utc`."""
    return _number_of_local(literal(calendar.interval_start(moment, interval)), interval, calendar)


def interval_at(number: exp.Expr, interval: Interval, calendar: Calendar) -> exp.Expr:
    """The local time, without a zone, at which the interval of that number starts."""
    parts = _week_parts(interval, calendar)
    return fragment(_STARTS[interval], number=number, **parts)


def interval_at_utc(number: exp.Expr, interval: Interval, calendar: Calendar) -> exp.Expr:
    """The UTC timestamp at which the interval of that number starts."""
    return utc_time(exp.paren(interval_at(number, interval, calendar)), calendar)


def whole_intervals(period: Period, interval: Interval, calendar: Calendar) -> Period:
    """The period widened to the whole intervals it touches; raises QuestionError when it is empty."""
    period.bounds_utc(calendar)
    start = calendar.interval_start(period.start, interval) if period.start else None
    last = last_moment(period)
    return Period(start, calendar.next_interval_start(last, interval) if last else None)


def last_moment(period: Period) -> datetime | None:
    """The last moment inside the period; None where it has no end."""
    return shifted(period.end, -timedelta(microseconds=1)) if period.end else None


def interval_bounds(period: Period, interval: Interval, calendar: Calendar, oldest: str) -> exp.Select:
    """One row: the numbers of the first and the last interval asked about, and the time of the newest event.

    Where the period has no start, `oldest` (SQL for a number) is the first interval; without an end, the last is the
    one that holds the newest event of any name.
    """
    last = last_moment(period)
    newest = interval_number(exp.column("newest_at", table="newest"), interval, calendar)
    return select(
        _BOUNDS,
        first=number_of_moment(period.start, interval, calendar) if period.start else fragment(oldest),
        last=number_of_moment(last, interval, calendar) if last else newest,
    )


def is_finished(number: exp.Expr, interval: Interval, calendar: Calendar) -> exp.Expr:
    """True where the events of a table `bounds` reach past the interval of that number."""
    next_start = interval_at_utc(fragment("$number + 1", number=number), interval, calendar)
    return fragment("coalesce($next_start <= bounds.newest_at, false)", next_start=next_start)


def _number_of_local(local: exp.Expr, interval: Interval, calendar: Calendar) -> exp.Expr:
    if interval in _NUMBERS:
        return fragment(_NUMBERS[interval], local=local, **_week_parts(interval, calendar))
    return fragment(_OTHER_NUMBERS, interval=interval, local=local)


def _week_parts(interval: Interval, calendar: Calendar) -> dict[str, exp.Expr]:
    return {"days_before_monday": literal(int(calendar.week_start == "sunday"))} if interval == "week" else {}
