"""Sessions: each subject's events cut into stretches, by silence, by events that open and close, and by midnight.

One computation for every question that reads sessions: give it a CTE of events, get the same rows numbered.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from sqlglot import exp

from models.calendar import Calendar
from models.columns import Columns
from models.conditions import matches_any
from models.errors import QuestionError, require_choice
from models.matching import EventMatch
from models.parts import Part
from models.sql import any_of, fragment, local_time, select
from models.subjects import EVENTS_IN_SESSIONS

DEFAULT_GAP_S = 1800.0
MAX_GAP_S = 10 * 366 * 86_400.0

ExactGap = Literal["cuts", "holds"]


@dataclass(frozen=True)
class SessionCut(Part):
    """Where one session ends and the next begins.

    `gap_s` seconds without an event cut (None: no silence does); `exact_gap` "holds" asks for more than that. An event
    of `start_events` opens a session, one of `end_events` belongs to the session that it closes. With `split_by_day` a
    session also ends at midnight of the question's calendar.
    """

    gap_s: float | None = DEFAULT_GAP_S
    exact_gap: ExactGap = "cuts"
    start_events: tuple[EventMatch, ...] = ()
    end_events: tuple[EventMatch, ...] = ()
    split_by_day: bool = False

    def __post_init__(self) -> None:
        require_choice("exact_gap", self.exact_gap, get_args(ExactGap))
        if self.gap_s is not None and not (math.isfinite(self.gap_s) and 0 < self.gap_s <= MAX_GAP_S):
            raise QuestionError(
                f"gap_s is {self.gap_s}: give seconds above 0, at most ten years, or null where silence cuts nothing."
            )

    def flags(self, columns: Columns) -> dict[str, exp.Expr]:
        """What the rows to be cut must carry beside subject_id, event_at and log_order."""
        flags = {"opens_session": self.start_events, "closes_session": self.end_events}
        return {name: matches_any(matches, columns) for name, matches in flags.items() if matches}


HALF_HOUR_OF_SILENCE = SessionCut()


def session_ctes(
    cut: SessionCut, rows: str, calendar: Calendar, previous: Iterable[str] = ()
) -> Mapping[str, exp.Query]:
    """CTEs that end in session_events: the rows of the CTE `rows` with session_number and event_number.

    Both count from 1 within each subject; event_number is the order of the events.

    The rows have the flags of `cut`. Each column named in `previous` comes with previous_NAME, its value in the row
    before within the session; null in the first.
    """
    cut_events = select(_CUT_EVENTS, {"rows_to_cut": rows}, begins=_begins_session(cut, calendar))
    for name in previous:
        cut_events = cut_events.select(
            fragment(
                f"case when not begins_session then lag($column) over in_order end as previous_{name}",
                column=exp.column(name),
            ),
            copy=False,
        )
    return {"cut_events": cut_events, "session_events": select(_SESSION_EVENTS)}


_EVENTS_IN_SESSIONS = """
select * exclude ({cut_columns}), person_id || '/' || session_number as session_id
from session_events
"""
_CUT_COLUMNS = ("subject_id", "begins_session", "event_number", "session_number")


def events_in_sessions(cut: SessionCut, columns: Columns, calendar: Calendar) -> dict[str, exp.Query]:
    """CTEs that end in EVENTS_IN_SESSIONS: every event there is with session_id, the session of its person.

    Sessions are cut from all events of a person, whatever a question asks about; `columns` are for these CTEs alone.
    What they were cut by is no column of the events: a question may call its own by the same names.
    """
    flags = cut.flags(columns)
    events = select("select events.*, events.person_id as subject_id from events")
    events = columns.join(events.select(*(exp.alias_(is_meant, name) for name, is_meant in flags.items())))
    cut_columns = ", ".join((*_CUT_COLUMNS, *flags))
    return {
        **columns.ctes,
        "events_to_cut": events,
        **session_ctes(cut, "events_to_cut", calendar),
        EVENTS_IN_SESSIONS: select(_EVENTS_IN_SESSIONS.format(cut_columns=cut_columns)),
    }


_CUT_EVENTS = """
select *, $begins as begins_session, row_number() over in_order as event_number
from rows_to_cut
window in_order as (partition by subject_id order by event_at, log_order)
"""

_SESSION_EVENTS = """
select
    *,
    sum(cast(begins_session as int)) over (
        partition by subject_id
        order by event_number
        rows between unbounded preceding and current row
    ) as session_number
from cut_events
"""


def _begins_session(cut: SessionCut, calendar: Calendar) -> exp.Expr:
    conditions = [fragment("lag(event_at) over in_order is null")]
    if cut.gap_s is not None:
        compared = ">=" if cut.exact_gap == "cuts" else ">"
        silence = f"epoch_us(event_at) - epoch_us(lag(event_at) over in_order) {compared} $gap_us"
        conditions.append(fragment(silence, gap_us=round(cut.gap_s * 1_000_000)))
    if cut.start_events:
        conditions.append(fragment("opens_session"))
    if cut.end_events:
        conditions.append(fragment("lag(closes_session) over in_order"))
    if cut.split_by_day:
        today = exp.cast(local_time(exp.column("event_at"), calendar), "date")
        day_before = exp.cast(local_time(fragment("lag(event_at) over in_order"), calendar), "date")
        conditions.append(exp.NEQ(this=today, expression=day_before))
    return any_of(conditions)
