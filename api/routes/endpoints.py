"""The HTTP API: validate, call one model, shape. Every answer carries its question, its watermark and its SQL."""

import csv
import io
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import msgspec
import pyarrow as pa
from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi_offline import FastAPIOffline

from api.backlog import Backlog, measure_backlog
from api.routes.as_of import as_of_parameters
from api.routes.explaining import explain_errors
from api.routes.projects import known_project
from api.routes.question_docs import describe_questions
from api.routes.questions import create_questions
from api.routes.wrong_paths import explain_wrong_paths
from api.services.loading import LoadingStatus
from api.settings import Settings
from ingest.errors import IngestError
from models.calendar import Calendar
from models.errors import QuestionError
from models.keeping import KeptAnswers
from warehouse.errors import BadSql, CannotAct, NoSuchPerson, QueryTimeout, WarehouseError
from warehouse.one_id.worlds import World
from warehouse.refresh import RefreshReport
from warehouse.snapshot import DuckDBSnapshot
from warehouse.warehouse import Warehouse

PROJECT_PREFIX = "/api/v1/projects/{project}"
DESCRIPTION = "Ask the events of a project: funnels, retention, the sales path, SQL."


class ServerParts(Protocol):
    """What the endpoints need of the server."""

    settings: Settings
    warehouse: Warehouse
    instance: str

    @property
    def loading(self) -> LoadingStatus: ...

    def refresh(self, *, rebuild: bool = False) -> RefreshReport: ...


@dataclass(frozen=True)
class SqlRequest:
    """One SELECT over the public views."""

    sql: str


@dataclass(frozen=True)
class RefreshRequest:
    """What to refresh: the touched days, or with `rebuild` every day anew."""

    rebuild: bool = False


@dataclass(frozen=True)
class SqlAnswer:
    """Rows as lists, in the order of `columns`; `is_cut` when there were more than the limit."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    is_cut: bool
    watermark: str


@dataclass(frozen=True)
class Status:
    """How much of the log the answers hold, and the last failure of loading while it lasts."""

    watermark: str
    backlog: Backlog
    loading_problem: str | None = None


@dataclass(frozen=True)
class Health:
    """Whether the server answers, and whether loading works."""

    status: str
    service: str
    instance: str
    loading: str
    problem: str | None


def create_api(server: ServerParts, lifespan: Callable[[Any], AbstractAsyncContextManager[None]]) -> FastAPI:
    """The API of one server; `lifespan` runs it."""
    app = FastAPIOffline(title="Onepath", description=DESCRIPTION, version="1", lifespan=lifespan)

    @app.get("/health")
    def health() -> Health:
        """Whether the server answers, and what loading is doing."""
        loading = server.loading
        # Anybody may ask here, and what an exception says may be what somebody sent.
        problem = f"{loading.kind}; the whole of it is in /api/v1/projects/PROJECT/status" if loading.problem else None
        return Health("failing" if problem else "ok", "server", server.instance, loading.state, problem)

    app.include_router(_questions(server), prefix=PROJECT_PREFIX)
    describe_questions(app, PROJECT_PREFIX)
    app.add_exception_handler(RequestValidationError, _explain_body)
    explain_wrong_paths(app)
    for kind in (QuestionError, WarehouseError, IngestError):
        app.add_exception_handler(kind, _explain)
    return app


async def _explain(_request: Request, error: Exception) -> JSONResponse:
    statuses = {QuestionError: 422, BadSql: 422, CannotAct: 422, NoSuchPerson: 404, QueryTimeout: 408}
    status = next((status for kind, status in statuses.items() if isinstance(error, kind)), 503)
    return JSONResponse({"detail": str(error)}, status_code=status)


async def _explain_body(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = error.errors()
    is_of_body = any(each["loc"][:1] == ("body",) for each in errors)
    if is_of_body and "json" not in request.headers.get("content-type", ""):
        return JSONResponse({"detail": "send JSON, with the header content-type: application/json"}, status_code=422)
    return JSONResponse({"detail": explain_errors(errors)}, status_code=422)


def calendar_of(settings: Settings) -> Calendar:
    """The project's calendar."""
    project = settings.project.project
    return Calendar(project.timezone, project.week_start)


