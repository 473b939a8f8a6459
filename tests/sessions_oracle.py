"""Sessions cut event by event in plain Python: the slow truth that the SQL is judged by."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from models.breakdown import Breakdown
from models.calendar import Calendar, Period
from models.sessionizing import SessionCut
from models.sessions import SessionsQuestion, SessionsRow
from tests.filter_oracle import matches, passes, text_of, value_of
from tests.worlds import Carried, StoryEvent

Group = tuple[str, ...]


@dataclass(frozen=True)
class Named:
    """An event with the place at which it arrived."""

    event: StoryEvent
    order: int


def seen_by(question: Any, events: Sequence[StoryEvent], calendar: Calendar) -> dict[str, list[StoryEvent]]:
    """The events that exist for the question, by person, in order of time and then of arrival."""
    start, end = Period(question.period.start, question.period.end).bounds_utc(calendar)
    people: dict[str, list[Named]] = {}
    for order, event in enumerate(events):
        moment = calendar.to_utc(event.at)
        if (start and moment < start) or (end and moment >= end):
            continue
        if all(passes(condition, event) for condition in question.where):
            people.setdefault(event.person, []).append(Named(event, order))
    return {
        person: [each.event for each in sorted(named, key=lambda each: (each.event.at, each.order))]
        for person, named in people.items()
    }


def cut_sessions(cut: SessionCut, events: Sequence[StoryEvent], calendar: Calendar) -> list[list[StoryEvent]]:
    """One person's events in order, as sessions."""
    sessions: list[list[StoryEvent]] = []
    for event in events:
        if not sessions or _begins(cut, sessions[-1][-1], event, calendar):
            sessions.append([])
        sessions[-1].append(event)
    return sessions


def _begins(cut: SessionCut, before: StoryEvent, event: StoryEvent, calendar: Calendar) -> bool:
    zone = ZoneInfo(calendar.timezone)
    silence = event.at - before.at
    gap = timedelta(seconds=cut.gap_s) if cut.gap_s is not None else None
    is_silent = gap is not None and (silence >= gap if cut.exact_gap == "cuts" else silence > gap)
    is_new_day = event.at.astimezone(zone).date() != before.at.astimezone(zone).date()
    return (
        is_silent
        or matches(cut.start_events, event)
        or matches(cut.end_events, before)
        or (cut.split_by_day and is_new_day)
    )


def group_of(breakdown: Breakdown | None, event: StoryEvent) -> Group:
    """The group of an event; of properties without buckets."""
    values = [value_of(each, event, Carried()) for each in breakdown.by] if breakdown else []
    return tuple("" if value is None else text_of(value) for value in values)


def named_groups(breakdown: Breakdown | None, sizes: dict[Group, int]) -> dict[Group, Group | None]:
    """The name that each group has in the answer: None is the rest."""
    largest = sorted(sizes, key=lambda group: (-sizes[group], group))
    kept = largest if breakdown is None or breakdown.limit is None else largest[: breakdown.limit]
    return {group: group if group in kept else None for group in sizes}


def session_rows(question: SessionsQuestion, events: Sequence[StoryEvent], calendar: Calendar) -> list[SessionsRow]:
    """The rows of the answer, in any order."""
    calendar = question.calendar(calendar)
    found: list[tuple[str, datetime | None, Group, list[StoryEvent]]] = []
    for person, seen in seen_by(question, events, calendar).items():
        included = [event for event in seen if not question.any_of or matches(question.any_of, event)]
        for session in cut_sessions(question.session, included, calendar):
            start = calendar.interval_start(session[0].at, question.interval) if question.interval else None
            group = group_of(question.breakdown, session[0 if question.attribution == "entry" else -1])
            found.append((person, start, group, session))
    sizes: dict[Group, int] = {}
    for _, _, group, _ in found:
        sizes[group] = sizes.get(group, 0) + 1
    names = named_groups(question.breakdown, sizes)
    cells: dict[tuple[Group | None, datetime | None], list[tuple[str, list[StoryEvent]]]] = {}
    for person, start, group, session in found:
        cells.setdefault((names[group], start), []).append((person, session))
    return [_row(group, start, sessions) for (group, start), sessions in cells.items()]


def _row(group: Group | None, start: datetime | None, sessions: list[tuple[str, list[StoryEvent]]]) -> SessionsRow:
    people = {person for person, _ in sessions}
    counts = [len(session) for _, session in sessions]
    durations = [(session[-1].at - session[0].at).total_seconds() for _, session in sessions]
    bounced = [person for person, session in sessions if len(session) == 1]
    return SessionsRow(
        breakdown=group,
        interval_start=start,
        session_count=len(sessions),
        subject_count=len(people),
        sessions_per_subject=len(sessions) / len(people),
        event_count=sum(counts),
        events_per_session=sum(counts) / len(sessions),
        average_duration_s=sum(durations) / len(sessions),
        median_duration_s=median(durations),
        bounce_count=len(bounced),
        bounced_subject_count=len(set(bounced)),
        bounce_rate=len(bounced) / len(sessions),
    )
