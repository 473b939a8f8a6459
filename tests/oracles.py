"""Slow, obvious evaluators of the models' questions in plain Python; they judge the SQL over random stories.

They read the stories themselves and share nothing with the SQL but the form of questions and answers.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median
from zoneinfo import ZoneInfo

from models.calendar import Calendar, Period
from models.sales_path import SalesPathQuestion, SalesPathRow
from models.subjects import SubjectKind
from tests.filter_oracle import matches
from tests.worlds import StoryEvent

Stories = dict[str, list[StoryEvent]]


def _is_inside(period: Period, calendar: Calendar, event: StoryEvent) -> bool:
    start, end = (
        bound.replace(tzinfo=ZoneInfo(calendar.timezone)) if bound and bound.tzinfo is None else bound
        for bound in (period.start, period.end)
    )
    return (start is None or event.at >= start) and (end is None or event.at < end)


def _stories(events: Sequence[StoryEvent], by: SubjectKind) -> Stories:
    """Each subject's events in the order of time; sorting keeps the story's order among equal times."""
    stories: Stories = {}
    for event in sorted(events, key=lambda event: event.at):
        subject = event.account if by == "account" else event.person
        if subject:
            stories.setdefault(subject, []).append(event)
    return stories


def _microseconds(later: datetime, earlier: datetime) -> int:
    return (later - earlier) // timedelta(microseconds=1)


def _rate(part: int, whole: int) -> float | None:
    return part / whole if whole else None


# Sales path


def sales_path_oracle(
    question: SalesPathQuestion, calendar: Calendar, events: Sequence[StoryEvent]
) -> tuple[SalesPathRow, ...]:
    """Every subject's first entries are looked at, stage by stage."""
    inside = [event for event in events if _is_inside(question.period, calendar, event)]
    paths = [_first_entries(question, story) for story in _stories(inside, question.by).values()]
    paths = [path for path in paths if path]
    reached = [sum(max(path) >= index for path in paths) for index in range(len(question.stages))]
    totals = []
    for index, stage in enumerate(question.stages):
        inside_stage = [path for path in paths if index in path]
        times = [
            _microseconds(path[index], path[index - 1])
            for path in inside_stage
            if index - 1 in path and path[index] >= path[index - 1]
        ]
        totals.append(
            SalesPathRow(
                stage_index=index + 1,
                stage_name=stage.name,
                entered=len(inside_stage),
                reached=reached[index],
                furthest_here=sum(max(path) == index for path in paths),
                skipped=sum(max(path) > index and index not in path for path in paths),
                out_of_order=sum(
                    any(path[index] < path[earlier] for earlier in range(index) if earlier in path)
                    for path in inside_stage
                ),
                conversion_rate=_rate(reached[index], reached[0]),
                step_conversion_rate=_rate(reached[index], reached[index - 1]) if index else None,
                median_time_from_previous_s=median(times) / 1_000_000 if times else None,
            )
        )
    return tuple(totals)


def _first_entries(question: SalesPathQuestion, story: list[StoryEvent]) -> dict[int, datetime]:
    """When the subject first entered each stage, by position; without those outside the window."""
    entries: dict[int, datetime] = {}
    for index, stage in enumerate(question.stages):
        times = [event.at for event in story if matches(stage.any_of, event)]
        if times:
            entries[index] = min(times)
    if question.conversion_window_s is None or not entries:
        return entries
    deadline = min(entries.values()) + timedelta(seconds=question.conversion_window_s)
    return {index: entered for index, entered in entries.items() if entered <= deadline}
