"""The server's metrics: what it loads, how far behind it is, and how long questions take.

What happens is observed as it happens; what stands is read from warehouse and log when somebody asks.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import (
    CollectorRegistry,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client import Counter as CounterMetric
from prometheus_client.core import Metric
from prometheus_client.registry import Collector as MetricsCollector

from api.routes.endpoints import ServerParts
from api.services.lag import measure_lag
from api.services.metrics import CONTENT_TYPE, Families, Kind
from api.services.readiness import judge_readiness
from ingest.errors import IngestError
from ingest.receiving.asgi import ASGIApp, Receive, Scope, Send
from warehouse.errors import WarehouseError
from warehouse.load import LoadReport
from warehouse.one_id.graph import REFUSALS
from warehouse.snapshot import DuckDBSnapshot

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
# Endless answers, and those that nobody waits for.
_UNTIMED = frozenset({"tail", "metrics", "health", "ready", "unknown"})

# Read when asked for; name: (kind, what it says, labels).
STANDING_METRICS: dict[str, tuple[Kind, str, Sequence[str]]] = {
    "onepath_server_loaded_messages": (
        "counter",
        "Messages loaded, by what became of them (event, call, duplicate, rejected) and why; a replay counts again.",
        ("protocol", "record_type", "outcome", "reason"),
    ),
    "onepath_server_lag_seconds": ("gauge", "Seconds since the oldest request not yet loaded arrived; 0 if none.", ()),
    "onepath_server_backlog_requests": (
        "gauge",
        "Requests of the log not yet loaded; estimated when they are more than 2 MB.",
        (),
    ),
    "onepath_server_backlog_bytes": (
        "gauge",
        "Bytes of the log not yet loaded; estimated when they are more than 2 MB.",
        (),
    ),
    "onepath_identity_refused_links": (
        "gauge",
        "Links that were refused and would have made two persons one, by the rule that refused them.",
        ("reason",),
    ),
    "onepath_server_ready": ("gauge", "1 while /ready answers 200, else 0.", ()),
    "onepath_server_loading_failing": ("gauge", "1 while loading or refreshing fails, else 0.", ()),
}
OBSERVED_METRICS: dict[str, tuple[Kind, str, Sequence[str]]] = {
    "onepath_server_load_seconds": ("histogram", "Seconds of each load, decoding included.", ()),
    "onepath_server_loaded_requests": ("counter", "Requests loaded from the log since the start.", ()),
    "onepath_server_load_failures": ("counter", "Loads that failed and are tried again.", ()),
    "onepath_server_refresh_seconds": ("histogram", "Seconds of each refresh of the marts.", ()),
    "onepath_server_query_seconds": (
        "histogram",
        "Seconds of each question, by endpoint and status; the live view is not among them.",
        ("endpoint", "status"),
    ),
}
PROCESS_METRICS = (
    "onepath_server_process_cpu_seconds",
    "onepath_server_process_resident_memory_bytes",
    "onepath_server_process_virtual_memory_bytes",
    "onepath_server_process_open_fds",
    "onepath_server_process_max_fds",
    "onepath_server_process_start_time_seconds",
)
SERVER_METRICS = (*STANDING_METRICS, *OBSERVED_METRICS, *PROCESS_METRICS)


class ServerMetrics:
    """What the server observes of itself, in a registry of its own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # else a second series for each, of no use here
        self.registry = CollectorRegistry()
        self._load_seconds = self._histogram("onepath_server_load_seconds")
        self._refresh_seconds = self._histogram("onepath_server_refresh_seconds")
        self._query_seconds = self._histogram("onepath_server_query_seconds")
        self._loaded_requests = self._counter("onepath_server_loaded_requests")
        self._load_failures = self._counter("onepath_server_load_failures")
        ProcessCollector(namespace="onepath_server", registry=self.registry)

    def observe_load(self, report: LoadReport, seconds: float) -> None:
        """A load was committed."""
        self._load_seconds.observe(seconds)
        self._loaded_requests.inc(report.records)

    def count_failure(self) -> None:
        """A load failed."""
        self._load_failures.inc()

    def observe_refresh(self, seconds: float) -> None:
        """The marts were refreshed."""
        self._refresh_seconds.observe(seconds)

    def observe_query(self, endpoint: str, status: int, seconds: float) -> None:
        """A question was answered."""
        self._query_seconds.labels(endpoint, str(status)).observe(seconds)

    def _histogram(self, name: str) -> Histogram:
        _, doc, labels = OBSERVED_METRICS[name]
        return Histogram(name, doc, labels, buckets=_SECONDS, registry=self.registry)

    def _counter(self, name: str) -> CounterMetric:
        _, doc, labels = OBSERVED_METRICS[name]
        return CounterMetric(name, doc, labels, registry=self.registry)


