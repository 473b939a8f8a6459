"""The types in which each kind of question travels: read and written by the kind's own dataclasses.

Made when a kind is first asked for: making those of all kinds takes a second, and a command asks one of them.
"""

import json
from dataclasses import dataclass, field, make_dataclass
from functools import cache
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import TypeAdapter, ValidationError
from starlette.convertors import Convertor, register_url_convertor

from api.json_texts import json_problem, read_json
from api.routes.explaining import explain_errors
from models.answers import SqlStatement
from models.errors import QuestionError
from models.kinds import KIND_OF
from models.parts import Part
from models.questions import QuestionKind

LISTED_PEOPLE = 100
ANY_KIND = "/{kind:kind}"
"""The path of a question: one route serves all kinds, for a route takes milliseconds to make."""


class _KindConvertor(Convertor[str]):
    """The names of the kinds, and nothing else, as a part of a path."""

    regex = "|".join(KIND_OF)

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("kind", _KindConvertor())


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
    """The body as JSON; raises RequestValidationError as every endpoint does, and QuestionError."""
    body = await http.body()
    if not body or "json" not in http.headers.get("content-type", ""):
        raise RequestValidationError([{"type": "missing", "loc": ("body",), "msg": "Field required"}])
    try:
        return read_json(body)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
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
