"""The collector service, composed: log writer, receiving application, guard, and FastAPI for the rest."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from api.guard import Guard
from api.native_docs import describe_native_endpoint
from api.settings import Settings, allowed_hosts
from ingest.asgi import ASGIApp
from ingest.collector import Collector
from ingest.log_writer import LogWriter, WriteStage

COLLECTOR_TITLE = "Onepath collector"


def create_collector(settings: Settings, observe: Callable[[WriteStage], None] = lambda _stage: None) -> ASGIApp:
    """The collector's application. It owns its log stream from here until its shutdown."""
    collector = settings.collector
    writer = LogWriter(
        settings.log_folder, collector.stream, max_file_bytes=collector.max_log_file_bytes, observe=observe
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        writer.close()

    rest = FastAPIOffline(title=COLLECTOR_TITLE, lifespan=lifespan)

    @rest.get("/health")
    async def health() -> dict[str, str]:
        """Whether the collector answers, and which log stream it writes."""
        return {"status": "ok", "service": "collector", "stream": writer.stream}

    describe_native_endpoint(rest)
    receiving = Collector(writer, collector, settings.decode, fallback=rest)
    return Guard(receiving, allowed_hosts(collector.host, collector.allowed_hosts))
