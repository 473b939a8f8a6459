"""The types in which each kind of question travels: read, written and described from the kind's own dataclasses.

Made when a kind is first asked for: making those of all kinds takes a second, and a command asks one of them.
"""

import json
from dataclasses import dataclass, field, make_dataclass
from functools import cache
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import TypeAdapter, ValidationError

from api.asking import json_problem
from api.routes.explaining import explain_errors
from models.answers import SqlStatement
from models.errors import QuestionError
from models.kinds import KINDS
from models.parts import Part
from models.questions import QuestionKind

LISTED_PEOPLE = 100
_REFERENCE = "#/components/schemas/{model}"


@dataclass(frozen=True)
class KindTypes:
    """What is sent to the three endpoints of a kind, and what they answer."""

    kind: QuestionKind[Any]
    request: type[Any]
    question: TypeAdapter[Any]
    answer: TypeAdapter[Any]
    people_request: TypeAdapter[Any]
    people: TypeAdapter[Any]
    statements: TypeAdapter[Any]

    @property
    def endpoints(self) -> dict[str, tuple[TypeAdapter[Any], TypeAdapter[Any]]]:
        """Request and answer, by what follows the name of the kind in the path."""
        return {
            "": (self.question, self.answer),
            "/people": (self.people_request, self.people),
            "/sql": (self.question, self.statements),
        }


@cache
def types_of(kind: QuestionKind[Any]) -> KindTypes:
    """The types of one kind."""
    name = kind.question.__name__.removesuffix("Question")
    shared = [("watermark", str), ("sql", tuple[SqlStatement, ...])]
    asked: list[tuple[str, Any]] = [("question", kind.question)]
    of: list[tuple[str, Any]] = [*asked, ("of", kind.number)]
    row: Any = kind.row
    answer = make_dataclass(f"{name}Answer", [*asked, *shared, ("rows", tuple[row, ...])])
    limit = ("limit", int, field(default=LISTED_PEOPLE))
    request = make_dataclass(f"{name}PeopleRequest", [*of, limit], bases=(Part,))
    people = make_dataclass(f"{name}People", [*of, *shared, ("count", int), ("subjects", tuple[str, ...])])
    types = (kind.question, answer, request, people, tuple[SqlStatement, ...])
    return KindTypes(kind, request, *map(TypeAdapter, types))


async def _json_body(http: Request) -> Any:
    """The body as JSON; raises RequestValidationError as every endpoint does."""
    body = await http.body()
    if not body or "json" not in http.headers.get("content-type", ""):
        raise RequestValidationError([{"type": "missing", "loc": ("body",), "msg": "Field required"}])
    try:
        return json.loads(body)
    except ValueError as error:
        found = {"type": "json_invalid", "loc": ("body",), "msg": json_problem(error)}
        raise RequestValidationError([found]) from error


JsonBody = Annotated[Any, Depends(_json_body)]


def read_question(types: KindTypes, body: Any) -> Any:
    """A body as a question of the kind; raises QuestionError that says what is wrong with it."""
    return _read(types.question, types.kind.question, body)


def read_people_request(types: KindTypes, body: Any) -> Any:
    """A body as a request for the people of a number; raises QuestionError that says what is wrong with it."""
    return _read(types.people_request, types.request, body)


def _read(adapter: TypeAdapter[Any], root: type[Any], body: Any) -> Any:
    try:
        return adapter.validate_python(body)
    except ValidationError as error:
        errors = [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
        raise QuestionError(explain_errors(errors, root)) from error


def write(adapter: TypeAdapter[Any], said: Any) -> Response:
    """An answer by its type, and not checked again: nobody but us made it."""
    return Response(adapter.dump_json(said, warnings=False), media_type="application/json")


def describe_questions(app: FastAPI, prefix: str) -> None:
    """Add what the endpoints of all kinds take and answer to the documentation of `app`, once somebody asks for it."""
    build = app.openapi

    def openapi() -> dict[str, Any]:
        schema = build()
        operations, components = _described()
        for path, operation in operations.items():
            schema["paths"][prefix + path]["post"] |= operation
        schema.setdefault("components", {}).setdefault("schemas", {}).update(components)
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend its schema


@cache
def _described() -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """requestBody and responses by path, and the schemas that they refer to."""
    endpoints = {f"/{kind.name}{path}": pair for kind in KINDS for path, pair in types_of(kind).endpoints.items()}
    inputs = [((path, "request"), "validation", request) for path, (request, _) in endpoints.items()]
    answers = [((path, "answer"), "serialization", answer) for path, (_, answer) in endpoints.items()]
    schemas, definitions = TypeAdapter.json_schemas([*inputs, *answers], ref_template=_REFERENCE)  # type: ignore[list-item]  # the modes are literals
    operations = {
        path: {
            "requestBody": {"required": True, "content": _json(schemas[(path, "request"), "validation"])},
            "responses": {
                "200": {"description": "The answer.", "content": _json(schemas[(path, "answer"), "serialization"])},
                "422": {"description": "What is wrong with the question, in a sentence."},
            },
        }
        for path in endpoints
    }
    return operations, definitions.get("$defs", {})


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
