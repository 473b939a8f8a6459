"""Work on the folder while no server runs."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi import FastAPI

from api.asking import Ask, checked
from api.backlog import Backlog, measure_backlog
from api.forgetting import open_warehouse
from api.loaded_settings import write_loaded_settings
from api.routes.accounts import create_accounts
from api.routes.endpoints import create_api
from api.routes.identity import create_identity
from api.routes.persons import create_persons
from api.routes.planning import create_planning
from api.routes.replaying import create_replaying
from api.services.loading import LoadingStatus, tell_loaded
from api.services.refreshing import refresh_project
from api.settings import Settings
from ingest.receiving.asgi import ASGIApp
from warehouse.decoder import DecoderProcess
from warehouse.load import Loader, LoadReport
from warehouse.refresh import RefreshReport
from warehouse.warehouse import Warehouse


@dataclass
class OfflineServer:
    """The parts of a server that answer questions, without loops."""

    settings: Settings
    warehouse: Warehouse
    instance: str = ""
    loading: LoadingStatus = field(default=LoadingStatus("stopped"))

    @property
    def loader(self) -> Loader:
        """A loader that decodes in this process: for a replay, which decodes little."""
        return Loader(self.warehouse, self.settings.log_folder, self.settings.decode)

    def refresh(self, *, rebuild: bool = False) -> RefreshReport:
        return refresh_project(self.warehouse, self.settings, rebuild=rebuild)


@contextmanager
def open_offline(settings: Settings) -> Iterator[Warehouse]:
    """The warehouse of the folder. Raises `WarehouseInUse` while a server runs."""
    with closing(open_warehouse(settings)) as warehouse:
        yield warehouse


def load_once(settings: Settings) -> list[LoadReport]:
    """Load what the log holds and refresh the marts."""
    decoder = DecoderProcess()
    try:
        with open_offline(settings) as warehouse:
            write_loaded_settings(settings)
            reports = Loader(warehouse, settings.log_folder, settings.decode, decode=decoder).load_all()
            tell_loaded(warehouse, settings.log_folder)
            refresh_project(warehouse, settings)
            return reports
    finally:
        decoder.close()


@contextmanager
def answers_of_folder(settings: Settings) -> Iterator[tuple[Ask, Backlog]]:
    """How to ask the folder itself (the server's API, inside this process), and how much of its log is not loaded."""
    with open_offline(settings) as warehouse:
        with warehouse.snapshot() as snapshot:
            backlog = measure_backlog(settings.log_folder, snapshot.marks())
        server = OfflineServer(settings, warehouse)
        app = create_api(server, _no_lifespan)
        app.include_router(create_planning(server))
        app.include_router(create_accounts(server))
        app.include_router(create_replaying(server))
        app.include_router(create_persons(server))
        app.include_router(create_identity(server))
        yield _ask_in_process(app), backlog


def _ask_in_process(app: ASGIApp) -> Ask:
    async def request(method: str, path: str, body: Any, accept: str) -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=None) as client:
            return await client.request(method, path, json=body, headers={"accept": accept})

    def ask(method: str, path: str, body: Any = None, *, accept: str = "application/json") -> httpx.Response:
        return checked(asyncio.run(request(method, path, body, accept)))

    return ask


@asynccontextmanager
async def _no_lifespan(_app: FastAPI) -> AsyncIterator[None]:
    yield
