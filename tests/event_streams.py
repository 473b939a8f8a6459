"""Random streams of events, and what can be asked about them: days on which clocks change, ties, what is missing."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from models.breakdown import Breakdown, BreakdownProperty
from models.calendar import ALL_TIME, Interval, Period
from models.filters import Filter, FilterGroup, PropertyFilter
from models.matching import EventMatch
from tests.worlds import StoryEvent
from warehouse.reader import EventProperty

PROPERTIES = (EventProperty("amount", "number"), EventProperty("channel", "text"), EventProperty("order", "text"))
TIMEZONES = ("UTC", "Europe/Berlin", "Asia/Shanghai", "Asia/Kolkata")

# Berlin's clocks go forward and back in these nights; the new year begins in Shanghai, where it is still the old one.
_NIGHTS = (datetime(2024, 3, 31, 0, 30), datetime(2024, 10, 27, 0, 30), datetime(2024, 12, 31, 16, 0))  # noqa: DTZ001  # made aware below
_NAMES = ("visit", "trial", "pay")


def _moments(first_day: int, last_day: int) -> st.SearchStrategy[datetime]:
    """Moments around one of the nights, so many days before or after it."""
    return st.builds(
        lambda night, days, minutes: night.replace(tzinfo=UTC) + timedelta(days=days, minutes=minutes),
        st.sampled_from(_NIGHTS),
        st.integers(first_day, last_day),
        st.sampled_from((-31, -30, 0, 15, 30, 59, 90)),
    )


def streams(max_size: int = 14) -> st.SearchStrategy[list[StoryEvent]]:
    """A few people's events in the order of arrival, not of time; equal times are frequent, values may be missing."""
    return st.lists(_events(), max_size=max_size)


def _events() -> st.SearchStrategy[StoryEvent]:
    properties = st.fixed_dictionaries(
        {},
        optional={
            "amount": st.sampled_from((0.0, 1.0, 2.5, 10.0, -3.0)),
            "channel": st.sampled_from(("ads", "fair", "")),
            "order": st.sampled_from(("o1", "o2")),
        },
    )
    return st.builds(
        StoryEvent,
        person=st.sampled_from(("ann", "bob", "cid")),
        event=st.sampled_from(_NAMES),
        at=st.one_of(_moments(-1, 1), _moments(-9, 9)),
        account=st.sampled_from((None, "school-1", "school-2")),
        properties=properties,
        sent_as=st.sampled_from((None, "shared tablet")),
    )


def matches() -> st.SearchStrategy[EventMatch]:
    """One event or any, sometimes with a filter."""
    return st.builds(
        EventMatch,
        st.sampled_from((None, *_NAMES)),
        st.sampled_from(((), (), (PropertyFilter("amount", "gte", 2),), (PropertyFilter("channel", "neq", "ads"),))),
    )


def any_of() -> st.SearchStrategy[tuple[EventMatch, ...]]:
    """One match or two."""
    return st.lists(matches(), min_size=1, max_size=2).map(tuple)


def wheres() -> st.SearchStrategy[tuple[Filter, ...]]:
    """Filters of a whole question."""
    nested = FilterGroup(none_of=(PropertyFilter("channel", "eq", "fair"), PropertyFilter("amount", "lt", 0)))
    return st.sampled_from(((), (), (nested,), (PropertyFilter("event_name", "neq", "trial", of="field"),)))


def subjects() -> st.SearchStrategy[dict[str, Any]]:
    """Whom a question counts, as the fields that say so."""
    return st.sampled_from(
        (
            {"by": "person"},
            {"by": "person"},
            {"by": "account"},
            {"by": "distinct_id"},
            {"by": "property", "by_property": "order"},
        )
    )


def breakdowns() -> st.SearchStrategy[Breakdown | None]:
    """By one property or two, with buckets or a limit."""
    amounts = BreakdownProperty("amount", buckets=(0, 2))
    split = st.builds(
        Breakdown,
        st.sampled_from(((BreakdownProperty("channel"),), (BreakdownProperty("channel"), amounts))),
        st.sampled_from((None, 1, 2)),
    )
    return st.one_of(st.none(), split)


def periods(interval: Interval | None, *, closed: bool = False) -> st.SearchStrategy[Period]:
    """Periods that suit the interval: short ones of minutes, open ones where nobody compares them."""
    lengths = {"minute": (25, 61), "hour": (60, 24 * 60 + 30)}.get(interval or "", (24 * 60, 3 * 24 * 60, 21 * 24 * 60))
    short = st.builds(
        lambda start, minutes: Period(start, start + timedelta(minutes=minutes)),
        _moments(-1, 1),
        st.sampled_from(lengths),
    )
    if closed or interval in ("minute", "hour"):
        return short
    open_ended = st.sampled_from((ALL_TIME, Period(datetime(2024, 3, 30)), Period(end=datetime(2024, 10, 28, 9, 7))))  # noqa: DTZ001  # local time
    return st.one_of(short, open_ended)
