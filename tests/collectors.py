"""A collector over a log in a folder, for tests that speak to it as clients do."""

import asyncio
from pathlib import Path
from typing import Any

import httpx

from ingest.log.files import read_records
from ingest.log.writer import LogWriter, WriteStage
from ingest.receiving.asgi import Receive, Scope, Send
from ingest.receiving.collector import Collector
from ingest.record import Record, Request
from ingest.settings import CollectorSettings, DecodeSettings
from tests.stories import FixedClock, StoryLog


async def elsewhere(scope: Scope, receive: Receive, send: Send) -> None:
    """The application behind the collector: `/health` and the documentation."""
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


class Running:
    """A collector over a log in a folder, spoken to as clients do."""

    def __init__(self, folder: Path, decode_settings: DecodeSettings | None = None, **settings: Any) -> None:
        self.log = StoryLog(folder)
        self.stages = list[WriteStage]()
        self.writer = LogWriter(folder, "collector", clock_us=FixedClock(), observe=self.stages.append)
        self.app = Collector(self.writer, CollectorSettings(**settings), decode_settings or DecodeSettings(), elsewhere)

    def ask(self, method: str, url: str, content: bytes = b"", headers: dict[str, str] | None = None) -> httpx.Response:
        async def once() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, client=("203.0.113.7", 5000))
            async with httpx.AsyncClient(transport=transport, base_url="http://collector.test") as client:
                return await client.request(method, url, content=content, headers=headers)

        return asyncio.run(once())

    def send(self, request: Request) -> httpx.Response:
        query = f"?{request.query}" if request.query else ""
        return self.ask(request.method, request.path + query, request.body, request.headers)

    def records(self) -> list[Record]:
        entries = read_records(self.log.folder, "collector", 0, 0, 1 << 30)
        return [entry for _, _, entry in entries if isinstance(entry, Record)]
