"""What a question about sessions says, and what its answer's rows are."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal, get_args

from models.breakdown import Breakdown
from models.calendar import Interval
from models.errors import QuestionError, require_choice
from models.intervals import require_few_intervals
from models.matching import EventMatch
from models.parts import Part
from models.questions import Question

SessionEvent = Literal["entry", "exit"]


@dataclass(frozen=True)
class SessionsQuestion(Question):
    """Sessions of events that any of `any_of` means (empty: all), cut as `session` says.

    A session belongs to the `interval` in which it begins, and to the group of its first event (`attribution` "entry")
    or of its last ("exit"): by the field event_name, these are its entry and its exit event.
    """

    walks_sessions: ClassVar[bool] = True

    any_of: tuple[EventMatch, ...] = ()
    interval: Interval | None = None
    breakdown: Breakdown | None = None
    attribution: SessionEvent = "entry"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice("attribution", self.attribution, get_args(SessionEvent))
        require_few_intervals(self.interval, self.period)
        if self.breakdown is None and self.attribution != "entry":
            raise QuestionError(
                "attribution 'exit' says whose value splits the answer: name the properties in breakdown."
            )


@dataclass(frozen=True)
class SessionsRow:
    """The sessions that begin in one interval, of one group; `interval_start` is local, null without an interval.

    `events_per_session` is their depth, durations run from the first event to the last, and a session of a single event
    is a bounce. `bounced_subject_count` counts those with at least one.
    """

    breakdown: tuple[str, ...] | None
    interval_start: datetime | None
    session_count: int
    subject_count: int
    sessions_per_subject: float
    event_count: int
    events_per_session: float
    average_duration_s: float
    median_duration_s: float
    bounce_count: int
    bounced_subject_count: int
    bounce_rate: float


@dataclass(frozen=True)
class SessionsNumber(Part):
    """Those of a row's subject_count; with `is_bounce` true, of its bounced_subject_count."""

    interval_start: datetime | None = None
    is_bounce: bool | None = None
    breakdown: tuple[str, ...] | Literal["other"] | None = None
