"""What every question is made of: the events it sees, the statement it becomes, and the kinds of question there are.

A question is a frozen dataclass that refuses what cannot be asked; it becomes one statement over the public views whose
rows are the answer's rows, and a second one that lists who is behind each number.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, ClassVar, Final, Generic, TypeVar

from sqlglot import exp

from ingest.message import DEFAULT_ACCOUNT_TYPE
from models.calendar import ALL_TIME, Calendar, Period, WeekStart
from models.columns import Absent, Columns
from models.conditions import filter_conditions
from models.errors import QuestionError
from models.filters import Filter, PropertyFilter
from models.limits import MAX_FILTERS, require_short_lists
from models.matching import EventMatch
from models.parts import Part
from models.sessionizing import HALF_HOUR_OF_SILENCE, SessionCut, events_in_sessions
from models.sql import period_conditions, select
from models.subjects import Subject, SubjectKind
from warehouse.reader import EventProperty

QuestionT = TypeVar("QuestionT", bound="Question")
PartT = TypeVar("PartT")
OTHER: Final = "other"
"""In a number, the rest beyond a breakdown's limit; in rows it is null."""


@dataclass(frozen=True, kw_only=True)
class Question(Part):
    """What all questions share.

    Only events of `period` that pass every filter of `where` exist. `by` says whose path they make: see Subject;
    `by_property` names the property where it is one, `session` says where one session ends and the next begins.
    `timezone` and `week_start` stand in for the project's.
    """

    walks_sessions: ClassVar[bool] = False
    """Whether it follows its subjects session by session in any case."""

    period: Period = ALL_TIME
    where: tuple[Filter, ...] = ()
    by: SubjectKind = "person"
    account_type: str = DEFAULT_ACCOUNT_TYPE
    by_property: str | None = None
    session: SessionCut = HALF_HOUR_OF_SILENCE
    timezone: str | None = None
    week_start: WeekStart | None = None

    def __post_init__(self) -> None:
        self.subject  # noqa: B018  # refuses what nobody can be counted by
        self.calendar(Calendar())
        require_short_lists(self)
        filter_count = sum(1 for _ in parts_of(self, PropertyFilter))
        if filter_count > MAX_FILTERS:
            raise QuestionError(f"The question has {filter_count} filters in all: give at most {MAX_FILTERS}.")
        if self.walks_sessions and self.by == "session":
            raise QuestionError("This question goes session by session already: ask by 'person' or another subject.")
        if not self.walks_sessions and self.by != "session" and self.session != HALF_HOUR_OF_SILENCE:
            raise QuestionError("`session` says how sessions are cut: ask by 'session' to follow them.")

    @property
    def subject(self) -> Subject:
        """Whose path it asks for."""
        return Subject(self.by, self.account_type, self.by_property)

    def calendar(self, of_project: Calendar) -> Calendar:
        """The calendar it is asked in."""
        return Calendar(
            of_project.timezone if self.timezone is None else self.timezone,
            of_project.week_start if self.week_start is None else self.week_start,
        )

    def events_named(self) -> Iterator[frozenset[str]]:
        """The events that it means by name; of each the spellings it may have been sent with."""
        names = {match.event for match in parts_of(self, EventMatch) if match.event is not None}
        yield from (frozenset({name}) for name in sorted(names))


@dataclass(frozen=True)
class Scope:
    """What a question is asked in: the project's calendar, and the properties that events have carried.

    With `absent` "missing", an event or a property that nobody has sent yet is merely missing.
    """

    calendar: Calendar = field(default_factory=Calendar)
    properties: tuple[EventProperty, ...] = ()
    absent: Absent = "refuse"


class SeenEvents:
    """The events that exist for one question, as SQL: what its statement selects from."""

    def __init__(self, question: Question, scope: Scope) -> None:
        self.question = question
        self._scope = scope
        self.calendar = question.calendar(scope.calendar)
        self.subject = question.subject
        self.columns = Columns(scope.properties, absent=scope.absent, own_account_type=question.account_type)

    def rows(
        self,
        values: Mapping[str, exp.Expr],
        where: Iterable[exp.Expr] = (),
        *,
        period: Period | None = None,
        filtered: bool = True,
    ) -> exp.Select:
        """One row per event: subject_id and `values` by name; `period` stands in for the question's.

        Not `filtered`, also the events that the question's filters leave out.
        """
        query = select("select $subject as subject_id from events", self.subject.tables, subject=self._subject_id())
        query = query.select(*(exp.alias_(value, name) for name, value in values.items()), copy=False)
        conditions = [
            *period_conditions(self.question.period if period is None else period, self.calendar),
            *self.subject.conditions(self.columns),
            *(filter_conditions(self.question.where, self.columns) if filtered else ()),
            *where,
        ]
        return self.columns.join(query.where(*conditions, copy=False))

    @property
    def ctes(self) -> dict[str, exp.Query]:
        """What `rows` reads and joins to; first in the statement, asked for when all expressions have been built."""
        return {**self._session_ctes(), **self.columns.ctes}

    def _session_ctes(self) -> dict[str, exp.Query]:
        if self.subject.kind != "session":
            return {}
        columns = Columns(self._scope.properties, absent=self._scope.absent, prefix="session_")
        return events_in_sessions(self.question.session, columns, self.calendar)

    def _subject_id(self) -> exp.Expr:
        return self.subject.id_of(self.columns)


@dataclass(frozen=True)
class Statement:
    """What a question becomes.

    `rows` gives the answer's rows, `people` one row per number and subject behind it: subject_id beside the columns
    that say which number. Both read the CTEs; those named in `materialized` are computed once.
    """

    ctes: Mapping[str, exp.Query]
    rows: exp.Select
    people: exp.Select
    materialized: tuple[str, ...] = ()


def columns_named(question: Question, of: Any) -> dict[str, Any]:  # noqa: ARG001  # the question matters to some kinds
    """What a number says of its row, by column; the rest beyond a breakdown's limit is None, as it is in rows.

    What was left at its default is not held against a number: nobody asked for that.
    """
    said = {each.name: getattr(of, each.name) for each in fields(of) if getattr(of, each.name) != each.default}
    return {name: None if name == "breakdown" and value == OTHER else value for name, value in said.items()}


@dataclass(frozen=True)
class QuestionKind(Generic[QuestionT]):
    """One kind of question: its name in paths and commands, its types, and how it becomes a statement.

    `row` is a dataclass with a field per column of the statement's rows; `number` one that says which number somebody
    wants the people of, its fields columns of the statement's people, None where it does not matter. `columns_named`
    gives those by which its row is found; it raises QuestionError for a number that counts nobody.
    """

    name: str
    summary: str
    question: type[QuestionT]
    row: type[Any]
    number: type[Any]
    build: Callable[[QuestionT, Scope], Statement]
    columns_named: Callable[[QuestionT, Any], dict[str, Any]] = columns_named


def parts_of(question: object, kind: type[PartT]) -> Iterator[PartT]:
    """Everything of one type that a question is made of, wherever in it it stands."""
    if isinstance(question, kind):
        yield question
    if isinstance(question, tuple):
        for each in question:
            yield from parts_of(each, kind)
    elif is_dataclass(question):
        for each in fields(question):
            yield from parts_of(getattr(question, each.name), kind)
