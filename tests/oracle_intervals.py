"""Intervals, periods and groups read event by event in plain Python, for the oracles that count by interval."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from models.breakdown import Breakdown
from models.calendar import Calendar, Interval, Period
from models.questions import Question
from tests import oracle_periods
from tests.oracle_periods import Group, instant, next_start, start_of
from tests.worlds import Carried, StoryEvent

OTHER: Group = ("the rest",)
"""Stands for the groups beyond the limit, which answers show as null."""


def bounds(
    period: Period, interval: Interval, calendar: Calendar, oldest: datetime | None, newest: datetime | None
) -> tuple[datetime, datetime] | None:
    """The first and the last interval asked about; None where nothing says them."""
    first = start_of(instant(period.start, calendar), interval, calendar) if period.start else oldest
    last_instant = instant(period.end, calendar) - timedelta(microseconds=1) if period.end else newest
    if first is None or last_instant is None:
        return None
    return first, start_of(last_instant, interval, calendar)


def newest_at(events: Sequence[StoryEvent]) -> datetime | None:
    """The time of the newest event of any name."""
    return max((event.at for event in events), default=None)


def is_over(start: datetime, interval: Interval, calendar: Calendar, events: Sequence[StoryEvent]) -> bool:
    """Whether an event came after the interval that starts there."""
    newest = newest_at(events)
    return newest is not None and instant(next_start(start, interval), calendar) <= newest


def in_order(question: Question, events: Sequence[StoryEvent], carried: Carried | None = None) -> list[StoryEvent]:
    """The events of any time that have a subject and pass the question's filters, in their order."""
    seen = [event for event in events if oracle_periods.exists(event, question, carried)]
    return sorted(seen, key=lambda event: event.at)  # keeps the order of the story among equal times


def subject_of(question: Question, event: StoryEvent) -> str:
    """Whose event it is; "" where nobody's."""
    return oracle_periods.subject_of(event, question) or ""


def groups_of(
    breakdown: Breakdown | None, events: Iterable[StoryEvent], sizing: Iterable[tuple[str, StoryEvent]]
) -> dict[int, Group]:
    """The group of each event by its identity; `sizing` are the subjects and events that say how large groups are."""
    if breakdown is None:
        return {id(event): () for event in events}
    found = {id(event): oracle_periods.group_of(event, breakdown) for event in events}
    if breakdown.limit is None:
        return found
    subjects: dict[Group, set[str]] = {group: set() for group in found.values()}
    for subject, event in sizing:
        subjects[found[id(event)]].add(subject)
    ranked = sorted((group for group, members in subjects.items() if members), key=lambda g: (-len(subjects[g]), g))
    kept = ranked[: breakdown.limit]
    return {event: group if group in kept else OTHER for event, group in found.items()}


def group_sort_key(group: Group) -> tuple[bool, Group]:
    """The rest stands last."""
    return group == OTHER, group


def shown(group: Group) -> list[str] | None:
    """The group as an answer has it."""
    return None if group == OTHER else list(group)
