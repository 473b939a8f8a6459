"""A distribution and the time between two events, event by event in plain Python: what the statements are judged by."""

from collections.abc import Sequence
from datetime import datetime

from models.calendar import Calendar
from models.distribution import DistributionQuestion
from models.distribution.question import OF_TIME, bounds_of
from tests.filter_oracle import matches, text_of, value_of
from tests.oracle_periods import (
    Group,
    exists,
    group_of,
    group_sizes,
    interval_of,
    intervals_of,
    is_inside,
    kept,
    quantile,
    subject_of,
    whole_start,
)
from tests.worlds import Carried, StoryEvent

Cell = tuple[datetime | None, Group | None]  # start of the interval, group
Amounts = dict[str, float]  # of the subjects of one cell


class DistributionOracle:
    """What each subject of an interval and group has done."""

    def __init__(self, question: DistributionQuestion, events: Sequence[StoryEvent]) -> None:
        self.question = question
        self.calendar = question.calendar(Calendar())
        meant = [
            event
            for event in events
            if exists(event, question)
            and matches(question.any_of, event)
            and is_inside(event.at, question.period, self.calendar)
        ]
        moments = [event.at for event in meant]
        self.intervals = intervals_of(question.period, question.interval, self.calendar, moments)
        self.events = [event for event in meant if question.property is None or self._read(event) is not None]
        groups = [group_of(event, question.breakdown) for event in self.events]
        self.shown = kept(group_sizes(groups), question.breakdown)

    def amounts(self) -> dict[Cell, Amounts]:
        """The amount of each subject in each cell; cells with nobody too."""
        groups: set[Group | None] = {self._group(event) for event in self.events} if self.question.breakdown else {()}
        return {
            (self._start(position), group): self._of_cell(position, group)
            for position in range(len(self.intervals))
            for group in groups
        }

    def _start(self, position: int) -> datetime | None:
        """The local start of an interval."""
        return self.intervals[position] or whole_start(self.question.period, self.calendar)

    def bucket_of(self, amount: float) -> int:
        """The bucket of an amount: the one whose bounds it lies between."""
        return next(
            index
            for index, lowest, highest in bounds_of(self.question)
            if (lowest is None or amount >= lowest) and (highest is None or amount < highest)
        )

    def _of_cell(self, position: int, group: Group | None) -> Amounts:
        events_of: dict[str, list[StoryEvent]] = {}
        for event in self.events:
            is_here = interval_of(event.at, self.question.interval, self.calendar) == self.intervals[position]
            if is_here and self._group(event) == group:
                events_of.setdefault(subject_of(event, self.question) or "", []).append(event)
        return {subject: self._amount(events) for subject, events in events_of.items()}

    def _amount(self, events: list[StoryEvent]) -> float:
        measure = self.question.measure
        if measure == "total":
            return len(events)
        if measure in OF_TIME:
            return len({interval_of(event.at, OF_TIME[measure], self.calendar) for event in events})
        read = [self._read(event) for event in events]
        if measure == "distinct":
            return len(set(read))
        numbers = [float(number or 0) for number in read]
        average = sum(numbers) / len(numbers)
        return {"sum": sum(numbers), "average": average, "min": min(numbers), "max": max(numbers)}[measure]

    def _read(self, event: StoryEvent) -> str | None:
        assert self.question.property is not None
        have = value_of(self.question.property, event, Carried())
        return None if have is None else text_of(have)

    def _group(self, event: StoryEvent) -> Group | None:
        return self.shown(group_of(event, self.question.breakdown))


def median(numbers: Sequence[float]) -> float | None:
    """The median of the amounts of some subjects."""
    return quantile(numbers, 0.5) if numbers else None
