"""What a distribution asks: how many subjects did something how often, or with how much of a property."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from models.breakdown import MAX_BUCKETS, Breakdown, is_growing
from models.calendar import Interval
from models.errors import QuestionError, require_choice
from models.filters import PropertyOf
from models.intervals import require_bounded_intervals
from models.matching import EventMatch
from models.parts import Part
from models.questions import Question

DistributionMeasure = Literal["total", "hours", "days", "weeks", "months", "sum", "average", "min", "max", "distinct"]
OF_PROPERTY: tuple[DistributionMeasure, ...] = ("sum", "average", "min", "max", "distinct")
OF_TIME: dict[DistributionMeasure, Interval] = {"hours": "hour", "days": "day", "weeks": "week", "months": "month"}
DEFAULT_BUCKETS = (1.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0)


@dataclass(frozen=True, kw_only=True)
class DistributionQuestion(Question):
    """How often subjects do something.

    Each subject with an event that matches any of the alternatives has one amount: its number of events ("total"), the
    number of local hours, days, weeks or months with such an event, or the sum, average, lowest, highest or number of
    different values of `property` (events without one do not exist then). `buckets` [1, 3, 5] counts the subjects of
    [1, 3), [3, 5) and 5 or more, and those below 1 where there can be any. By `interval`, each one is counted by what
    it does in it. Groups of a breakdown beyond its limit, those with the fewest events, are one.
    """

    any_of: tuple[EventMatch, ...]
    measure: DistributionMeasure = "total"
    property: PropertyOf | None = None
    buckets: tuple[float, ...] = DEFAULT_BUCKETS
    interval: Interval | None = None
    breakdown: Breakdown | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.any_of:
            raise QuestionError("A distribution needs at least one event that is counted.")
        require_choice("measure", self.measure, get_args(DistributionMeasure))
        require_bounded_intervals(self.interval, self.period)
        if (self.property is not None) != (self.measure in OF_PROPERTY):
            needs = "needs a property" if self.measure in OF_PROPERTY else "measures no property: leave it out"
            raise QuestionError(f"The measure {self.measure!r} {needs}.")
        if not 1 <= len(self.buckets) <= MAX_BUCKETS or not is_growing(self.buckets):
            raise QuestionError(
                f"buckets are 1 to {MAX_BUCKETS} growing boundaries, each a finite number, such as [1, 3, 5, 10]."
            )


def bounds_of(question: DistributionQuestion) -> list[tuple[int, float | None, float | None]]:
    """Index, lowest (included) and highest (excluded) amount of each bucket; 0 is the one below all boundaries."""
    edges = (None, *question.buckets, None)
    every = [(index, edges[index], edges[index + 1]) for index in range(len(question.buckets) + 1)]
    counts_from_one = question.measure in ("total", *OF_TIME, "distinct")
    return every[1:] if counts_from_one and question.buckets[0] <= 1 else every


@dataclass(frozen=True)
class DistributionRow:
    """One bucket of an interval and a group: its subjects, and their rate (0..1) among all of them.

    `all_subject_count`, and the average and median of their amounts, are those of the interval and group, in each of
    its rows. `interval_start` is local time, null for a whole period without a start.
    """

    interval_start: datetime | None
    breakdown: tuple[str, ...] | None
    bucket_index: int
    bucket_from: float | None
    bucket_to: float | None
    subject_count: int
    subject_rate: float | None
    all_subject_count: int
    average: float | None
    median: float | None


@dataclass(frozen=True)
class DistributionNumber(Part):
    """Which subjects: those of a bucket, or of all buckets."""

    bucket_index: int | None = None
    interval_start: datetime | None = None
    breakdown: tuple[str, ...] | Literal["other"] | None = None
