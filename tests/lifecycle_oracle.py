"""The lifecycle read event by event in plain Python: every subject is looked up in every interval."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from models.calendar import Calendar
from models.lifecycle import LifecycleQuestion
from tests.filter_oracle import matches, value_of
from tests.oracle_intervals import (
    bounds,
    group_sort_key,
    groups_of,
    in_order,
    is_over,
    newest_at,
    shown,
    subject_of,
)
from tests.oracle_periods import Group, start_of, starts_between
from tests.worlds import Carried, StoryEvent

People = dict[tuple[Group, datetime, str], set[str]]


def lifecycle_oracle(
    question: LifecycleQuestion, calendar: Calendar, story: Sequence[StoryEvent], carried: Carried
) -> tuple[list[dict[str, Any]], People]:
    """Rows like the answer's, and who is behind each number: by group, interval and status."""

    def interval_of(event: StoryEvent) -> datetime:
        return start_of(event.at, question.interval, calendar)

    matching = [event for event in in_order(question, story, carried) if matches(question.any_of, event, carried)]
    seen = [event for event in matching if _is_read(question, calendar, event)]
    group_of = groups_of(question.breakdown, matching, [(subject_of(question, event), event) for event in seen])
    groups = {group_of[id(event)] for event in seen} if question.breakdown else {()}
    active: dict[tuple[Group, str], set[datetime]] = {}
    for event in seen:
        active.setdefault((group_of[id(event)], subject_of(question, event)), set()).add(interval_of(event))
    oldest = min((interval_of(event) for event in seen), default=None)
    found = bounds(question.period, question.interval, calendar, oldest, newest_at(story))
    rows: list[dict[str, Any]] = []
    people: People = {}
    for group in sorted(groups, key=group_sort_key):
        for start in starts_between(*found, question.interval) if found else []:
            before = start_of(_just_before(start, calendar), question.interval, calendar)
            statuses: dict[str, set[str]] = {"new": set(), "returning": set(), "resurrecting": set(), "dormant": set()}
            for (own_group, subject), intervals in active.items():
                if own_group == group:
                    created = _created(question, story, carried, subject)
                    created_in = start_of(created, question.interval, calendar) if created else None
                    status = _status(start, before, intervals, created_in)
                    if status:
                        statuses[status].add(subject)
            people |= {(group, start, status): subjects for status, subjects in statuses.items()}
            rows.append(
                {
                    "breakdown": shown(group),
                    "interval_start": start,
                    **{f"{status}_count": len(subjects) for status, subjects in statuses.items()},
                    "is_finished": is_over(start, question.interval, calendar, story),
                }
            )
    return rows, people


def _status(start: datetime, before: datetime, active: set[datetime], created_in: datetime | None) -> str | None:
    if start in active:
        if created_in == start:
            return "new"
        return "returning" if before in active else "resurrecting"
    return "dormant" if before in active else None


def _created(
    question: LifecycleQuestion, story: Sequence[StoryEvent], carried: Carried, subject: str
) -> datetime | None:
    """When the subject was created, as the question says; None where nothing says it."""
    own = [event for event in story if subject_of(question, event) == subject]
    if question.created_by == "first_event":
        return min(event.at for event in own)
    if question.created_by == "first_match":
        passing = [event for event in in_order(question, own, carried) if matches(question.any_of, event, carried)]
        return min(event.at for event in passing)
    assert question.created_property
    values = [value_of(question.created_property, event, carried) for event in own]
    moments = [datetime.fromisoformat(str(value)) for value in values if value is not None]
    return min((moment if moment.tzinfo else moment.replace(tzinfo=UTC) for moment in moments), default=None)


def _is_read(question: LifecycleQuestion, calendar: Calendar, event: StoryEvent) -> bool:
    """In the whole intervals of the period, or the one before them."""
    interval = start_of(event.at, question.interval, calendar)
    found = bounds(question.period, question.interval, calendar, interval, event.at)
    assert found
    first, last = found
    if question.period.start:
        first = start_of(_just_before(first, calendar), question.interval, calendar)
    return first <= interval <= last


def _just_before(start: datetime, calendar: Calendar) -> datetime:
    """An instant in the interval before the one that starts there."""
    return (start - timedelta(microseconds=1)).replace(tzinfo=ZoneInfo(calendar.timezone))
