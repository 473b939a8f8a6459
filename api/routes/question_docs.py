"""OpenAPI documentation of the questions: three endpoints of each kind, with the schemas of what they take and answer.

All kinds are served by the same three routes, which FastAPI describes once, and without their types.
"""

from functools import cache
from typing import Any

from fastapi import FastAPI
from pydantic import TypeAdapter

from api.routes.question_types import KindTypes, types_of
from models.kinds import KINDS
from models.questions import QuestionKind

_REFERENCE = "#/components/schemas/{model}"
_SUMMARIES = {
    "": "{kind.summary}",
    "/people": "Who is behind a number of {kind.name}.",
    "/sql": "The statement that answers {kind.name}, without running it.",
}

Operation = dict[str, Any]


def describe_questions(app: FastAPI, prefix: str) -> None:
    """Add them to the documentation of `app`, once somebody asks for it: the schemas of all kinds take a second."""
    build = app.openapi

    def openapi() -> dict[str, Any]:
        schema = build()
        paths = schema["paths"]
        for end in _SUMMARIES:
            shared = paths.pop(f"{prefix}/{{kind}}{end}", None)
            for kind in KINDS if shared else ():  # FastAPI keeps what it has built, and this with it
                paths[f"{prefix}/{kind.name}{end}"] = {"post": _of_one_kind(shared["post"], kind, end)}
        schema.setdefault("components", {}).setdefault("schemas", {}).update(_schemas()[1])
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend its schema


def _of_one_kind(shared: Operation, kind: QuestionKind[Any], end: str) -> Operation:
    schemas, _ = _schemas()
    path = f"{kind.name}{end}"
    return {
        **shared,
        "summary": _SUMMARIES[end].format(kind=kind),
        "operationId": path.replace("/", "-"),
        "parameters": [each for each in shared["parameters"] if each["name"] != "kind"],
        "requestBody": {"required": True, "content": _json(schemas[path, "validation"])},
        "responses": {
            "200": {"description": "The answer.", "content": _json(schemas[path, "serialization"])},
            "422": {"description": "What is wrong with the question, in a sentence."},
        },
    }


@cache
def _schemas() -> tuple[dict[tuple[str, str], Any], dict[str, Any]]:
    """What is sent (validation) and answered (serialization) by path, and the schemas that they refer to."""
    inputs: list[tuple[str, Any, TypeAdapter[Any]]] = []
    for kind in KINDS:
        for end, (request, answer) in _endpoints(types_of(kind)).items():
            inputs.append((f"{kind.name}{end}", "validation", request))
            inputs.append((f"{kind.name}{end}", "serialization", answer))
    schemas, definitions = TypeAdapter.json_schemas(inputs, ref_template=_REFERENCE)
    return {(str(path), mode): each for (path, mode), each in schemas.items()}, definitions.get("$defs", {})


def _endpoints(types: KindTypes) -> dict[str, tuple[TypeAdapter[Any], TypeAdapter[Any]]]:
    return {
        "": (types.question, types.answer),
        "/people": (types.people_request, types.people),
        "/sql": (types.question, types.statements),
    }


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
