"""Boards for the tests: a small story of two schools, loaded and served without loops on a free port."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from api.board.pages import create_board
from api.project_file import FILE_NAME
from api.routes.endpoints import create_api
from api.services.loading import LoadingStatus
from api.settings import Settings, read_settings
from ingest.log.writer import LogWriter
from ingest.record import Request
from warehouse.load import Loader
from warehouse.refresh import RefreshReport
from warehouse.warehouse import Warehouse

ARRIVED_AT = datetime(2026, 6, 30, 4, 30, tzinfo=UTC)
IDLE = LoadingStatus("idle")
STAGES = """
[[stages]]
name = "reach"
any_of = [{ event = "Met" }]
[[stages]]
name = "trial"
any_of = [{ event = "Tried" }]
[[stages]]
name = "pay"
any_of = [{ event = "Paid" }]
"""
STORY = [
    # Ann of school A walks the whole path, and is there again three weeks later.
    ("ann", "Met", "2026-06-01T01:00:00Z", "A"),
    ("ann", "Tried", "2026-06-04T05:00:00Z", "A"),
    ("ann", "Paid", "2026-06-10T05:00:00Z", "A"),
    ("ann", "Met", "2026-06-23T01:00:00Z", "A"),
    # Bo of school B pays without a trial.
    ("bo", "Met", "2026-06-02T01:00:00Z", "B"),
    ("bo", "Paid", "2026-06-09T01:00:00Z", "B"),
    # Cy and Di belong to no school; Di comes a week later, by the local calendar: it is Monday in Shanghai already.
    ("cy", "Met", "2026-06-03T01:00:00Z", None),
    ("di", "Met", "2026-06-07T17:00:00Z", None),
    ("di", "Tried", "2026-06-07T17:00:45Z", None),
]


@dataclass
class Parts:
    """A server without loops: what the endpoints and the board need of one."""

    settings: Settings
    warehouse: Warehouse
    instance: str = "the board's"
    loading: LoadingStatus = IDLE

    def refresh(self, *, rebuild: bool = False) -> RefreshReport:
        raise NotImplementedError("no page of the board refreshes anything")


@dataclass(frozen=True)
class Board:
    """A board being served, with everybody in `STORY` on it."""

    url: str

    def ask(self, path: str, question: dict[str, Any]) -> Any:
        response = httpx.post(f"{self.url}/api/v1/projects/default/{path}", json=question)
        response.raise_for_status()
        return response.json()


@contextmanager
def serve_story(
    folder: Path, stages: str, messages: list[Any] | None = None, loading: LoadingStatus = IDLE
) -> Iterator[Board]:
    """Log, load and serve the story (or other messages) with these stages, until the block ends."""
    (folder / FILE_NAME).write_text(f'[project]\nsalt = "a salt for the tests"\n{stages}', encoding="utf-8")
    settings = read_settings(folder, environment={})
    with ExitStack() as stack:
        log = LogWriter(settings.log_folder, "collector", clock_us=lambda: int(ARRIVED_AT.timestamp() * 1_000_000))
        stack.callback(log.close)
        if messages is None:
            messages = [to_message(*each) for each in STORY]
        if messages:
            log.append(Request("POST", "/events", "", {}, "192.0.2.1", json.dumps(messages).encode()))
        warehouse = Warehouse(":memory:", settings.project.project, settings.warehouse)
        stack.callback(warehouse.close)
        Loader(warehouse, settings.log_folder, settings.decode).load_all()
        yield stack.enter_context(serve(Parts(settings, warehouse, loading=loading)))


def to_message(person: str, event: str, event_at: str, account: str | None) -> dict[str, Any]:
    """One line of the story in Onepath's own form."""
    identities = {"$identity_login_id": person}
    return {"event_name": event, "identities": identities, "event_at": event_at, "account_id": account}


@contextmanager
def serve(parts: Parts) -> Iterator[Board]:
    """The API and the board on a free port, until the block ends."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI):  # type: ignore[no-untyped-def]  # an async generator of nothing
        yield

    app = create_api(parts, lifespan)
    app.include_router(create_board(parts))
    server = uvicorn.Server(uvicorn.Config(app, ws="none", log_level="warning", access_log=False))
    with socket.create_server(("127.0.0.1", 0)) as listener:  # listening already: early requests wait in its queue
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield Board(f"http://127.0.0.1:{listener.getsockname()[1]}")
        finally:
            server.should_exit = True
            thread.join()
