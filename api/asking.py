"""Where the command line gets its answers: from the running server, or from the folder when nothing runs.

Both ways speak the API; without a server the same application answers inside this process, over the opened folder.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx
from fastapi import FastAPI

from api.backlog import Backlog, measure_backlog
from api.endpoints import create_api
from api.errors import ApiError
from api.loading import LoadingStatus
from api.offline import open_offline
from api.serving import SERVER_FILE, refresh_project
from api.settings import Settings
from ingest.asgi import ASGIApp
from warehouse.refresh import RefreshReport
from warehouse.warehouse import Warehouse


class Refused(ApiError):
    """The API refused a question; the message is its reason."""


class Ask(Protocol):
    """Sends one request to the API and returns the answer. Raises `Refused`."""

    def __call__(
        self, method: str, path: str, body: Any = None, *, accept: str = "application/json"
    ) -> httpx.Response: ...


@dataclass
class OfflineServer:
    """The parts of a server that answer questions, without loops."""

    settings: Settings
    warehouse: Warehouse
    loading: LoadingStatus = field(default=LoadingStatus("stopped"))

    def refresh(self, *, rebuild: bool = False) -> RefreshReport:
        return refresh_project(self.warehouse, self.settings, rebuild=rebuild)


@contextmanager
def answers(settings: Settings) -> Iterator[tuple[Ask, Backlog | None]]:
    """How to ask, and (only when nothing runs) how much of the log is not loaded yet."""
    url = running_server(settings)
    if url is not None:
        with httpx.Client(base_url=url, headers=_authorization(settings), timeout=None) as client:
            yield (
                lambda method, path, body=None, *, accept="application/json": _checked(
                    client.request(method, path, json=body, headers={"accept": accept})
                ),
                None,
            )
        return
    with open_offline(settings) as warehouse:
        with warehouse.snapshot() as snapshot:
            backlog = measure_backlog(settings.log_folder, snapshot.marks())
        yield _ask_in_process(create_api(OfflineServer(settings, warehouse), _no_lifespan)), backlog


def project_path(settings: Settings, rest: str) -> str:
    """The path of an endpoint of the project."""
    return f"/api/v1/projects/{settings.project.project.name}/{rest}"


def running_server(settings: Settings) -> str | None:
    """The address of the server that has this folder open; None when nobody answers."""
    path = settings.data / SERVER_FILE
    try:
        url = str(json.loads(path.read_text(encoding="utf-8"))["url"])
        httpx.get(f"{url}/health", timeout=5).raise_for_status()
    except (OSError, ValueError, KeyError, httpx.HTTPError):
        return None
    return url


def _authorization(settings: Settings) -> dict[str, str]:
    return {"authorization": f"Bearer {settings.server.token}"} if settings.server.token else {}


def _ask_in_process(app: ASGIApp) -> Ask:
    async def request(method: str, path: str, body: Any, accept: str) -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=None) as client:
            return await client.request(method, path, json=body, headers={"accept": accept})

    def ask(method: str, path: str, body: Any = None, *, accept: str = "application/json") -> httpx.Response:
        return _checked(asyncio.run(request(method, path, body, accept)))

    return ask


def _checked(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    try:
        detail = response.json()["detail"]
    except (ValueError, KeyError):
        detail = response.text
    if isinstance(detail, list):
        detail = "; ".join(str(each.get("msg", each)) for each in detail)
    raise Refused(str(detail))


@asynccontextmanager
async def _no_lifespan(_app: FastAPI) -> AsyncIterator[None]:
    yield