class StandingMetrics(MetricsCollector):
    """What stands in warehouse and log, read when somebody asks."""

    def __init__(self, server: ServerParts, now_us: Callable[[], int]) -> None:
        self._server = server
        self._now_us = now_us
        self._loaded: Counter[tuple[str, str, str, str]] = Counter()
        self._seen_load_id = 0

    def describe(self) -> Iterable[Metric]:
        return Families(STANDING_METRICS)

    def collect(self) -> Iterable[Metric]:
        families, now_us = Families(STANDING_METRICS), self._now_us()
        try:
            with self._server.warehouse.snapshot() as snapshot:
                self._count_loaded(snapshot)
                refused = _refused_links(snapshot)
                marks = snapshot.marks()
            lag = measure_lag(self._server.settings.log_folder, marks, now_us)
        except (WarehouseError, IngestError, OSError):
            pass  # those numbers are not known now, and `ready` is 0
        else:
            families.add("onepath_server_lag_seconds", (), lag.lag_s)
            families.add("onepath_server_backlog_requests", (), lag.requests)
            families.add("onepath_server_backlog_bytes", (), lag.byte_count)
            for reason, count in refused.items():
                families.add("onepath_identity_refused_links", (reason,), count)
        for labels, messages in self._loaded.items():
            families.add("onepath_server_loaded_messages", labels, messages)
        families.add("onepath_server_ready", (), float(judge_readiness(self._server, now_us).is_ready))
        families.add("onepath_server_loading_failing", (), float(self._server.loading.problem is not None))
        return families

    def _count_loaded(self, snapshot: DuckDBSnapshot) -> None:
        # The account grows by some rows with each load: only those of loads not seen yet are read. The record type of
        # what was refused is whatever its sender wrote, and no label.
        rows = snapshot.query(
            f"""
            select
                protocol,
                if(outcome = 'rejected', '', coalesce(record_type, '')) as record_type,
                outcome,
                coalesce(reason, '') as reason,
                cast(sum(message_count) as bigint) as messages,
                cast(max(load_id) as bigint) as load_id,
            from store.arrivals
            where load_id > {self._seen_load_id}
            group by all
            """
        ).to_pylist()
        for row in rows:
            key = (row["protocol"], row["record_type"], row["outcome"], row["reason"])
            self._loaded[key] += row["messages"]
            self._seen_load_id = max(self._seen_load_id, row["load_id"])


def _refused_links(snapshot: DuckDBSnapshot) -> dict[str, int]:
    """By reason, those included that refused nothing: an alert needs a series to begin with."""
    rows = snapshot.query(
        "select reason, count(*) as link_count from store.links where outcome = 'refused' group by reason"
    ).to_pylist()
    counts = {row["reason"]: row["link_count"] for row in rows}
    return {reason: counts.get(reason, 0) for reason in REFUSALS if reason is not None}


class Timed:
    """ASGI middleware: how long each question takes."""

    def __init__(self, app: ASGIApp, metrics: ServerMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began_s = 500, time.perf_counter()

        async def send_noting(message: Scope) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        finally:
            path = getattr(scope.get("route"), "path", None)
            endpoint = path.rpartition("}/")[2].strip("/") or "board" if path is not None else "unknown"
            if endpoint not in _UNTIMED:
                self._metrics.observe_query(endpoint, status, time.perf_counter() - began_s)


def create_metrics(server: ServerParts, metrics: ServerMetrics, now_us: Callable[[], int]) -> APIRouter:
    """The route of `/metrics`; behind the token where there is one."""
    router = APIRouter()
    metrics.registry.register(StandingMetrics(server, now_us))

    @router.get("/metrics", response_class=PlainTextResponse)
    def scrape() -> Response:
        """How the server does, for Prometheus."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE)

    return router
