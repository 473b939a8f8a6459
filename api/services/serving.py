"""The server service, composed: warehouse, load loop, refresh schedule, API, board and guard."""

import asyncio
import json
import logging
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

from fastapi import FastAPI

from api.board.pages import create_board
from api.forgetting import open_warehouse
from api.loaded_settings import differing_settings, write_loaded_settings
from api.routes.accounts import create_accounts
from api.routes.endpoints import create_api
from api.routes.identity import create_identity
from api.routes.persons import create_persons
from api.routes.planning import create_planning
from api.routes.replaying import create_replaying
from api.routes.tailing import create_tailing
from api.services.guard import Guard
from api.services.loading import LoadingStatus, LoadLoop, schedule_refresh, tell_loaded
from api.services.logs import set_up_logs
from api.services.readiness import create_readiness
from api.services.refreshing import refresh_project
from api.services.server_metrics import ServerMetrics, Timed, create_metrics
from api.services.stopping import stopping
from api.settings import SERVER_FILE, Settings, allowed_hosts, local_url
from ingest.log.writer import system_clock_us
from ingest.receiving.asgi import ASGIApp
from warehouse.decoder import DecoderProcess
from warehouse.load import Loader, LoadStage
from warehouse.refresh import RefreshReport, has_touched

logger = logging.getLogger("onepath.server")


class Server:
    """What the server owns while it runs; alive between the ends of `running`."""

    def __init__(self, settings: Settings, observe: Callable[[LoadStage], None] = lambda _stage: None) -> None:
        self.settings = settings
        self.warehouse = open_warehouse(settings)
        for clause in differing_settings(settings):
            logger.warning("%s; it applies to what is loaded from now on", clause)
        write_loaded_settings(settings)
        self.metrics = ServerMetrics()
        self._decoder = DecoderProcess(partial(set_up_logs, settings.logs.format))
        self.loader = Loader(
            self.warehouse,
            settings.log_folder,
            settings.decode,
            decode=self._decoder,
            observe=observe,
            clock=lambda: time.time_ns() // 1000,
        )
        self._load_loop = LoadLoop(
            self.loader,
            settings.warehouse.load_poll_s,
            self.metrics.observe_load,
            self.metrics.count_failure,
            partial(tell_loaded, self.warehouse, settings.log_folder),
        )
        self._refreshing = threading.Lock()
        self._refresh_problem: str | None = None
        self._refresh_kind: str | None = None
        self.instance = secrets.token_hex(8)

    @property
    def loading(self) -> LoadingStatus:
        """What the load loop is doing; a failing refresh is a problem of it too."""
        status = self._load_loop.status
        return status if status.problem else replace(status, problem=self._refresh_problem, kind=self._refresh_kind)

    def refresh(self, *, rebuild: bool = False) -> RefreshReport:
        """Bring the marts up to date with what is loaded."""
        with self._refreshing:
            began_s = time.perf_counter()
            report = refresh_project(self.warehouse, self.settings, rebuild=rebuild)
            self.metrics.observe_refresh(time.perf_counter() - began_s)
            return report

    def refresh_if_touched(self) -> None:
        """The scheduled refresh: nothing to do when no load touched anything."""
        try:
            if has_touched(self.warehouse):
                self.refresh()
        except Exception as error:  # it is tried again, and must not fail in silence
            logger.exception("refreshing the marts failed and is tried again")
            self._refresh_problem = f"refreshing the marts failed: {error}"
            self._refresh_kind = f"refreshing the marts, {type(error).__name__}"
        else:
            self._refresh_problem = self._refresh_kind = None

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


def create_server(settings: Settings, observe: Callable[[LoadStage], None] = lambda _stage: None) -> ASGIApp:
    """The server's application. It opens the warehouse now and closes it at its shutdown."""
    server = Server(settings, observe)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with server.running():
            yield

    app = create_api(server, lifespan)
    app.include_router(create_board(server))
    app.include_router(create_planning(server))
    app.include_router(create_accounts(server))
    app.include_router(create_replaying(server))
    app.include_router(create_persons(server))
    app.include_router(create_identity(server))
    app.include_router(create_tailing(settings, stopping.is_set))
    app.include_router(create_readiness(server, system_clock_us))
    app.include_router(create_metrics(server, server.metrics, system_clock_us))
    hosts = allowed_hosts(settings.server.host, settings.server.allowed_hosts)
    return Guard(Timed(app, server.metrics), hosts, settings.server.token)
