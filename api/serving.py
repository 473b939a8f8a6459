"""The server service, composed: warehouse, load loop, refresh schedule, API, board and guard."""

import asyncio
import json
import logging
import secrets
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from fastapi import FastAPI

from api.board.pages import create_board
from api.endpoints import create_api
from api.guard import Guard
from api.loading import LoadingStatus, LoadLoop, schedule_refresh
from api.settings import SERVER_FILE, Settings, allowed_hosts, local_url
from ingest.asgi import ASGIApp
from models.stage_events import build_stage_events_sql
from warehouse.decoder import DecoderProcess
from warehouse.load import Loader, LoadStage
from warehouse.refresh import RefreshReport, has_touched, refresh_marts
from warehouse.warehouse import Warehouse

logger = logging.getLogger("onepath.server")


class Server:
    """What the server owns while it runs; alive between the ends of `running`."""

    def __init__(self, settings: Settings, observe: Callable[[LoadStage], None] = lambda _stage: None) -> None:
        self.settings = settings
        settings.data.mkdir(parents=True, exist_ok=True)
        self.warehouse = Warehouse(settings.warehouse_path, settings.project.project, settings.warehouse)
        self._decoder = DecoderProcess()
        loader = Loader(self.warehouse, settings.log_folder, settings.decode, decode=self._decoder, observe=observe)
        self._load_loop = LoadLoop(loader, settings.warehouse.load_poll_s)
        self._refreshing = threading.Lock()
        self._refresh_problem: str | None = None
        self.instance = secrets.token_hex(8)

    @property
    def loading(self) -> LoadingStatus:
        """What the load loop is doing; a failing refresh is a problem of it too."""
        status = self._load_loop.status
        return status if status.problem else replace(status, problem=self._refresh_problem)

    def refresh(self, *, rebuild: bool = False) -> RefreshReport:
        """Bring the marts up to date with what is loaded."""
        with self._refreshing:
            return refresh_project(self.warehouse, self.settings, rebuild=rebuild)

    def refresh_if_touched(self) -> None:
        """The scheduled refresh: nothing to do when no load touched anything."""
        try:
            if has_touched(self.warehouse):
                self.refresh()
        except Exception as error:  # it is tried again, and must not fail in silence
            logger.exception("refreshing the marts failed and is tried again")
            self._refresh_problem = f"refreshing the marts failed: {error}"
        else:
            self._refresh_problem = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Load and refresh while the block runs; then free the warehouse."""
        self.refresh()
        self._load_loop.start()
        scheduler = schedule_refresh(self.refresh_if_touched, self.settings.warehouse.refresh_every_s)
        server_file = self.settings.data / SERVER_FILE
        place = self.settings.server
        announcement = {"url": local_url(place.host, place.port), "instance": self.instance}
        server_file.write_text(json.dumps(announcement), encoding="utf-8")
        try:
            yield
        finally:
            server_file.unlink(missing_ok=True)
            scheduler.shutdown()
            await asyncio.to_thread(self._load_loop.stop)
            self._decoder.close()
            self.warehouse.close()


def refresh_project(warehouse: Warehouse, settings: Settings, *, rebuild: bool = False) -> RefreshReport:
    """Refresh the marts with the stages as configured."""
    return refresh_marts(
        warehouse, lambda properties: build_stage_events_sql(settings.project.stages, properties), rebuild=rebuild
    )


def create_server(settings: Settings, observe: Callable[[LoadStage], None] = lambda _stage: None) -> ASGIApp:
    """The server's application. It opens the warehouse now and closes it at its shutdown."""
    server = Server(settings, observe)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with server.running():
            yield

    app = create_api(server, lifespan)
    app.include_router(create_board(server))
    hosts = allowed_hosts(settings.server.host, settings.server.allowed_hosts)
    return Guard(app, hosts, settings.server.token)
