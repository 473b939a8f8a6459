"""The sales path: when each person or account first entered each stage, how far they came, and what they skipped.

Stages need not be walked in order. What counts is the first entry into each, and the furthest one.
"""

from dataclasses import dataclass
from typing import Any

from ingest.message import DEFAULT_ACCOUNT_TYPE
from models.answers import SqlStatement
from models.calendar import ALL_TIME, Calendar, Period
from models.columns import Absent, Columns
from models.errors import QuestionError
from models.matching import Stage
from models.sales_path_sql import build_stage_entries_query, build_stage_totals_query
from models.subjects import Subject, SubjectKind
from warehouse.reader import EventProperty, Snapshot

MAX_STAGES = 30
MAX_WINDOW_S = 100 * 366 * 24 * 60 * 60


@dataclass(frozen=True)
class SalesPathQuestion:
    """How far subjects came along the stages.

    With `window_s`, an entry more than that many seconds after the subject's earliest entry does not count.
    """

    stages: tuple[Stage, ...]
    period: Period = ALL_TIME
    window_s: float | None = None
    by: SubjectKind = "person"
    account_type: str = DEFAULT_ACCOUNT_TYPE

    def __post_init__(self) -> None:
        Subject(self.by, self.account_type)  # refuses what nobody can be counted by
        if not 1 <= len(self.stages) <= MAX_STAGES:
            raise QuestionError(f"A sales path has 1 to {MAX_STAGES} stages, not {len(self.stages)}.")
        names = [stage.name for stage in self.stages]
        if len(set(names)) < len(names):
            raise QuestionError(f"Two stages share a name in {names!r}: give each its own.")
        if self.window_s is not None and not 0 < self.window_s <= MAX_WINDOW_S:
            raise QuestionError(f"window_s is {self.window_s!r}: give seconds, more than 0, or leave it out for none.")

    @property
    def subject(self) -> Subject:
        """Whose path it asks for."""
        return Subject(self.by, self.account_type)


@dataclass(frozen=True)
class StageTotals:
    """One stage of the path, in numbers of subjects.

    entered: were in it; reached: their furthest stage is this one or a later one; furthest_here: exactly this one;
    skipped: came further without ever entering it; out_of_order: entered it before some earlier stage that they also
    entered. Rates are 0..1 of reached, null where there is nobody to convert. The median, in seconds, is over those
    who entered the directly preceding stage and then this one.
    """

    stage_index: int
    stage_name: str
    entered: int
    reached: int
    furthest_here: int
    skipped: int
    out_of_order: int
    conversion_rate: float | None
    step_conversion_rate: float | None
    median_time_from_previous_s: float | None


@dataclass(frozen=True)
class SalesPathAnswer:
    """The path's stages in order, with what the numbers were computed from; `subject_count` is everyone on the path."""

    question: SalesPathQuestion
    watermark: str
    sql: tuple[SqlStatement, ...]
    subject_count: int
    stages: tuple[StageTotals, ...]


def build_stage_entries_sql(question: SalesPathQuestion, calendar: Calendar, properties: list[EventProperty]) -> str:
    """One row per subject and stage it entered: subject_id, stage_index, stage_name, first_entered_at (UTC)."""
    return build_stage_entries_query(
        stages=question.stages,
        period=question.period,
        window_s=question.window_s,
        subject=question.subject,
        calendar=calendar,
        columns=Columns(properties),
    )


def build_sales_path_sql(
    question: SalesPathQuestion, calendar: Calendar, properties: list[EventProperty], absent: Absent = "refuse"
) -> str:
    """One row per stage, without asking the warehouse; raises QuestionError."""
    return build_stage_totals_query(
        stages=question.stages,
        period=question.period,
        window_s=question.window_s,
        subject=question.subject,
        calendar=calendar,
        columns=Columns(properties, absent=absent),
    )


def answer_sales_path(
    question: SalesPathQuestion, calendar: Calendar, snapshot: Snapshot, absent: Absent = "refuse"
) -> SalesPathAnswer:
    """Ask one snapshot of the warehouse; raises QuestionError when the question cannot be answered as asked.

    With `absent` "missing", a stage may filter on a property that no event has carried yet.
    """
    question.subject.require_known(snapshot)
    sql = build_sales_path_sql(question, calendar, snapshot.event_properties(), absent)
    rows: list[dict[str, Any]] = snapshot.query(sql).to_pylist()
    stages = tuple(StageTotals(**row) for row in rows)
    return SalesPathAnswer(
        question=question,
        watermark=snapshot.watermark,
        sql=(SqlStatement("stage_totals", sql),),
        subject_count=stages[0].reached,
        stages=stages,
    )
