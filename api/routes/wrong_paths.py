"""A request to a path, or by a method, that the API does not have: told which it has."""

from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from models.errors import close_names
from models.kinds import KIND_OF

_QUESTIONS = [name + end for name in KIND_OF for end in ("", "/people", "/sql")]


def explain_wrong_paths(app: FastAPI) -> None:
    """Answer 404 and 405 below the API with a sentence; a route's own refusals keep theirs."""

    async def explain(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, StarletteHTTPException)
        detail: Any = error.detail
        if not isinstance(error, HTTPException) and request.url.path.startswith("/api/"):
            if error.status_code == 404:
                detail = _no_such_path(request)
            elif error.status_code == 405:
                allowed = (error.headers or {}).get("Allow") or "another method"
                detail = f"{request.url.path} takes {allowed}, not {request.method}: the API is described at /docs"
        return JSONResponse({"detail": detail}, status_code=error.status_code, headers=error.headers)

    app.add_exception_handler(StarletteHTTPException, explain)


def _no_such_path(request: Request) -> str:
    # /api/v1/projects/PROJECT/what is asked
    wanted = "".join(request.url.path.split("/", 5)[5:])
    close = close_names(wanted, _QUESTIONS) if wanted else ()
    hint = f"did you mean {' or '.join(map(repr, close))}?" if close else "the API is described at /docs"
    return f"there is nothing at {request.url.path}: {hint}"
