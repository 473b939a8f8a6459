"""Asking: a question and a snapshot in, the answer out; and the people behind one of its numbers."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import polars as pl
import pyarrow as pa
from sqlglot import exp

from models.answers import SqlStatement
from models.calendar import Calendar
from models.columns import Absent
from models.errors import QuestionError
from models.known_names import has_come
from models.limits import MAX_ROWS
from models.missing_numbers import require_in_rows
from models.patterns import require_patterns
from models.questions import OTHER, Question, QuestionKind, QuestionT, Scope, Statement
from models.sql import fragment, literal, render, select
from warehouse.reader import Snapshot

MAX_PEOPLE = 10_000

_PEOPLE = "select distinct cast(subject_id as varchar) as subject_id from people order by subject_id"
_PEOPLE_COUNT = "select count(distinct subject_id) as people_count from people"


@dataclass(frozen=True)
class Answer:
    """The rows of an answer, with the question, the watermark of the data and the SQL that gives them."""

    question: Any
    watermark: str
    sql: tuple[SqlStatement, ...]
    rows: tuple[Any, ...]


@dataclass(frozen=True)
class People:
    """The subjects behind one number: all of them are counted, the first `limit` listed in the order of their ids."""

    question: Any
    of: Any
    watermark: str
    sql: tuple[SqlStatement, ...]
    count: int
    subjects: tuple[str, ...]


def ask(
    kind: QuestionKind[QuestionT],
    question: QuestionT,
    snapshot: Snapshot,
    calendar: Calendar,
    absent: Absent = "refuse",
) -> Answer:
    """The whole answer; raises QuestionError when the question cannot be answered as asked."""
    sql = rows_sql(kind, question, scope_of(question, snapshot, calendar, absent))
    found = snapshot.query(f"{sql}\nlimit {MAX_ROWS + 1}")
    if found.num_rows > MAX_ROWS:
        raise QuestionError(
            f"The answer has more than {MAX_ROWS:,} rows: give the breakdown a limit, or ask a longer interval or a "
            "shorter period."
        )
    rows = tuple(kind.row(**row) for row in _values_of(found))
    return Answer(question, snapshot.watermark, (SqlStatement(kind.name, sql),), rows)


def ask_frame(
    kind: QuestionKind[QuestionT],
    question: QuestionT,
    snapshot: Snapshot,
    calendar: Calendar,
    absent: Absent = "refuse",
) -> pl.DataFrame:
    """The answer's rows as a frame."""
    sql = rows_sql(kind, question, scope_of(question, snapshot, calendar, absent))
    frame = pl.from_arrow(snapshot.query(sql))
    assert isinstance(frame, pl.DataFrame)
    return frame


def ask_people(
    kind: QuestionKind[QuestionT],
    question: QuestionT,
    of: Any,
    snapshot: Snapshot,
    calendar: Calendar,
    *,
    limit: int = MAX_PEOPLE,
    absent: Absent = "refuse",
) -> People:
    """Who is behind the number that `of`, a `kind.number`, says: exactly as many as the number.

    Raises QuestionError where the answer has no such number.
    """
    if not 0 <= limit <= MAX_PEOPLE:
        raise QuestionError(f"limit is {limit}: ask for 0 to {MAX_PEOPLE} people, or take all by the SQL of the list.")
    of_rows = _in_local_time(of, question.calendar(calendar))
    wanted = kind.columns_named(question, of_rows)
    statement = kind.build(question, scope_of(question, snapshot, calendar, absent))
    listed = _people_sql(statement, of_rows, _PEOPLE)
    count = snapshot.query(_people_sql(statement, of_rows, _PEOPLE_COUNT))["people_count"][0].as_py()
    if not count:
        require_in_rows(wanted, _values_of(snapshot.query(_rows_sql(statement))))
    subjects = snapshot.query(f"{listed}\nlimit {limit}")["subject_id"].to_pylist()
    return People(question, of, snapshot.watermark, (SqlStatement("people", listed),), count, tuple(subjects))


def rows_sql(kind: QuestionKind[QuestionT], question: QuestionT, scope: Scope) -> str:
    """The statement that gives the answer's rows, without asking anybody."""
    return _rows_sql(kind.build(question, scope))


def scope_of(question: Question, snapshot: Snapshot, calendar: Calendar, absent: Absent = "refuse") -> Scope:
    """What the question is asked in; raises QuestionError where it names what nobody has ever sent.

    That is an event, a property, or an account type; events and properties that the plan declares are merely missing.
    """
    question.subject.require_known(snapshot)
    require_patterns(question, snapshot)
    properties = tuple(snapshot.event_properties())
    if absent == "refuse" and not has_come(question, snapshot, properties):
        absent = "missing"
    return Scope(calendar, properties, absent)


def _in_local_time(of: Any, calendar: Calendar) -> Any:
    """The number with its times as rows say them."""
    times = {name: value for name, value in vars(of).items() if isinstance(value, datetime)}
    return replace(of, **{name: calendar.local_clock(value) for name, value in times.items()})


def _values_of(rows: pa.Table) -> list[dict[str, Any]]:
    try:
        values: list[dict[str, Any]] = rows.to_pylist()
    except OverflowError as error:
        raise QuestionError(
            "The answer has intervals that begin outside the years 1 to 9999: ask for others."
        ) from error
    return values


def _rows_sql(statement: Statement) -> str:
    return render(statement.ctes, statement.rows, materialized=statement.materialized)


def _people_sql(statement: Statement, of: Any, final: str) -> str:
    """The list behind one number: the people of the columns that `of` says."""
    people = statement.people.copy()
    wanted = {name: value for name, value in asdict(of).items() if value is not None}
    conditions = [_is_number(name, value) for name, value in wanted.items()]
    chosen = select("select subject_id from all_people").where(*conditions, copy=False)
    ctes = {**statement.ctes, "all_people": people, "people": chosen}
    return render(ctes, select(final), materialized=statement.materialized)


def _is_number(name: str, value: Any) -> exp.Expr:
    column = exp.column(name)
    if value == OTHER and name == "breakdown":
        return fragment("$column is null", column=column)
    if isinstance(value, tuple):
        return exp.EQ(this=column, expression=exp.array(*map(literal, value)))
    return exp.EQ(this=column, expression=literal(value))
