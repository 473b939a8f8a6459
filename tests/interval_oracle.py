"""The time between two events, pair by pair in plain Python: the slow truth that the statement is judged by."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from models.calendar import Calendar, Period
from models.filters import PropertyOf
from models.interval import IntervalQuestion
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
    subject_of,
    whole_start,
)
from tests.worlds import Carried, StoryEvent

Order = tuple[datetime, int]


@dataclass(frozen=True)
class Pair:
    """A first event and the second one that followed it."""

    subject: str
    first: StoryEvent
    first_order: Order
    second: StoryEvent
    second_order: Order

    @property
    def duration_s(self) -> float:
        """How long it took."""
        return (self.second.at - self.first.at).total_seconds()


class IntervalOracle:
    """Which pairs each interval and group has."""

    def __init__(self, question: IntervalQuestion, events: Sequence[StoryEvent]) -> None:
        self.question = question
        self.calendar = question.calendar(Calendar())
        self.events = sorted(((e.at, i), e) for i, e in enumerate(events) if exists(e, question))
        self.pairs = self._one_of_each_second([pair for order, e in self.events for pair in self._pair(order, e)])
        moments = [pair.first.at for pair in self.pairs]
        self.intervals = intervals_of(question.period, question.interval, self.calendar, moments)
        self.shown = kept(group_sizes([self._own_group(pair) for pair in self.pairs]), question.breakdown)

    def cells(self) -> dict[tuple[datetime | None, Group | None], list[Pair]]:
        """The pairs of each interval and group; without pairs too."""
        groups: set[Group | None] = {()}
        if self.question.breakdown:
            groups = {self.shown(self._own_group(pair)) for pair in self.pairs}
        return {
            (self._start(position), group): [pair for pair in self.pairs if self._is_in(pair, position, group)]
            for position in range(len(self.intervals))
            for group in groups
        }

    def _start(self, position: int) -> datetime | None:
        """The local start of an interval."""
        return self.intervals[position] or whole_start(self.question.period, self.calendar)

    def _pair(self, order: Order, first: StoryEvent) -> list[Pair]:
        """The pair that a first event makes, if it makes one."""
        question = self.question
        held = self._held(question.hold_constant, first)
        subject = subject_of(first, question) or ""
        if not self._takes(question.first.any_of, first, question.period) or held == "":
            return []
        until = Period(question.period.start) if question.extend_over_end else question.period
        for later, second in self.events:
            if later <= order or not self._takes(question.second.any_of, second, until):
                continue
            if subject_of(second, question) != subject:
                continue
            if self._held(question.held_by_second or question.hold_constant, second) != held:
                continue
            pair = Pair(subject, first, order, second, later)
            is_short = question.max_duration_s is None or second.at - first.at <= timedelta(
                seconds=question.max_duration_s
            )
            return [pair] if is_short else []
        return []

    def _one_of_each_second(self, pairs: list[Pair]) -> list[Pair]:
        if self.question.pairing == "each":
            return pairs
        in_order = reversed(pairs) if self.question.pairing == "first" else pairs
        return list({(pair.subject, pair.second_order): pair for pair in in_order}.values())  # the last one stays

    def _takes(self, any_of: Sequence[object], event: StoryEvent, period: Period) -> bool:
        return is_inside(event.at, period, self.calendar) and matches(any_of, event)  # type: ignore[arg-type]  # matches of a step

    def _held(self, wanted: PropertyOf | None, event: StoryEvent) -> str | None:
        """The value held constant: None where nothing is held, empty where it is missing."""
        if wanted is None:
            return None
        have = value_of(wanted, event, Carried())
        return "" if have is None else text_of(have)

    def _own_group(self, pair: Pair) -> Group:
        return group_of(pair.first if self.question.attribution == "first" else pair.second, self.question.breakdown)

    def _is_in(self, pair: Pair, position: int, group: Group | None) -> bool:
        key = interval_of(pair.first.at, self.question.interval, self.calendar)
        return key == self.intervals[position] and self.shown(self._own_group(pair)) == group
