"""The collector's connections: a request has a limited time to arrive, and may be hung up on.

Costs nothing per request but a look at the clock: a sweep each second finds those that take too long, whether in their
headers or in their body.
"""

import asyncio
import socket
from collections.abc import Callable

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.services.stopping import StoppableServer
from ingest.receiving.asgi import HANG_UP

# In the state that the application gives at its start: called for each request that is dropped as too slow.
ON_SLOW_REQUEST = "on_slow_request"
_TICKS_PER_SWEEP = 10  # of a tenth of a second each


class Connection(HttpToolsProtocol):
    """One client's connection. `waits_since_s` is when the request began to arrive that is not whole yet."""

    waits_since_s: float | None = None
    _has_sent = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self.waits_since_s = self.loop.time()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._has_sent = True
        self.waits_since_s = self.loop.time()
        self.scope["extensions"] = {HANG_UP: {"call": self.transport.abort}}

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self.waits_since_s = None

    def drop_if_slow(self, since_s: float) -> None:
        """Hang up if the request that is arriving began before `since_s`; where none began, nothing was refused."""
        if self.waits_since_s is not None and self.waits_since_s < since_s:
            self.waits_since_s = None
            if self._has_sent:
                self.app_state.get(ON_SLOW_REQUEST, _nobody)()
            self.transport.abort()


class ConnectionServer(StoppableServer):
    """uvicorn, dropping requests that take longer than `request_timeout_s` to arrive; says when it receives."""

    def __init__(self, config: uvicorn.Config, request_timeout_s: float, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._request_timeout_s = request_timeout_s
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_started()

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS_PER_SWEEP == 0:
            since_s = asyncio.get_running_loop().time() - self._request_timeout_s
            for connection in list(self.server_state.connections):
                if isinstance(connection, Connection):
                    connection.drop_if_slow(since_s)
        return await super().on_tick(counter)


def _nobody() -> None:
    """Nobody wants to know."""
