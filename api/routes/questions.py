"""The questions over HTTP: for each kind its answer, the people behind one of its numbers, and its SQL.

The endpoints of all kinds are made here from their types: a new kind is described and validated like the others.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import field, make_dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends
from fastapi.responses import Response
from pydantic import TypeAdapter

from api.routes.as_of import as_of_parameters
from api.settings import Settings
from models.answers import SqlStatement
from models.asking import Answer, ask, ask_people, rows_sql, scope_of
from models.calendar import Calendar
from models.columns import Absent
from models.keeping import KeptAnswers
from models.kinds import KINDS
from models.questions import Question, QuestionKind
from models.sales_path import KIND as SALES_PATH
from models.sales_path import SalesPathQuestion
from models.subjects import SubjectKind
from warehouse.one_id.worlds import World
from warehouse.snapshot import DuckDBSnapshot

OpenSnapshot = Callable[[World | None], AbstractContextManager[DuckDBSnapshot]]
LISTED_PEOPLE = 100


def create_questions(settings: Settings, calendar: Calendar, snapshot: OpenSnapshot, kept: KeptAnswers) -> APIRouter:
    """Three endpoints for each kind of question."""
    router = APIRouter()
    for kind in KINDS:
        _add(router, kind, settings, calendar, snapshot, kept)
    return router


def prepare(question: Question, settings: Settings) -> tuple[Question, Absent]:
    """The question as it is asked of a project: a sales path without stages is the project's.

    The project's stages may name events and properties that nobody has sent yet.
    """
    if isinstance(question, SalesPathQuestion) and not question.stages:
        return replace(question, stages=settings.project.stages), "missing"
    return question, "refuse"


def _add(
    router: APIRouter,
    kind: QuestionKind[Any],
    settings: Settings,
    calendar: Calendar,
    snapshot: OpenSnapshot,
    kept: KeptAnswers,
) -> None:
    name = kind.question.__name__.removesuffix("Question")
    shared = [("watermark", str), ("sql", tuple[SqlStatement, ...])]
    row: Any = kind.row
    answer_type = make_dataclass(
        f"{name}Answer",
        [("question", kind.question), *shared, ("rows", tuple[row, ...])],
    )
    people_type = make_dataclass(
        f"{name}People",
        [("question", kind.question), ("of", kind.number), *shared, ("count", int), ("subjects", tuple[str, ...])],
    )
    request_type = make_dataclass(
        f"{name}PeopleRequest",
        [("question", kind.question), ("of", kind.number), ("limit", int, field(default=LISTED_PEOPLE))],
    )
    as_answer: TypeAdapter[Any] = TypeAdapter(answer_type)
    as_people: TypeAdapter[Any] = TypeAdapter(people_type)
    AskedWorld = Annotated[World | None, Depends(as_of_parameters(settings.project.project.timezone))]  # noqa: N806  # a type
    Asked = Annotated[kind.question, Body()]  # type: ignore[name-defined]  # noqa: N806  # a type, of this kind
    PeopleAsked = Annotated[request_type, Body()]  # type: ignore[valid-type]  # noqa: N806  # a type, of this kind

    @router.post(f"/{kind.name}", response_model=answer_type, summary=kind.summary, name=kind.name)
    def answer(question: Asked, world: AskedWorld = None) -> Response:
        with snapshot(world) as found:
            prepared, absent = prepare(question, settings)
            said = (
                kept.ask(kind, prepared, found, calendar, absent, version=found.version)
                if world is None
                else ask(kind, prepared, found, calendar, absent)
            )
        return _json(as_answer, said)

    @router.post(f"/{kind.name}/people", response_model=people_type, summary=f"Who is behind a number of {kind.name}.")
    def people(request: PeopleAsked, world: AskedWorld = None) -> Response:
        asked: Any = request
        with snapshot(world) as found:
            prepared, absent = prepare(asked.question, settings)
            said = ask_people(kind, prepared, asked.of, found, calendar, limit=asked.limit, absent=absent)
        return _json(as_people, said)

    @router.post(f"/{kind.name}/sql", summary=f"The statement that answers {kind.name}, without running it.")
    def sql(question: Asked) -> tuple[SqlStatement, ...]:
        with snapshot(None) as found:
            prepared, absent = prepare(question, settings)
            scope = scope_of(prepared, found, calendar, absent)
        return (SqlStatement(kind.name, rows_sql(kind, prepared, scope)),)


def _json(adapter: TypeAdapter[Any], said: Any) -> Response:
    """Written by its type, and not read again: nobody but us made it."""
    return Response(adapter.dump_json(said, warnings=False), media_type="application/json")


def answer_project_path(by: SubjectKind, settings: Settings, calendar: Calendar, found: DuckDBSnapshot) -> Answer:
    """The sales path of the project's stages."""
    question = SalesPathQuestion(stages=settings.project.stages, by=by)
    return ask(SALES_PATH, question, found, calendar, "missing")
