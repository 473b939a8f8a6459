"""The questions over HTTP: for each kind its answer, the people behind one of its numbers, and its SQL.

All kinds share them: a new kind is described and validated like the others.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from api.routes.as_of import as_of_parameters
from api.routes.question_types import ANY_KIND, JsonBody, read_people_request, read_question, types_of, write
from api.settings import Settings
from models.answers import SqlStatement
from models.asking import Answer, ask, ask_people, rows_sql, scope_of
from models.calendar import Calendar
from models.columns import Absent
from models.keeping import KeptAnswers
from models.kinds import KIND_OF
from models.known_names import has_come
from models.questions import Question
from models.sales_path import KIND as SALES_PATH
from models.sales_path import SalesPathQuestion
from models.subjects import SubjectKind
from warehouse.one_id.worlds import World
from warehouse.reader import Snapshot
from warehouse.snapshot import DuckDBSnapshot

OpenSnapshot = Callable[[World | None], AbstractContextManager[DuckDBSnapshot]]


def create_questions(settings: Settings, calendar: Calendar, snapshot: OpenSnapshot, kept: KeptAnswers) -> APIRouter:
    """Three endpoints for each kind of question; what comes and goes is described by `describe_questions`."""
    router = APIRouter()
    AskedWorld = Annotated[World | None, Depends(as_of_parameters(calendar))]  # noqa: N806  # a type
    post = partial(router.post, response_model=None)

    @post(ANY_KIND)
    def answer(kind: str, body: JsonBody, world: AskedWorld = None) -> Response:
        types = types_of(KIND_OF[kind])
        question = read_question(types, body)
        with snapshot(world) as found:
            prepared, absent = prepare(question, settings, found)
            said = (
                kept.ask(types.kind, prepared, found, calendar, absent, version=found.version)
                if world is None
                else ask(types.kind, prepared, found, calendar, absent)
            )
        return write(types.answer, said)

    @post(f"{ANY_KIND}/people")
    def people(kind: str, body: JsonBody, world: AskedWorld = None) -> Response:
        types = types_of(KIND_OF[kind])
        asked = read_people_request(types, body)
        with snapshot(world) as found:
            prepared, absent = prepare(asked.question, settings, found)
            said = ask_people(types.kind, prepared, asked.of, found, calendar, limit=asked.limit, absent=absent)
        return write(types.people, said)

    @post(f"{ANY_KIND}/sql")
    def sql(kind: str, body: JsonBody) -> Response:
        types = types_of(KIND_OF[kind])
        question = read_question(types, body)
        with snapshot(None) as found:
            prepared, absent = prepare(question, settings, found)
            scope = scope_of(prepared, found, calendar, absent)
        return write(types.statements, (SqlStatement(kind, rows_sql(types.kind, prepared, scope)),))

    return router


def prepare(question: Question, settings: Settings, found: Snapshot) -> tuple[Question, Absent]:
    """The question as it is asked of a project: a sales path without stages is the project's.

    The project's stages may name events and properties that nobody has sent yet; what is asked beside them may not.
    """
    if isinstance(question, SalesPathQuestion) and not question.stages:
        has_come(question, found, found.event_properties())
        return replace(question, stages=settings.project.stages), "missing"
    return question, "refuse"


def answer_project_path(by: SubjectKind, settings: Settings, calendar: Calendar, found: DuckDBSnapshot) -> Answer:
    """The sales path of the project's stages."""
    question = SalesPathQuestion(stages=settings.project.stages, by=by)
    return ask(SALES_PATH, question, found, calendar, "missing")
