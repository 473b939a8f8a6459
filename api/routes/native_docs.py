"""OpenAPI documentation of `POST /events`, which is answered in front of FastAPI's router."""

from typing import Any

from fastapi import FastAPI

_IDENTITIES = {"$identity_login_id": "teacher-17", "$identity_anonymous_id": "b4c1"}
_EXAMPLE = {
    "event_name": "TrialStarted",
    "event_at": "2026-06-01T08:00:00+08:00",
    "identities": _IDENTITIES,
    "account_id": "school-7",
    "dedupe_key": "6f0c",
    "properties": {"channel": "exhibition", "region": "east"},
}
_PROPERTIES: dict[str, Any] = {
    "record_type": {
        "enum": ["track", "identify", "group"],
        "default": "track",
        "description": "track is an event; identify sets properties of a person, group those of the account it joins.",
    },
    "event_name": {"type": "string", "description": "What happened; required for track."},
    "event_at": {
        "description": "ISO 8601 (without a zone: UTC), or seconds or milliseconds since 1970. Default: its arrival.",
        "anyOf": [{"type": "string"}, {"type": "number"}],
    },
    "sent_at": {
        "description": "The sender's clock at sending; corrects event_at when it is visibly off.",
        "anyOf": [{"type": "string"}, {"type": "number"}],
    },
    "identities": {
        "type": "object",
        "description": "What the person is called: identity key to value. Several say that they are one person.",
        "additionalProperties": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        "minProperties": 1,
    },
    "account_id": {
        "type": "string",
        "description": "The school or company behind it; group needs it, or accounts.",
    },
    "accounts": {
        "type": "object",
        "description": "Accounts of other types: account type to id, or to a list of ids.",
        "additionalProperties": {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "array"}]},
        "example": {"family": "F1", "class": ["C1", "C2"]},
    },
    "dedupe_key": {"type": "string", "description": "Sent again with the same event_at, a message counts once."},
    "source": {"enum": ["web", "mini_program", "app", "server"]},
    "sdk": {"type": "string"},
    "sdk_version": {"type": "string"},
    "properties": {"type": "object", "description": "Anything else, by name."},
}
_MESSAGE = {
    "type": "object",
    "required": ["identities"],
    "properties": _PROPERTIES,
    "additionalProperties": False,
    "example": _EXAMPLE,
}
_RESULT = {
    "type": "object",
    "properties": {
        "index": {"type": "integer"},
        "status": {"enum": ["accepted", "rejected"]},
        "event_id": {"type": "string", "description": "Where it is found in the view events."},
        "call_id": {"type": "string", "description": "Of identify and group: where it is found in the view calls."},
        "reason": {"type": "string"},
        "detail": {"type": "string"},
    },
}
_ANSWER = {
    "type": "object",
    "properties": {
        "accepted": {"type": "integer"},
        "rejected": {"type": "integer"},
        "results": {"type": "array", "items": _RESULT},
    },
}
_LINE = '{"event_name": "TrialStarted", "identities": {"$identity_login_id": "teacher-17"}}'
_WRITE_KEY = {
    "name": "write_key",
    "in": "query",
    "required": False,
    "schema": {"type": "string"},
    "description": "The write key, where no header can be set.",
}


def describe_native_endpoint(app: FastAPI) -> None:
    """Add the endpoint to the documentation of `app`."""
    build = app.openapi

    def openapi() -> dict[str, Any]:
        schema = build()
        schema["paths"]["/events"] = {"post": _operation()}
        schemes = schema.setdefault("components", {}).setdefault("securitySchemes", {})
        schemes["writeKey"] = {"type": "http", "scheme": "bearer", "description": "Where the project has write keys."}
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend its schema


def _operation() -> dict[str, Any]:
    body = {"anyOf": [_MESSAGE, {"type": "array", "items": _MESSAGE}]}
    lines = {"type": "string", "description": "A message a line.", "example": f"{_LINE}\n{_LINE}\n"}
    content = {"application/json": {"schema": body}, "application/x-ndjson": {"schema": lines}}
    answer = {"application/json": {"schema": _ANSWER}}
    return {
        "summary": "Send one message or many",
        "description": "Answered message by message, after all of them are on disk. It may be gzipped or deflated.",
        "parameters": [_WRITE_KEY],
        "security": [{}, {"writeKey": []}],
        "requestBody": {"required": True, "content": content},
        "responses": {
            "200": {"description": "At least one message was accepted.", "content": answer},
            "400": {"description": "No message was accepted; each is kept as a reject.", "content": answer},
            "413": {"description": "The body is too large; its first bytes are kept as a reject.", "content": answer},
            "503": {"description": "The log cannot be written; nothing was kept, send it again."},
        },
    }
