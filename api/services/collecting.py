"""The collector service, composed: log writer, receiving application, guard, and FastAPI for the rest."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Response
from fastapi_offline import FastAPIOffline

from api.routes.native_docs import describe_native_endpoint
from api.services.announcing import announced
from api.services.connections import ON_SLOW_REQUEST
from api.services.guard import Guard
from api.services.metrics import CollectorMetrics, include_collector_metrics, publishing
from api.settings import Settings, allowed_hosts
from api.webhook_files import require_secrets
from ingest.log.status import LogStatus, WriterLimits
from ingest.log.writer import LogWriter, WriteStage
from ingest.receiving.asgi import ASGIApp
from ingest.receiving.collector import Collector
from ingest.receiving.meters import CollectorMeters
from ingest.settings import CollectorSettings

COLLECTOR_TITLE = "Onepath collector"


def create_collector(settings: Settings, observe: Callable[[WriteStage], None] = lambda _stage: None) -> ASGIApp:
    """The collector's application. It owns its log stream from here until its shutdown."""
    require_secrets(settings.decode.webhooks)
    collector, meters = settings.collector, CollectorMeters()

    def observe_both(stage: WriteStage) -> None:
        meters.observe(stage)
        observe(stage)

    writer = LogWriter(
        settings.log_folder,
        collector.stream,
        max_file_bytes=collector.max_log_file_bytes,
        limits=writer_limits(collector),
        observe=observe_both,
    )
    metrics = CollectorMetrics(settings.log_folder, writer, meters)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, Callable[[], object]]]:
        async with publishing(metrics):
            with announced(settings):
                yield {ON_SLOW_REQUEST: lambda: writer.refusal("request_timeout", "it did not arrive whole in time")}
        await asyncio.to_thread(writer.close)

    rest = FastAPIOffline(title=COLLECTOR_TITLE, lifespan=lifespan)

    include_health(rest, writer, settings.log_id)
    include_collector_metrics(rest, metrics)
    describe_native_endpoint(rest)
    receiving = Collector(writer, collector, settings.decode, rest, meters)
    return Guard(receiving, allowed_hosts(collector.host, collector.allowed_hosts))


def writer_limits(collector: CollectorSettings) -> WriterLimits:
    """What the settings let the log writer bear."""
    return WriterLimits(
        reserved_bytes=collector.reserved_bytes,
        max_backlog_bytes=collector.max_backlog_bytes,
        max_waiting_bytes=collector.max_waiting_bytes,
        group_commit_wait_s=collector.group_commit_wait_ms / 1000,
    )


def include_health(app: FastAPI, writer: LogWriter, log_id: str) -> None:
    """Add `/health`, 200 while the process lives, and `/ready`, 200 while requests are accepted."""

    @app.get("/health")
    async def health() -> dict[str, Any]:
        """Whether the collector answers, which log stream it writes, and what is wrong with it if anything is."""
        return _told(writer.status()) | {"log_id": log_id}

    @app.get("/ready")
    async def ready(response: Response) -> dict[str, Any]:
        """200 when a request would be accepted now, else 503 with the reason."""
        status = writer.status()
        response.status_code = 200 if status.is_ready else 503
        return _told(status)


def _told(status: LogStatus) -> dict[str, Any]:
    return {
        "status": status.state,
        "service": "collector",
        "stream": status.stream,
        "problem": status.problem,
        "reserve": status.reserve,
        "backlog_bytes": status.backlog_bytes,
        "refused": dict(status.refused),
    }
