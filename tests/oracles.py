"""Slow, obvious evaluators of the models' questions in plain Python; they judge the SQL over random stories.

They read the stories themselves and share nothing with the SQL but the form of questions and answers.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from statistics import median
from zoneinfo import ZoneInfo

from models.calendar import Calendar, Period
from models.funnel import FunnelGroup, FunnelQuestion, FunnelStep
from models.sales_path import SalesPathQuestion, SalesPathRow
from models.subjects import SubjectKind
from tests.filter_oracle import matches, text_of
from tests.worlds import StoryEvent

Stories = dict[str, list[StoryEvent]]
Attempt = list[StoryEvent]


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


# Funnel


def funnel_oracle(
    question: FunnelQuestion, calendar: Calendar, events: Sequence[StoryEvent]
) -> tuple[FunnelGroup, ...]:
    """Every attempt of every subject is walked; the deepest speaks."""
    inside = [event for event in events if _is_inside(question.period, calendar, event)]
    speaking_of: dict[str | None, list[Attempt]] = {} if question.breakdown else {None: []}
    for story in _stories(inside, question.by).values():
        attempts = list(_attempts(question, story))
        if attempts:
            speaking = min(attempts, key=lambda attempt: (-len(attempt), attempt[-1].at, -attempt[0].at.timestamp()))
            speaking_of.setdefault(_first_touch(question, story), []).append(speaking)
    groups = _limited(sorted(speaking_of.items(), key=_size_then_name), question.breakdown_limit)
    return tuple(FunnelGroup(value, _funnel_steps(question, attempts)) for value, attempts in groups)


def _attempts(question: FunnelQuestion, story: list[StoryEvent]) -> Iterator[Attempt]:
    for start in story:
        if matches(question.steps[0].any_of, start):
            yield _best_walk(question, story, [start])


def _best_walk(question: FunnelQuestion, story: list[StoryEvent], walked: Attempt) -> Attempt:
    """The walk continued: the earliest usable event each time, and every choice among equal times tried."""
    if len(walked) == len(question.steps):
        return walked
    deadline = walked[0].at + timedelta(seconds=question.conversion_window_s)
    usable = [
        event
        for event in story
        if matches(question.steps[len(walked)].any_of, event)
        and walked[-1].at <= event.at <= deadline
        and not any(event is used for used in walked)
    ]
    earliest = [event for event in usable if event.at == usable[0].at]
    walks = [walked, *(_best_walk(question, story, [*walked, event]) for event in earliest)]
    return min(walks, key=lambda walk: (-len(walk), walk[-1].at))


def _first_touch(question: FunnelQuestion, story: list[StoryEvent]) -> str | None:
    if question.breakdown is None:
        return None
    touching = [event for event in story if any(matches(step.any_of, event) for step in question.steps)]
    values = [text_of(event.properties.get(question.breakdown, "")) for event in touching]
    return next((value for value in values if value), "")


def _size_then_name(group: tuple[str | None, list[Attempt]]) -> tuple[int, str]:
    return -len(group[1]), group[0] or ""


def _limited(
    groups: list[tuple[str | None, list[Attempt]]], limit: int | None
) -> list[tuple[str | None, list[Attempt]]]:
    if limit is None or len(groups) <= limit:
        return groups
    others = [attempt for _, attempts in groups[limit:] for attempt in attempts]
    return sorted([*groups[:limit], ("Other", others)], key=_size_then_name)


def _funnel_steps(question: FunnelQuestion, attempts: list[Attempt]) -> tuple[FunnelStep, ...]:
    counts = [sum(len(attempt) > position for attempt in attempts) for position in range(len(question.steps))]
    steps = []
    for position, step in enumerate(question.steps):
        times = [
            _microseconds(attempt[position].at, attempt[position - 1].at)
            for attempt in attempts
            if 0 < position < len(attempt)
        ]
        steps.append(
            FunnelStep(
                step_index=position + 1,
                step_name=step.label,
                count=counts[position],
                conversion_rate=_rate(counts[position], counts[0]),
                step_conversion_rate=_rate(counts[position], counts[position - 1]) if position else None,
                median_time_from_previous_s=median(times) / 1_000_000 if times else None,
                average_time_from_previous_s=sum(times) / len(times) / 1_000_000 if times else None,
            )
        )
    return tuple(steps)


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
    if question.window_s is None or not entries:
        return entries
    deadline = min(entries.values()) + timedelta(seconds=question.window_s)
    return {index: entered for index, entered in entries.items() if entered <= deadline}
