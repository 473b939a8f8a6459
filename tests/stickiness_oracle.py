"""Stickiness read event by event in plain Python."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from models.calendar import Calendar
from models.stickiness import StickinessQuestion
from tests.filter_oracle import matches
from tests.oracle_intervals import (
    bounds,
    group_sort_key,
    groups_of,
    in_order,
    newest_at,
    shown,
    subject_of,
)
from tests.oracle_periods import Group, is_inside, start_of, starts_between
from tests.worlds import StoryEvent

People = dict[tuple[Group, int], set[str]]


def stickiness_oracle(
    question: StickinessQuestion, calendar: Calendar, story: Sequence[StoryEvent]
) -> tuple[list[dict[str, Any]], People]:
    """Rows like the answer's, and who is behind each number: by group and count of active intervals."""
    seen = [
        event
        for event in in_order(question, story)
        if matches(question.any_of, event) and is_inside(event.at, question.period, calendar)
    ]
    group_of = groups_of(question.breakdown, seen, [(subject_of(question, event), event) for event in seen])
    oldest = min((start_of(event.at, question.interval, calendar) for event in seen), default=None)
    found = bounds(question.period, question.interval, calendar, oldest, newest_at(story))
    if found is None:
        return [], {}
    starts = starts_between(*found, question.interval)
    counts: Counter[tuple[Group, str, int]] = Counter()
    for event in seen:
        index = starts.index(start_of(event.at, question.interval, calendar)) // question.interval_count
        counts[group_of[id(event)], subject_of(question, event), index] += 1
    most = question.max_occurrences
    active: Counter[tuple[Group, str]] = Counter()
    for (group, subject, _), count in counts.items():
        if count >= question.min_occurrences and (most is None or count <= most):
            active[group, subject] += 1
    longest = -(-len(starts) // question.interval_count)
    rows: list[dict[str, Any]] = []
    people: People = {}
    groups = {group for group, _ in active} if question.breakdown else {()}
    for group in sorted(groups, key=group_sort_key):
        total = sum(own_group == group for own_group, _ in active)
        for wanted in range(1, longest + 1):
            subjects = {
                subject
                for (own_group, subject), intervals in active.items()
                if own_group == group and (intervals == wanted or (question.cumulative and intervals > wanted))
            }
            people[group, wanted] = subjects
            rows.append(
                {
                    "breakdown": shown(group),
                    "active_intervals": wanted,
                    "subject_count": len(subjects),
                    "subject_rate": len(subjects) / total if total else None,
                }
            )
    return rows, people
