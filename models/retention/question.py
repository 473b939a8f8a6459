"""How a question about retention is asked, and what its answer's rows are."""

from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Literal, get_args

from models.breakdown import Breakdown
from models.errors import QuestionError, require_choice
from models.filters import PropertyOf
from models.intervals import require_few_intervals
from models.matching import Step
from models.parts import Part
from models.questions import Question

RetentionInterval = Literal["hour", "day", "week", "month", "quarter", "year"]
RetentionMode = Literal["recurring", "first_time", "first_ever"]
Windows = Literal["calendar", "elapsed"]
PeriodZero = Literal["cohort", "returned", "returned_later"]
RetentionAttribution = Literal["all_events", "start"]
RetentionOutcome = Literal["retained", "churned"]

MAX_PERIODS = 366
ELAPSED_S = {"hour": 3600, "day": 86_400, "week": 604_800}


@dataclass(frozen=True)
class RetentionValue(PropertyOf):
    """A number to add up for every subject in every cell: then their sum, or their average, those without it as 0."""

    aggregate: Literal["sum", "average"] = field(default="sum", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice("aggregate", self.aggregate, ("sum", "average"))


@dataclass(frozen=True, kw_only=True)
class RetentionQuestion(Question):
    """Who comes back.

    `mode` "recurring" puts a subject into the cohort of every interval in which it has a start event, "first_time" only
    into that of its first start event ever, filters included, and "first_ever" into that of its first event of that
    name, if it passes the filters. The period is widened to whole intervals; without a start the table begins with the
    oldest cohort, without an end it ends with the interval of the newest event. Returns after the end count only with
    `extend_over_end`.

    Period n is the n-th interval after the cohort's, or with `windows` "elapsed" the n-th stretch of 1, 24 or 168 hours
    from each subject's own first start event of the table. `periods` is the last n; `brackets` (7, 23) ask for n 1 to 7
    and 8 to 30 instead. A subject returns in a period in which it has at least `min_occurrences` returning events;
    with `rolling` (some say unbounded), in every period up to the last of these. `period_0` says who counts there:
    everyone of the cohort, those with returning events in it, or those who have them later than their first start event
    in it.

    `attribution` "all_events" asks every group of the breakdown for its own events, so that a subject may be in several
    groups; "start" puts it where its first start event of the interval belongs, whatever comes after.
    """

    start: Step = field(default_factory=lambda: Step.of(None))
    returning: Step = field(default_factory=lambda: Step.of(None))
    interval: RetentionInterval = "day"
    periods: int = 7
    brackets: tuple[int, ...] = ()
    mode: RetentionMode = "recurring"
    windows: Windows = "calendar"
    rolling: bool = False
    min_occurrences: int = 1
    period_0: PeriodZero = "cohort"
    extend_over_end: bool = False
    value: RetentionValue | None = None
    breakdown: Breakdown | None = None
    attribution: RetentionAttribution = "all_events"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice("interval", self.interval, get_args(RetentionInterval))
        require_few_intervals(self.interval, self.period)
        require_choice("mode", self.mode, get_args(RetentionMode))
        require_choice("windows", self.windows, get_args(Windows))
        require_choice("period_0", self.period_0, get_args(PeriodZero))
        require_choice("attribution", self.attribution, get_args(RetentionAttribution))
        if not 0 <= self.periods <= MAX_PERIODS:
            raise QuestionError(f"periods is {self.periods}: ask for 0 to {MAX_PERIODS}.")
        if self.min_occurrences < 1:
            raise QuestionError(f"min_occurrences is {self.min_occurrences}: who returns has at least 1 event.")
        if any(length < 1 for length in self.brackets) or sum(self.brackets) > MAX_PERIODS:
            raise QuestionError(f"brackets are lengths of 1 or more, {MAX_PERIODS} together at most: {self.brackets}.")
        if self.windows == "elapsed" and self.interval not in ELAPSED_S:
            raise QuestionError(f"A {self.interval} has no fixed length: ask for elapsed hours, days or weeks.")
        if self.attribution == "start" and self.breakdown is None:
            raise QuestionError("attribution 'start' says which group somebody is in: name a breakdown too.")

    @property
    def columns(self) -> tuple[tuple[int, int], ...]:
        """The first and the last n of every column; the column of period 0 first."""
        if not self.brackets:
            return tuple((n, n) for n in range(self.periods + 1))
        ends = [sum(self.brackets[:count]) for count in range(len(self.brackets) + 1)]
        return ((0, 0), *((before + 1, last) for before, last in pairwise(ends)))

    @property
    def is_elapsed(self) -> bool:
        """Whether periods are counted from each subject's own start."""
        return self.windows == "elapsed"


@dataclass(frozen=True)
class RetentionRow:
    """The cohort that started in the interval at `cohort_start` (a local time), in one period after.

    Of `cohort_size` subjects `retained_count` returned and `churned_count` did not. Period `period_index` is the n from
    `first_interval` to `last_interval`, which differ in brackets only. `value` is what was asked to be added up. Rates
    are 0..1 and null where the cohort is empty; `average_retention_rate` is that of the whole column, its cohorts
    weighted by their sizes, without those that are not finished. `is_finished` is false where events may still come.
    """

    breakdown: tuple[str, ...] | None
    cohort_start: datetime
    cohort_size: int
    period_index: int
    first_interval: int
    last_interval: int
    retained_count: int
    retention_rate: float | None
    churned_count: int
    churn_rate: float | None
    average_retention_rate: float | None
    value: float | None
    is_finished: bool


@dataclass(frozen=True, kw_only=True)
class RetentionNumber(Part):
    """Whose list is wanted: those of a cohort who were retained in a period, or who were not."""

    cohort_start: datetime
    period_index: int = 0
    outcome: RetentionOutcome = "retained"
    breakdown: tuple[str, ...] | Literal["other"] | None = None
