"""What an interval asks: how much time lies between two events of a subject."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from models.breakdown import Breakdown
from models.calendar import Interval
from models.errors import QuestionError, require_choice
from models.filters import PropertyOf
from models.intervals import require_bounded_intervals
from models.limits import LONGEST_S
from models.matching import Step
from models.parts import Part
from models.questions import Question

Pairing = Literal["each", "first", "last"]
PairSide = Literal["first", "second"]


@dataclass(frozen=True, kw_only=True)
class IntervalQuestion(Question):
    """How long it takes from one event to another.

    Every first event makes a pair with the next second event of its subject; where both are the same, with its next
    occurrence. Of several first events before the same second one, `pairing` takes "each", only the "first" or only
    the "last". Pairs of more than `max_duration_s` seconds do not exist. `hold_constant` names a property that both
    events must carry with the same value, as `held_by_second` where the second calls it otherwise. With
    `extend_over_end` the second event may come after the period.

    Pairs belong to the `interval` of their first event (null: to the whole period), and to the group of the event that
    `attribution` names; groups beyond the limit, those with the fewest pairs, are one.
    """

    first: Step
    second: Step
    pairing: Pairing = "each"
    max_duration_s: float | None = None
    hold_constant: PropertyOf | None = None
    held_by_second: PropertyOf | None = None
    extend_over_end: bool = False
    interval: Interval | None = None
    breakdown: Breakdown | None = None
    attribution: PairSide = "first"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice("pairing", self.pairing, get_args(Pairing))
        require_choice("attribution", self.attribution, get_args(PairSide))
        require_bounded_intervals(self.interval, self.period)
        if self.max_duration_s is not None and not 0 <= self.max_duration_s <= LONGEST_S:
            raise QuestionError(
                f"max_duration_s is {self.max_duration_s}: give seconds, 0 to 100 years, or leave it out."
            )
        if self.held_by_second is not None and self.hold_constant is None:
            raise QuestionError("held_by_second goes with hold_constant, which names the first event's property.")
        if self.breakdown is None and self.attribution != "first":
            raise QuestionError("attribution says whose property a breakdown takes: name one in breakdown.")


@dataclass(frozen=True)
class IntervalRow:
    """The pairs of an interval and a group; times in seconds, null where there is no pair.

    Quantiles lie between two times in proportion. `average_per_subject_s` is the average of each subject's own average.
    `interval_start` is local time, null for a whole period without a start.
    """

    interval_start: datetime | None
    breakdown: tuple[str, ...] | None
    pair_count: int
    subject_count: int
    min_s: float | None
    p10_s: float | None
    p25_s: float | None
    median_s: float | None
    p75_s: float | None
    p90_s: float | None
    max_s: float | None
    average_s: float | None
    average_per_subject_s: float | None
    pairs_per_subject: float | None


@dataclass(frozen=True)
class IntervalNumber(Part):
    """Which subjects: those with a pair in an interval and a group, or anywhere."""

    interval_start: datetime | None = None
    breakdown: tuple[str, ...] | Literal["other"] | None = None
