"""How a question about stickiness is asked, and what its answer's rows are."""

from dataclasses import dataclass
from typing import Literal

from models.breakdown import Breakdown
from models.calendar import Interval
from models.errors import QuestionError
from models.intervals import require_few_intervals
from models.matching import ANY_EVENT, EventMatch
from models.parts import Part
from models.questions import Question

MAX_INTERVAL_COUNT = 366


@dataclass(frozen=True, kw_only=True)
class StickinessQuestion(Question):
    """In how many intervals of the period subjects are active.

    Active is who has at least `min_occurrences` and at most `max_occurrences` events that match any of `any_of` in the
    interval; without any, nobody is. An interval is `interval_count` of the calendar's, counted from the one that holds
    the period's start; without a start that of the first such event, without an end the last holds the newest event.
    `cumulative` counts who is active in at least so many intervals instead of exactly so many.
    """

    any_of: tuple[EventMatch, ...] = (ANY_EVENT,)
    interval: Interval = "day"
    interval_count: int = 1
    min_occurrences: int = 1
    max_occurrences: int | None = None
    cumulative: bool = False
    breakdown: Breakdown | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_few_intervals(self.interval, self.period)
        if not self.any_of:
            raise QuestionError("Stickiness needs at least one event in any_of; leave it out to mean any event.")
        if not 1 <= self.interval_count <= MAX_INTERVAL_COUNT:
            raise QuestionError(f"interval_count is {self.interval_count}: ask for 1 to {MAX_INTERVAL_COUNT}.")
        if self.min_occurrences < 1:
            raise QuestionError(f"min_occurrences is {self.min_occurrences}: an active interval has at least 1 event.")
        if self.max_occurrences is not None and self.max_occurrences < self.min_occurrences:
            raise QuestionError(
                f"max_occurrences {self.max_occurrences} is less than min_occurrences {self.min_occurrences}: "
                "no interval would count."
            )


@dataclass(frozen=True)
class StickinessRow:
    """How many subjects are active in `active_intervals` of the intervals, and their share of all active ones, 0..1.

    `breakdown` has a text per property, null for the rest beyond the limit.
    """

    breakdown: tuple[str, ...] | None
    active_intervals: int
    subject_count: int
    subject_rate: float | None


@dataclass(frozen=True, kw_only=True)
class StickinessNumber(Part):
    """Whose list is wanted: those counted for so many active intervals, in one group or in all."""

    active_intervals: int
    breakdown: tuple[str, ...] | Literal["other"] | None = None
