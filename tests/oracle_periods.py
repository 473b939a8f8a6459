"""Periods, intervals and groups in plain Python: what the oracles of questions share."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from models.breakdown import Breakdown, BreakdownProperty
from models.calendar import Calendar, Interval, Period
from models.questions import Question
from tests.filter_oracle import number_of, passes, text_of, value_of
from tests.worlds import Carried, StoryEvent, person_id

Group = tuple[str, ...]


def instants(period: Period, calendar: Calendar) -> tuple[datetime | None, datetime | None]:
    """Both ends as aware instants."""
    ends = [None if end is None else calendar.to_utc(end).replace(tzinfo=UTC) for end in (period.start, period.end)]
    return ends[0], ends[1]


def is_inside(moment: datetime, period: Period, calendar: Calendar) -> bool:
    """Whether the period includes the moment."""
    start, end = instants(period, calendar)
    return (start is None or moment >= start) and (end is None or moment < end)


def start_of(moment: datetime, interval: Interval, calendar: Calendar) -> datetime:
    """The local start of the interval that holds an instant."""
    local = moment.astimezone(ZoneInfo(calendar.timezone)).replace(tzinfo=None, second=0, microsecond=0)
    if interval == "minute":
        return local
    local = local.replace(minute=0)
    if interval == "hour":
        return local
    local = local.replace(hour=0)
    first_weekday = {"monday": 0, "sunday": 6}[calendar.week_start]
    while interval == "week" and local.weekday() != first_weekday:
        local -= timedelta(days=1)
    while interval in ("month", "quarter", "year") and local.day != 1:
        local -= timedelta(days=1)
    first_months = {"quarter": (1, 4, 7, 10), "year": (1,)}.get(interval)
    while first_months and local.month not in first_months:
        local = (local - timedelta(days=1)).replace(day=1)
    return local


def next_start(start: datetime, interval: Interval) -> datetime:
    """The local start of the next interval, found by walking until one begins."""
    if interval in ("minute", "hour"):
        return start + (timedelta(minutes=1) if interval == "minute" else timedelta(hours=1))
    if interval in ("day", "week"):
        return start + timedelta(days=1 if interval == "day" else 7)
    months = {"month": 1, "quarter": 3, "year": 12}[interval]
    for _ in range(months):
        start = (start + timedelta(days=31)).replace(day=1)
    return start


def starts_between(first: datetime, last: datetime, interval: Interval) -> list[datetime]:
    """All starts from the first to the last, both included."""
    starts = []
    while first <= last:
        starts.append(first)
        first = next_start(first, interval)
    return starts


def instant(local: datetime, calendar: Calendar) -> datetime:
    """A local time as an instant; aware ones stay what they are."""
    return local if local.tzinfo else local.replace(tzinfo=ZoneInfo(calendar.timezone))


def interval_of(moment: datetime, interval: Interval | None, calendar: Calendar) -> datetime | None:
    """The local start of the interval a moment is in; None where the whole period is one."""
    return start_of(moment, interval, calendar) if interval else None


def intervals_of(
    period: Period, interval: Interval | None, calendar: Calendar, moments: Sequence[datetime]
) -> list[datetime | None]:
    """All intervals of the period in order; an open side begins or ends with the oldest or newest of `moments`."""
    if interval is None:
        return [None]
    start, end = instants(period, calendar)
    if not moments and (start is None or end is None):
        return []
    first = start or min(moments)
    last = (end or max(moments) + timedelta(microseconds=1)) - timedelta(microseconds=1)
    step = {"minute": timedelta(minutes=1), "hour": timedelta(minutes=15)}.get(interval, timedelta(hours=6))
    starts = {start_of(moment, interval, calendar) for moment in (*_walk(first, last, step), last)}
    return [*starts_between(min(starts), max(starts), interval)]


def _walk(first: datetime, last: datetime, step: timedelta) -> list[datetime]:
    return [first + step * taken for taken in range((last - first) // step + 1)]


def subject_of(event: StoryEvent, question: Question) -> str | None:
    """Whose path an event belongs to; None or empty: nobody's."""
    match question.by:
        case "person":
            return str(person_id(event.person))
        case "account":
            return event.account
        case "distinct_id":
            return event.sent_as or event.person
    have = event.properties.get(question.by_property or "")
    return None if have is None else text_of(have)


def exists(event: StoryEvent, question: Question, carried: Carried | None = None) -> bool:
    """Whether the question sees the event, at whatever time."""
    return bool(subject_of(event, question)) and all(passes(each, event, carried) for each in question.where)


def group_of(event: StoryEvent, breakdown: Breakdown | None, carried: Carried | None = None) -> Group:
    """The group of an event."""
    return tuple(_text(each, event, carried or Carried()) for each in breakdown.by) if breakdown else ()


def group_sizes(groups: Sequence[Group]) -> dict[Group, int]:
    """How often each group occurs."""
    return dict(Counter(groups))


def whole_start(period: Period, calendar: Calendar) -> datetime | None:
    """The local start of a period that is one interval."""
    return calendar.local_clock(period.start) if period.start else None


def kept(sizes: dict[Group, int], breakdown: Breakdown | None) -> Callable[[Group], Group | None]:
    """How groups are shown: the largest as they are, the rest as None."""
    if not breakdown or breakdown.limit is None:
        return lambda group: group
    largest = sorted(sizes, key=lambda group: (-sizes[group], group))[: breakdown.limit]
    return lambda group: group if group in largest else None


def quantile(numbers: Sequence[float], share: float) -> float:
    """The quantile of numbers, between two of them in proportion."""
    ordered = sorted(numbers)
    position = share * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def _text(wanted: BreakdownProperty, event: StoryEvent, carried: Carried) -> str:
    have = value_of(wanted, event, carried)
    text = "" if have is None else text_of(have)
    if not wanted.buckets:
        return text
    number = number_of(text)
    if number is None:
        return ""
    below = [bound for bound in wanted.buckets if bound <= number]
    above = [bound for bound in wanted.buckets if bound > number]
    if not below:
        return f"< {text_of(above[0])}"
    return f"[{text_of(below[-1])}, {text_of(above[0])})" if above else f">= {text_of(below[-1])}"
