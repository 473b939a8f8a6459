"""A trend answered event by event in plain Python: the slow truth that the statement is judged by."""

from collections.abc import Callable, Sequence
from datetime import datetime

from models.calendar import Calendar, Period
from models.trend import Series, TrendQuestion
from tests.filter_oracle import matches, number_of, text_of, value_of
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

Value = float | None
Cell = tuple[int, datetime | None, Group | None]  # series from 1, start of the interval, group
Evaluate = Callable[[dict[str, Value]], Value]


class TrendOracle:
    """What a trend answers over a story: values and people by series, interval and group."""

    def __init__(self, question: TrendQuestion, events: Sequence[StoryEvent], formulas: Sequence[Evaluate]) -> None:
        self.question = question
        self.calendar = question.calendar(Calendar())
        self.formulas = formulas
        order = sorted(range(len(events)), key=lambda position: (events[position].at, position))
        self.events = [events[position] for position in order if exists(events[position], question)]
        first = [e for e in self._meant(question.series[0]) if is_inside(e.at, question.period, self.calendar)]
        sizes = group_sizes([group_of(event, question.breakdown) for event in first])
        self.shown = kept(sizes, question.breakdown)

    def values(self) -> dict[Cell, tuple[Value, datetime | None, Value]]:
        """The value of each cell, beside start and value of the one at the same position in the earlier period."""
        periods = [self.question.period]
        if self.question.comparison:
            periods.append(self.question.comparison.period(self.question.period, self.calendar))
        groups: set[Group | None] = {()}
        if self.question.breakdown:
            groups = {group for period in periods for group in self._groups(period)}
        now, *earlier = [self._of_period(period, groups) for period in periods]
        nothing = (None, None)
        return {
            (index, start, group): (value, *(earlier[0].get((index, position, group), nothing) if earlier else nothing))
            for (index, position, group), (start, value) in now.items()
        }

    def people(self, period: Period) -> dict[Cell, set[str]]:
        """Who is behind each cell of a period that has anybody."""
        found: dict[Cell, set[str]] = {}
        for index, series in enumerate(self.question.series, start=1):
            counted = self._counted(series, period)
            intervals = self._intervals(period)
            for position, interval_start in enumerate(intervals):
                start = interval_start or whole_start(period, self.calendar)
                for group in {self._group(event) for event in counted}:
                    people = {self._subject(e) for e in self._in_cell(counted, intervals, position, group)}
                    if people:
                        found[index, start, group] = people
        return found

    def _of_period(
        self, period: Period, groups: set[Group | None]
    ) -> dict[tuple[int, int, Group | None], tuple[datetime | None, Value]]:
        """Start and value by series, position of the interval and group."""
        found: dict[tuple[int, int, Group | None], tuple[datetime | None, Value]] = {}
        counted = [self._counted(series, period) for series in self.question.series]
        intervals = self._intervals(period)
        for position, interval_start in enumerate(intervals):
            start = interval_start or whole_start(period, self.calendar)
            for group in groups:
                values: dict[str, Value] = {}
                for index, series in enumerate(self.question.series, start=1):
                    cell_events = self._in_cell(counted[index - 1], intervals, position, group)
                    value = self._measured(series, cell_events)
                    found[index, position, group] = (start, value)
                    values["ABC"[index - 1]] = value
                for index, formula in enumerate(self.formulas, start=len(counted) + 1):
                    found[index, position, group] = (start, formula(values))
        return found

    def _in_cell(
        self, counted: list[StoryEvent], intervals: list[datetime | None], position: int, group: Group | None
    ) -> list[StoryEvent]:
        keys = intervals[: position + 1] if self.question.cumulative else [intervals[position]]
        interval = self.question.interval
        return [e for e in counted if self._group(e) == group and interval_of(e.at, interval, self.calendar) in keys]

    def _groups(self, period: Period) -> set[Group | None]:
        return {self._group(e) for series in self.question.series for e in self._counted(series, period)}

    def _counted(self, series: Series, period: Period) -> list[StoryEvent]:
        """The events of a series in the period that its measure sees."""
        events = [e for e in self._meant(series) if series.property is None or self._read(series, e) is not None]
        if series.occurrence.endswith("_time"):
            events = self._one_each(series, events)
        events = [event for event in events if is_inside(event.at, period, self.calendar)]
        return self._one_each(series, events) if series.occurrence.endswith("_in_period") else events

    def _one_each(self, series: Series, events: list[StoryEvent]) -> list[StoryEvent]:
        in_order = list(reversed(events)) if series.occurrence.startswith("first") else events
        return list({self._subject(event): event for event in in_order}.values())  # the last one stays

    def _measured(self, series: Series, events: list[StoryEvent]) -> Value:
        subjects = {self._subject(event) for event in events}
        read = [self._read(series, event) for event in events]
        match series.measure:
            case "total":
                return len(events)
            case "subjects":
                return len(subjects)
            case "per_subject":
                return len(events) / len(subjects) if subjects else None
            case "distinct":
                return len(set(read))
        numbers = [float(number) for number in read if number is not None]
        if series.measure == "sum":
            return sum(numbers)
        return _of_numbers(series, numbers, len(subjects)) if numbers else None

    def _read(self, series: Series, event: StoryEvent) -> str | float | None:
        if series.property is None:
            return None
        have = value_of(series.property, event, Carried())
        if have is None or series.measure == "distinct":
            return None if have is None else text_of(have)
        return number_of(text_of(have))

    def _meant(self, series: Series) -> list[StoryEvent]:
        return [event for event in self.events if matches(series.any_of, event)]

    def _intervals(self, period: Period) -> list[datetime | None]:
        moments = [
            event.at
            for series in self.question.series
            for event in self._meant(series)
            if is_inside(event.at, period, self.calendar)
        ]
        return intervals_of(period, self.question.interval, self.calendar, moments)

    def _group(self, event: StoryEvent) -> Group | None:
        return self.shown(group_of(event, self.question.breakdown))

    def _subject(self, event: StoryEvent) -> str:
        return subject_of(event, self.question) or ""


def _of_numbers(series: Series, numbers: list[float], subject_count: int) -> float:
    return {
        "average": sum(numbers) / len(numbers),
        "min": min(numbers),
        "max": max(numbers),
        "median": quantile(numbers, 0.5),
        "percentile": quantile(numbers, (series.percentile or 0) / 100),
        "sum_per_subject": sum(numbers) / subject_count,
    }[series.measure]
