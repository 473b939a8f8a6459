"""The live view over HTTP: an endless answer with each message as it arrives.

What arrives is decoded once for all who watch, and only while somebody does. A watcher who reads slowly, or a log that
grows faster than a screen can show, costs messages of the view, counted in its place, and never time of the others.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import StreamingResponse

from api.printing.tail_lines import to_json
from api.routes.projects import known_project
from api.settings import Settings
from ingest.errors import IngestError
from ingest.settings import DecodeSettings
from ingest.tail import POLL_S, Arrival, Skipped, Tail, TailFilter

logger = logging.getLogger("onepath.tail")

HEARTBEAT_S = 15.0
EVENT_STREAM, JSON_LINES = "text/event-stream", "application/x-ndjson"
# Decoding shares the interpreter with the questions: so much in a poll is more than anybody reads, and a few
# milliseconds of work.
_MAX_POLL_BYTES = 128 << 10
_MAX_WAITING = 1000

Shown = Arrival | Skipped


class Watcher:
    """One who watches: what passes the filter waits here until it is read, the newest thousand of it."""

    def __init__(self, wanted: TailFilter) -> None:
        self.wanted = wanted
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Shown] = deque()
        self._missed = 0
        self._lock = threading.Lock()
        self._changed = asyncio.Event()
        self.is_ended = False

    def offer(self, arrivals: Iterable[Shown]) -> None:
        """Called by the thread that decodes."""
        passing = [each for each in arrivals if isinstance(each, Skipped) or self.wanted.passes(each)]
        if not passing:
            return
        with self._lock:
            self._waiting.extend(passing)
            while len(self._waiting) > _MAX_WAITING:
                self._missed += isinstance(self._waiting.popleft(), Arrival)
        self._wake()

    def end(self) -> None:
        """No more comes."""
        self.is_ended = True
        self._wake()

    async def next(self, timeout_s: float) -> list[Shown]:
        """What waits, as soon as something does; nothing when nothing came for so long."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), timeout_s)
        self._changed.clear()
        with self._lock:
            found, missed = list(self._waiting), self._missed
            self._waiting.clear()
            self._missed = 0
        return [Skipped(messages=missed), *found] if missed else found

    def _wake(self) -> None:
        with suppress(RuntimeError):  # the loop has ended, and its watchers with it
            self._loop.call_soon_threadsafe(self._changed.set)


class TailHub:
    """Follows the log for all watchers; its thread lives only while there are some."""

    def __init__(self, log: Path, settings: DecodeSettings, max_watchers: int, is_ending: Callable[[], bool]) -> None:
        self._log = log
        self._max_watchers = max_watchers
        self._settings = settings
        self._is_ending = is_ending
        self._watchers = set[Watcher]()
        self._lock = threading.Lock()
        self._is_following = False

    @property
    def is_full(self) -> bool:
        """Whether nobody else may watch."""
        return len(self._watchers) >= self._max_watchers

    def join(self, watcher: Watcher) -> None:
        """From now on it gets what arrives. Finds the end of the log when nobody watched before."""
        tail: Tail | None = None
        while not self._admit(watcher, tail):
            # Without the lock, which the event loop takes too: a slow disk must stop nothing but this.
            tail = Tail(self._log, self._settings)
            tail.start()

    def _admit(self, watcher: Watcher, tail: Tail | None) -> bool:
        """Whether it is settled; if not, a tail that stands at the end of the log is missing."""
        with self._lock:
            if self.is_full:
                watcher.end()
                return True
            if not self._is_following:
                if tail is None:
                    return False
                threading.Thread(target=self._follow, args=(tail,), name="tail", daemon=True).start()
                self._is_following = True
            self._watchers.add(watcher)
            return True

    def look_back(self, watcher: Watcher, last: int) -> list[Arrival]:
        """The last arrivals that pass the watcher's filter."""
        return Tail(self._log, self._settings, watcher.wanted).start(last)

    def leave(self, watcher: Watcher) -> None:
        """It gets no more."""
        with self._lock:
            self._watchers.discard(watcher)

    def _follow(self, tail: Tail) -> None:
        pause = threading.Event()
        while not self._has_ended():
            try:
                arrivals = tail.poll_newest(_MAX_POLL_BYTES)
            except (IngestError, OSError) as error:  # damage is also what loading stops at, and said by `/health`
                logger.warning("the live view cannot read the log", exc_info=error)
                arrivals = []
                pause.wait(1)
            for watcher in tuple(self._watchers):
                watcher.offer(arrivals)
            pause.wait(POLL_S)

    def _has_ended(self) -> bool:
        with self._lock:
            if self._is_ending():
                for watcher in self._watchers:
                    watcher.end()
                self._watchers.clear()
            self._is_following = bool(self._watchers)
            return not self._is_following


def create_tailing(settings: Settings, is_ending: Callable[[], bool]) -> APIRouter:
    """The route of the live view. `is_ending` says that the server shuts down: an endless answer must hear of it."""
    router = APIRouter(dependencies=[Depends(known_project(settings))])
    max_tails = settings.server.max_tails
    hub = TailHub(settings.log_folder, settings.decode, max_tails, is_ending)

    @router.get(
        "/api/v1/projects/{project}/tail",
        response_class=StreamingResponse,
        responses={
            200: {"content": {EVENT_STREAM: {}, JSON_LINES: {}}},
            503: {"description": "too many watch already"},
        },
    )
    async def tail(
        http: Request,
        event: str | None = None,
        identity: str | None = None,
        rejects: bool = False,
        last: Annotated[int, Query(ge=0, le=1000)] = 0,
    ) -> StreamingResponse:
        """Each message as it arrives, rejects in place: server-sent events, or JSON lines if Accept says so."""
        if hub.is_full:
            raise HTTPException(503, f"{max_tails} watch already; raise ONEPATH_SERVER__MAX_TAILS for more")
        media_type = JSON_LINES if JSON_LINES in http.headers.get("accept", "") else EVENT_STREAM
        lines = _lines(hub, Watcher(TailFilter(event, identity, rejects)), last)
        frame = _json_line if media_type == JSON_LINES else _server_sent
        return StreamingResponse(_framed(lines, frame), media_type=media_type, headers={"cache-control": "no-store"})

    return router


async def _lines(hub: TailHub, watcher: Watcher, last: int) -> AsyncGenerator[list[Shown]]:
    """What the watcher gets, in portions; an empty one when nothing came for a while."""
    try:
        await asyncio.to_thread(hub.join, watcher)
        # Joined first and looked back second: nothing is missed between the two, and what is in both is shown once.
        before = await asyncio.to_thread(hub.look_back, watcher, last) if last else []
        yield [*before]
        shown = {arrival.position for arrival in before}
        while not watcher.is_ended:
            found = await watcher.next(HEARTBEAT_S)
            yield [each for each in found if isinstance(each, Skipped) or each.position not in shown]
    finally:
        hub.leave(watcher)


async def _framed(
    portions: AsyncGenerator[list[Shown]], frame: Callable[[Shown | None], bytes]
) -> AsyncIterator[bytes]:
    async with aclosing(portions) as open_portions:
        async for portion in open_portions:
            yield b"".join(map(frame, portion)) or frame(None)


def _server_sent(shown: Shown | None) -> bytes:
    if shown is None:
        return b": nothing new\n\n"
    place = f"id: {shown.position}\n".encode() if isinstance(shown, Arrival) else b""
    return place + b"data: " + to_json(shown) + b"\n\n"


def _json_line(shown: Shown | None) -> bytes:
    return b'{"kind":"heartbeat"}\n' if shown is None else to_json(shown) + b"\n"
