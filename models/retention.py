"""N-period retention: of those who started in a day, week or month, how many returned in exactly the n-th one after.

Units are local calendar units of the project. Cells after the last unit do not exist: the table is a triangle.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, get_args

from ingest.message import DEFAULT_ACCOUNT_TYPE
from models.answers import SqlStatement
from models.calendar import ALL_TIME, Calendar, Period, TimeUnit
from models.columns import Columns
from models.errors import QuestionError, require_choice
from models.matching import ANY_EVENT, EventMatch
from models.retention_sql import build_retention_query
from models.subjects import Subject, SubjectKind
from warehouse.reader import EventProperty, Snapshot

RetentionMode = Literal["recurring", "first_time"]
MAX_PERIODS = 366


@dataclass(frozen=True)
class RetentionQuestion:
    """Who comes back.

    `recurring` puts a subject into every unit with a start event, `first_time` only into the unit of its first start
    event ever. The period is widened to whole units; without an end the last unit is the one that holds the newest
    event. `periods` is the number of columns after the cohort's own.
    """

    start: EventMatch = ANY_EVENT
    returning: EventMatch = ANY_EVENT
    unit: TimeUnit = "day"
    periods: int = 7
    mode: RetentionMode = "recurring"
    period: Period = ALL_TIME
    by: SubjectKind = "person"
    account_type: str = DEFAULT_ACCOUNT_TYPE

    def __post_init__(self) -> None:
        require_choice("unit", self.unit, get_args(TimeUnit))
        require_choice("mode", self.mode, get_args(RetentionMode))
        Subject(self.by, self.account_type)  # refuses what nobody can be counted by
        if not 0 <= self.periods <= MAX_PERIODS:
            raise QuestionError(f"periods is {self.periods}: ask for 0 to {MAX_PERIODS}.")

    @property
    def subject(self) -> Subject:
        """Whose path it asks for."""
        return Subject(self.by, self.account_type)


@dataclass(frozen=True)
class RetentionCohort:
    """The subjects who started in the unit whose first local day is `cohort_date`.

    Position n of `retained_counts` and `retention_rates` is the n-th unit after it; position 0 is the cohort itself.
    Rates are 0..1, null where the cohort is empty.
    """

    cohort_date: date
    cohort_size: int
    retained_counts: tuple[int, ...]
    retention_rates: tuple[float | None, ...]


@dataclass(frozen=True)
class RetentionAnswer:
    """One row per unit, oldest first, with what the numbers were computed from."""

    question: RetentionQuestion
    watermark: str
    sql: tuple[SqlStatement, ...]
    cohorts: tuple[RetentionCohort, ...]


def build_retention_sql(question: RetentionQuestion, calendar: Calendar, properties: list[EventProperty]) -> str:
    """One row per cohort and unit after it, without asking the warehouse; raises QuestionError."""
    return build_retention_query(
        start=question.start,
        returning=question.returning,
        unit=question.unit,
        periods=question.periods,
        first_time=question.mode == "first_time",
        period=question.period,
        subject=question.subject,
        calendar=calendar,
        columns=Columns(properties),
    )


def answer_retention(question: RetentionQuestion, calendar: Calendar, snapshot: Snapshot) -> RetentionAnswer:
    """Ask one snapshot of the warehouse; raises QuestionError when the question cannot be answered as asked."""
    question.subject.require_known(snapshot)
    sql = build_retention_sql(question, calendar, snapshot.event_properties())
    rows = snapshot.query(sql).to_pylist()
    return RetentionAnswer(
        question=question,
        watermark=snapshot.watermark,
        sql=(SqlStatement("retention_cells", sql),),
        cohorts=_cohorts(rows),
    )


def _cohorts(rows: list[dict[str, Any]]) -> tuple[RetentionCohort, ...]:
    cells_of: dict[date, list[dict[str, Any]]] = {}
    for row in rows:
        cells_of.setdefault(row["cohort_date"], []).append(row)
    return tuple(
        RetentionCohort(
            cohort_date=cohort_date,
            cohort_size=cells[0]["cohort_size"],
            retained_counts=tuple(cell["retained_count"] for cell in cells),
            retention_rates=tuple(cell["retention_rate"] for cell in cells),
        )
        for cohort_date, cells in cells_of.items()
    )
