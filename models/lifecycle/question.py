"""How a question about the lifecycle is asked, and what its answer's rows are."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from models.breakdown import Breakdown
from models.calendar import Interval
from models.errors import QuestionError, require_choice
from models.filters import PropertyOf
from models.intervals import require_few_intervals
from models.matching import ANY_EVENT, EventMatch
from models.parts import Part
from models.questions import Question

CreatedBy = Literal["first_event", "first_match", "property"]
LifecycleStatus = Literal["new", "returning", "resurrecting", "dormant"]


@dataclass(frozen=True, kw_only=True)
class LifecycleQuestion(Question):
    """Who is new, who returns, who comes back after a pause, and who has stopped, interval by interval.

    Active is who has an event in the interval that matches any of `any_of`. New is who is active in the interval it was
    created in: that of its first event ever, of whatever name ("first_event"); that of its first event that matches and
    passes the question's filters, also before the period ("first_match"); or the one that holds the moment in
    `created_property` ("property"). The period is widened to whole intervals, and the interval before it is looked at.
    """

    any_of: tuple[EventMatch, ...] = (ANY_EVENT,)
    interval: Interval = "day"
    created_by: CreatedBy = "first_event"
    created_property: PropertyOf | None = None
    breakdown: Breakdown | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_few_intervals(self.interval, self.period)
        require_choice("created_by", self.created_by, get_args(CreatedBy))
        if not self.any_of:
            raise QuestionError("A lifecycle needs at least one event in any_of; leave it out to mean any event.")
        if self.created_by == "property" and self.created_property is None:
            raise QuestionError("created_by 'property' needs created_property: one that holds when each was created.")
        if self.created_by != "property" and self.created_property is not None:
            raise QuestionError(f"created_property is read only with created_by 'property', not {self.created_by!r}.")


@dataclass(frozen=True)
class LifecycleRow:
    """The subjects of each status in the interval that starts at `interval_start`, a local time.

    New, returning (active in the interval before, too) and resurrecting (not active in it) make up all who are active;
    dormant are those active only in the interval before. `is_finished` is false where events may still come.
    `breakdown` has a text per property, null for the rest beyond the limit.
    """

    breakdown: tuple[str, ...] | None
    interval_start: datetime
    new_count: int
    returning_count: int
    resurrecting_count: int
    dormant_count: int
    is_finished: bool


@dataclass(frozen=True, kw_only=True)
class LifecycleNumber(Part):
    """Whose list is wanted: those of one status in one interval, in one group or in all."""

    interval_start: datetime
    status: LifecycleStatus
    breakdown: tuple[str, ...] | Literal["other"] | None = None
