"""Retention read event by event in plain Python: every subject is looked up in every cell."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from models.calendar import Calendar
from models.retention import RetentionQuestion
from tests.filter_oracle import matches, value_of
from tests.oracle_intervals import (
    OTHER,
    bounds,
    group_sort_key,
    groups_of,
    in_order,
    is_over,
    newest_at,
    shown,
    subject_of,
)
from tests.oracle_periods import Group, instant, next_start, start_of, starts_between
from tests.worlds import Carried, StoryEvent

PERIOD = {"hour": timedelta(hours=1), "day": timedelta(hours=24), "week": timedelta(hours=168)}


@dataclass
class Member:
    """Somebody in a cohort, and the returning events by how many periods after the start."""

    subject: str
    started_at: datetime
    returns: dict[int, list[StoryEvent]] = field(default_factory=lambda: defaultdict(list))


Cohorts = dict[Group, dict[datetime, dict[str, Member]]]


class RetentionOracle:
    """A question asked of a story: `rows` like the answer's, and who is behind each number."""

    def __init__(self, question: RetentionQuestion, calendar: Calendar, story: Sequence[StoryEvent]) -> None:
        self.question = question
        self.calendar = calendar
        self.story = story
        self.rows: list[dict[str, Any]] = []
        self.people: dict[tuple[Any, datetime, int, str], set[str]] = {}
        self._fill()

    def _fill(self) -> None:
        cohorts_of = self._cohorts()
        table = self._table(cohorts_of)
        if table is None:
            return
        starts, last_return = table
        for group in sorted(cohorts_of, key=group_sort_key):
            for start in starts:
                self._fill_cohort(group, start, cohorts_of[group].get(start, {}), last_return)
        self._add_means()

    def _cohorts(self) -> Cohorts:
        """By group and interval, the members by subject; with no breakdown there is one group in any case."""
        question = self.question
        seen = [event for event in in_order(question, self.story) if self._is_read(event)]
        starting = [event for event in seen if matches(question.start.any_of, event) and self._is_in_table(event)]
        sizing = [(subject_of(question, event), event) for event in starting]
        group_of = groups_of(question.breakdown, seen, sizing)
        cohorts: Cohorts = {} if question.breakdown else {(): {}}
        parts = set(group_of.values()) if question.attribution == "all_events" else {()}
        for part in parts:
            events = [event for event in seen if question.attribution == "start" or group_of[id(event)] == part]
            for subject in sorted({subject_of(question, event) for event in events}):
                own = [event for event in events if subject_of(question, event) == subject]
                for event in self._starting_events(own):
                    group = part if question.attribution == "all_events" else group_of[id(event)]
                    member = self._follow(subject, event, own)
                    cohorts.setdefault(group, {}).setdefault(self._interval(event), {})[subject] = member
        return cohorts

    def _is_read(self, event: StoryEvent) -> bool:
        """Whole intervals of the period; before it only to find first starts, after it only where that is asked."""
        period, question = self.question.period, self.question
        interval = self._interval(event)
        if period.start and question.mode == "recurring" and interval < self._interval_of(period.start):
            return False
        return not period.end or question.extend_over_end or interval <= self._last_of_period()

    def _starting_events(self, own: list[StoryEvent]) -> list[StoryEvent]:
        """The first start event of each interval that is a cohort's."""
        question = self.question
        names = [match.event for match in question.start.any_of]
        if question.mode == "first_ever":
            named = [event for event in own if None in names or event.event in names]
            starting = [event for event in named[:1] if matches(question.start.any_of, event)]
        else:
            starting = [event for event in own if matches(question.start.any_of, event)]
        if question.mode == "first_time" or question.windows == "elapsed":
            starting = starting[:1]
        by_interval: dict[datetime, StoryEvent] = {}
        for event in starting:
            by_interval.setdefault(self._interval(event), event)
        return [event for event in by_interval.values() if self._is_in_table(event)]

    def _is_in_table(self, event: StoryEvent) -> bool:
        """Whether its interval is one of the period's, so that who starts with it can be in a cohort."""
        period, interval = self.question.period, self._interval(event)
        is_early = period.start and interval < self._interval_of(period.start)
        return not is_early and not (period.end and interval > self._last_of_period())

    def _follow(self, subject: str, start: StoryEvent, own: list[StoryEvent]) -> Member:
        question, member = self.question, Member(subject, start.at)
        has_value_of_its_own = question.start.any_of == question.returning.any_of
        only_later = question.period_0 == "returned_later" or (
            question.period_0 == "cohort" and question.value is not None and not has_value_of_its_own
        )
        for event in own:
            if not matches(question.returning.any_of, event):
                continue
            n = self._periods_after(start, event)
            if n > 0 or (n == 0 and (event.at > start.at or not only_later)):
                member.returns[n].append(event)
        return member

    def _periods_after(self, start: StoryEvent, event: StoryEvent) -> int:
        if self.question.windows == "elapsed":
            return (event.at - start.at) // PERIOD[self.question.interval]
        first, last = self._interval(start), self._interval(event)
        return len(starts_between(first, last, self.question.interval)) - 1 if last >= first else -1

    def _table(self, cohorts_of: Cohorts) -> tuple[list[datetime], datetime] | None:
        question, newest = self.question, newest_at(self.story)
        oldest = min((start for cohorts in cohorts_of.values() for start in cohorts), default=None)
        found = bounds(question.period, question.interval, self.calendar, oldest, newest)
        if found is None:
            return None
        first, last = found
        last_return = last
        if question.extend_over_end and newest is not None:
            last_return = max(last, self._interval_of(newest))
        return starts_between(first, last, question.interval), last_return

    def _fill_cohort(self, group: Group, start: datetime, members: dict[str, Member], last_return: datetime) -> None:
        for index, (first_n, last_n) in enumerate(self.question.columns):
            if self._steps(start, first_n) > last_return:
                continue
            retained = [member for member in members.values() if self._counts(member, first_n, last_n)]
            people = {member.subject for member in retained}
            self.people[group, start, index, "retained"] = people
            self.people[group, start, index, "churned"] = set(members) - people
            size, count = len(members), len(retained)
            self.rows.append(
                {
                    "breakdown": shown(group),
                    "cohort_start": start,
                    "cohort_size": size,
                    "period_index": index,
                    "first_interval": first_n,
                    "last_interval": last_n,
                    "retained_count": count,
                    "retention_rate": count / size if size else None,
                    "churned_count": size - count,
                    "churn_rate": (size - count) / size if size else None,
                    "average_retention_rate": None,
                    "value": self._value(retained, first_n, last_n),
                    "is_finished": self._is_finished(start, last_n, last_return),
                }
            )

    def _counts(self, member: Member, first_n: int, last_n: int) -> bool:
        question = self.question
        if first_n == 0 and question.period_0 == "cohort":
            return True
        good = [n for n, events in member.returns.items() if len(events) >= question.min_occurrences]
        return any(n >= first_n and (question.rolling or n <= last_n) for n in good)

    def _value(self, retained: list[Member], first_n: int, last_n: int) -> float | None:
        wanted = self.question.value
        if wanted is None:
            return None
        sums = []
        for member in retained:
            events = [event for n in range(first_n, last_n + 1) for event in member.returns.get(n, [])]
            sums.append(sum(_number(value_of(wanted, event, Carried())) for event in events))
        if wanted.aggregate == "sum":
            return float(sum(sums))
        return sum(sums) / len(sums) if sums else None

    def _is_finished(self, start: datetime, last_n: int, last_return: datetime) -> bool:
        if self.question.windows == "calendar":
            return is_over(self._steps(start, last_n), self.question.interval, self.calendar, self.story)
        newest = newest_at(self.story)
        over = instant(self._steps(start, 1), self.calendar).timestamp()
        over += PERIOD[self.question.interval].total_seconds() * (last_n + 1)
        seen_until = instant(next_start(last_return, self.question.interval), self.calendar).timestamp()
        return newest is not None and over <= min(newest.timestamp(), seen_until)

    def _add_means(self) -> None:
        for row in self.rows:
            column = [
                other
                for other in self.rows
                if (other["breakdown"], other["period_index"]) == (row["breakdown"], row["period_index"])
                and other["is_finished"]
            ]
            size = sum(other["cohort_size"] for other in column)
            row["average_retention_rate"] = sum(other["retained_count"] for other in column) / size if size else None

    def _steps(self, start: datetime, count: int) -> datetime:
        for _ in range(count):
            start = next_start(start, self.question.interval)
        return start

    def _interval(self, event: StoryEvent) -> datetime:
        return start_of(event.at, self.question.interval, self.calendar)

    def _interval_of(self, moment: datetime) -> datetime:
        return start_of(instant(moment, self.calendar), self.question.interval, self.calendar)

    def _last_of_period(self) -> datetime:
        assert self.question.period.end
        return self._interval_of(instant(self.question.period.end, self.calendar) - timedelta(microseconds=1))


def group_asked(group: Group) -> Any:
    """The group as the list of people is asked for it."""
    return "other" if group == OTHER else group


def _number(value: object) -> float:
    if isinstance(value, bool) or value is None:
        return 0.0
    try:
        return float(value)  # type: ignore[arg-type]  # what is no number is caught
    except (TypeError, ValueError):
        return 0.0