def _questions(server: ServerParts) -> APIRouter:
    settings = server.settings
    limits = settings.warehouse

    @contextmanager
    def snapshot(world: World | None = None) -> Iterator[DuckDBSnapshot]:
        with server.warehouse.snapshot() as found, found.imagined(world) if world else nullcontext():
            yield found

    calendar = calendar_of(settings)
    as_of = as_of_parameters(calendar)
    AskedWorld = Annotated[World | None, Depends(as_of)]  # noqa: N806  # a type, made for this server's time zone

    router = APIRouter(dependencies=[Depends(known_project(settings))])
    router.include_router(create_questions(settings, calendar, snapshot, KeptAnswers()))

    @router.post("/sql", responses={200: {"content": {"text/csv": {}}}}, response_model=SqlAnswer)
    def sql(request: SqlRequest, http: Request, world: AskedWorld = None) -> Response:
        """Run one SELECT over the public views; CSV when Accept asks for text/csv."""
        with snapshot(world) as found:
            limited = found.query_limited(request.sql, limits.query_max_rows, limits.query_max_bytes)
            watermark = found.watermark
        if "text/csv" in http.headers.get("accept", ""):
            cut = {"x-onepath-cut": str(limited.is_cut).lower()}
            return Response(to_csv(limited.table), media_type="text/csv; charset=utf-8", headers=cut)
        answer = SqlAnswer(tuple(limited.table.column_names), rows_of(limited.table), limited.is_cut, watermark)
        return Response(msgspec.json.encode(answer, enc_hook=str), media_type="application/json")

    @router.get("/status")
    def status() -> Status:
        """How much of the log is loaded, and how much is not."""
        with snapshot() as found:
            return Status(found.watermark, measure_backlog(settings.log_folder, found.marks()), server.loading.problem)

    @router.get("/rejects")
    def rejects(
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        reason: str | None = None,
        event_name: str | None = None,
        protocol: str | None = None,
    ) -> list[dict[str, Any]]:
        """What was refused and why, newest first; the original as text, null where it was dropped for the budget."""
        with snapshot() as found:
            table = found.rejects(limit, reason, event_name, protocol)
            return [dict(zip(table.column_names, row, strict=True)) for row in rows_of(table)]

    @router.get("/arrivals")
    def arrivals() -> list[dict[str, Any]]:
        """What came, by protocol and record type, and what became of it."""
        with snapshot() as found:
            rows: list[dict[str, Any]] = found.query("select * from arrivals order by all").to_pylist()
        return rows

    @router.post("/refresh")
    def refresh(request: RefreshRequest) -> RefreshReport:
        """Bring the marts up to date now."""
        return server.refresh(rebuild=request.rebuild)

    return router


def rows_of(table: pa.Table) -> tuple[tuple[Any, ...], ...]:
    """The rows of a table as Python values; bytes (the originals of rejects) as text."""
    return tuple(zip(*(map(_readable, _values(column)) for column in table.columns), strict=True))


def _values(column: pa.ChunkedArray) -> list[Any]:
    try:
        values: list[Any] = column.to_pylist()
    except (OverflowError, ValueError):  # a date that DuckDB has and Python's calendar does not
        values = column.cast(pa.string()).to_pylist()
    return values


def to_csv(table: pa.Table) -> str:
    """A table as CSV with a header line; lists and structs as JSON."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.column_names)
    for row in rows_of(table):
        writer.writerow([_cell(value) for value in row])
    return text.getvalue()


def _cell(value: Any) -> Any:
    return msgspec.json.encode(value, enc_hook=str).decode() if isinstance(value, dict | list) else value


def _readable(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
