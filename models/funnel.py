"""The ordered funnel: how many persons (or accounts) go from step to step within a window, and how long they take.

Every event of the first step starts an attempt; the subject's deepest attempt speaks for it (docs/concepts/funnel.md).
"""

from dataclasses import dataclass
from typing import Any

from ingest.message import DEFAULT_ACCOUNT_TYPE
from models.answers import SqlStatement
from models.calendar import ALL_TIME, Calendar, Period
from models.columns import Columns
from models.errors import QuestionError
from models.funnel_sql import build_funnel_query
from models.matching import Step
from models.subjects import Subject, SubjectKind
from warehouse.reader import EventProperty, Snapshot

DAY_S = 24 * 60 * 60
MAX_STEPS = 30
MAX_WINDOW_S = 100 * 366 * DAY_S


@dataclass(frozen=True)
class FunnelQuestion:
    """An ordered funnel.

    A step counts when it comes at most `conversion_window_s` seconds after the attempt's first event. Only events of
    the period exist. `breakdown` names an event property: each subject belongs to the first non-empty value on its
    matching events; with `breakdown_limit` all but the largest groups become 'Other'.
    """

    steps: tuple[Step, ...]
    conversion_window_s: float = 14 * DAY_S
    period: Period = ALL_TIME
    by: SubjectKind = "person"
    breakdown: str | None = None
    breakdown_limit: int | None = None
    account_type: str = DEFAULT_ACCOUNT_TYPE

    def __post_init__(self) -> None:
        Subject(self.by, self.account_type)  # refuses what nobody can be counted by
        if not 1 <= len(self.steps) <= MAX_STEPS:
            raise QuestionError(f"A funnel has 1 to {MAX_STEPS} steps, not {len(self.steps)}.")
        if not 0 < self.conversion_window_s <= MAX_WINDOW_S:
            raise QuestionError(f"conversion_window_s is {self.conversion_window_s!r}: give seconds, more than 0.")
        if self.breakdown_limit is not None and (self.breakdown is None or self.breakdown_limit < 1):
            raise QuestionError("breakdown_limit needs a breakdown and is at least 1.")

    @property
    def subject(self) -> Subject:
        """Whose path it asks for."""
        return Subject(self.by, self.account_type)


@dataclass(frozen=True)
class FunnelStep:
    """How one step went: `count` subjects took it; rates are 0..1, null where nobody could have converted.

    The times, in seconds since the previous step, are over the subjects counted; the first step has none.
    """

    step_index: int
    step_name: str
    count: int
    conversion_rate: float | None
    step_conversion_rate: float | None
    median_time_from_previous_s: float | None
    average_time_from_previous_s: float | None


@dataclass(frozen=True)
class FunnelGroup:
    """The steps of the subjects with one value of the breakdown ('' where it is missing; null without breakdown)."""

    breakdown_value: str | None
    steps: tuple[FunnelStep, ...]


@dataclass(frozen=True)
class FunnelAnswer:
    """The funnel's numbers, largest group first, with what they were computed from."""

    question: FunnelQuestion
    watermark: str
    sql: tuple[SqlStatement, ...]
    groups: tuple[FunnelGroup, ...]


def build_funnel_sql(question: FunnelQuestion, calendar: Calendar, properties: list[EventProperty]) -> str:
    """One row per group and step, without asking the warehouse; raises QuestionError."""
    return build_funnel_query(
        steps=question.steps,
        conversion_window_s=question.conversion_window_s,
        period=question.period,
        subject=question.subject,
        breakdown=question.breakdown,
        breakdown_limit=question.breakdown_limit,
        calendar=calendar,
        columns=Columns(properties),
    )


def answer_funnel(question: FunnelQuestion, calendar: Calendar, snapshot: Snapshot) -> FunnelAnswer:
    """Ask one snapshot of the warehouse; raises QuestionError when the question cannot be answered as asked."""
    question.subject.require_known(snapshot)
    sql = build_funnel_sql(question, calendar, snapshot.event_properties())
    rows = snapshot.query(sql).to_pylist()
    return FunnelAnswer(
        question=question,
        watermark=snapshot.watermark,
        sql=(SqlStatement("funnel_steps", sql),),
        groups=_groups(rows),
    )


def _groups(rows: list[dict[str, Any]]) -> tuple[FunnelGroup, ...]:
    steps_of: dict[str | None, list[FunnelStep]] = {}
    for row in rows:
        group = row.pop("breakdown_value", None)
        steps_of.setdefault(group, []).append(FunnelStep(**row))
    return tuple(FunnelGroup(group, tuple(steps)) for group, steps in steps_of.items())
