"""Metrics for Prometheus: how both services do, as numbers with units.

Each service has a registry of its own; what is expensive to know is read when it is asked for. The collector that is
asked answers for all collectors of the log, from the snapshots they leave. Every metric stands in `METRICS`, and in
docs/operations/metrics.md.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Literal

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector as MetricsCollector

from ingest.log.files import list_files
from ingest.log.writer import LogWriter
from ingest.receiving.meters import (
    HUNG_UP,
    CollectorMeters,
    Histogram,
    StreamSnapshot,
    read_snapshots,
    remove_snapshot,
    write_snapshot,
)

logger = logging.getLogger("onepath.collector")

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PUBLISH_EVERY_S = 1.0
_RESERVE_STATES = ("none", "whole", "in use", "used up")

Kind = Literal["counter", "gauge", "histogram", "summary"]
_FAMILIES = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
    "histogram": HistogramMetricFamily,
    "summary": SummaryMetricFamily,
}
# name: (kind, what it says, labels); counters are exposed with `_total` behind the name
COLLECTOR_METRICS: dict[str, tuple[Kind, str, Sequence[str]]] = {
    "onepath_collector_requests": (
        "counter",
        "Requests answered, by family and status; hung_up where no answer keeps the client's data.",
        ("stream", "protocol", "status"),
    ),
    "onepath_collector_body_bytes": ("histogram", "Bytes of request bodies as received.", ("stream", "protocol")),
    "onepath_collector_answer_seconds": (
        "histogram",
        "Seconds from a request being whole to its durable answer.",
        ("stream", "protocol"),
    ),
    "onepath_collector_messages": (
        "counter",
        "Messages looked at before the answer, accepted or rejected; families that are answered unseen have none.",
        ("stream", "protocol", "outcome"),
    ),
    "onepath_collector_refused_requests": (
        "counter",
        "Requests refused without being kept, by reason.",
        ("stream", "reason"),
    ),
    "onepath_collector_sync_seconds": ("histogram", "Seconds of each sync of the log to the disk.", ("stream",)),
    "onepath_collector_commit_requests": (
        "summary",
        "Requests written (sum) in group commits (count), each with one sync.",
        ("stream",),
    ),
    "onepath_collector_written_bytes": ("counter", "Bytes of records written to the log.", ("stream",)),
    "onepath_collector_waiting_requests": ("gauge", "Requests that wait for the disk.", ("stream",)),
    "onepath_collector_waiting_bytes": ("gauge", "Bytes of the requests that wait for the disk.", ("stream",)),
    "onepath_collector_ready": ("gauge", "1 while requests are accepted, 0 while they are refused.", ("stream",)),
    "onepath_collector_reserve_bytes": (
        "gauge",
        "Bytes of disk still held in reserve for a full disk.",
        ("stream",),
    ),
    "onepath_collector_reserve_state": (
        "gauge",
        "1 for the state that the reserve is in: none, whole, in_use or used_up.",
        ("stream", "state"),
    ),
    "onepath_collector_log_files": ("gauge", "Files of the stream on disk.", ("stream",)),
    "onepath_collector_backlog_bytes": ("gauge", "Bytes of the log, in all streams, that are not loaded yet.", ()),
    "onepath_collector_cpu_seconds": ("counter", "CPU seconds of the collector's process.", ("stream",)),
    "onepath_collector_resident_bytes": ("gauge", "Resident memory of the collector's process.", ("stream",)),
    "onepath_collector_snapshot_age_seconds": (
        "gauge",
        "Seconds since this collector left the numbers shown; 0 for the one that answered.",
        ("stream",),
    ),
}


class Families:
    """Metric families made by name, each once, in the order of their first use."""

    def __init__(self, described: dict[str, tuple[Kind, str, Sequence[str]]]) -> None:
        self._made: dict[str, Metric] = {}
        for name, (kind, doc, labels) in described.items():
            self._made[name] = _FAMILIES[kind](name, doc, labels=labels)

    def add(self, name: str, labels: Iterable[str], value: float) -> None:
        """One value of a counter or gauge."""
        self._made[name].add_metric(list(labels), value)  # type: ignore[attr-defined]  # only the kinds have it

    def add_histogram(self, name: str, labels: Iterable[str], histogram: Histogram) -> None:
        """One histogram, its counts made cumulative."""
        reached, buckets = 0, list[tuple[str, float]]()
        for bound, count in zip((*map(str, histogram.bounds), "+Inf"), histogram.counts, strict=True):
            reached += count
            buckets.append((bound, reached))
        self._made[name].add_metric(list(labels), buckets, histogram.total)  # type: ignore[attr-defined]  # as above

    def add_summary(self, name: str, labels: Iterable[str], count: float, total: float) -> None:
        """One sum with its count."""
        self._made[name].add_metric(list(labels), count, total)  # type: ignore[attr-defined]  # as above

    def __iter__(self) -> Iterator[Metric]:
        return iter(self._made.values())


class CollectorMetrics(MetricsCollector):
    """The metrics of all collectors of a log, as the one that is asked knows them."""

    def __init__(self, log: Path, writer: LogWriter, meters: CollectorMeters) -> None:
        self._log = log
        self._writer = writer
        self._meters = meters
        self._told: Counter[str] = Counter()
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def scrape(self) -> bytes:
        """The metrics as Prometheus reads them."""
        return generate_latest(self._registry)

    def publish(self) -> None:
        """Leave the snapshot for the others, and log what was refused since the last one."""
        snapshot = self._snapshot()
        write_snapshot(self._log, snapshot)
        self._log_refusals(snapshot)

    def retire(self) -> None:
        """The collector ends: nobody shall answer for it any more."""
        remove_snapshot(self._log, self._writer.stream)

    def describe(self) -> Iterable[Metric]:
        return Families(COLLECTOR_METRICS)

    def collect(self) -> Iterable[Metric]:
        families, now_s = Families(COLLECTOR_METRICS), time.time()
        own = self._snapshot()
        others = [each for each in read_snapshots(self._log, now_s) if each.status.stream != own.status.stream]
        for snapshot in [own, *others]:
            self._add(families, snapshot, max(now_s - snapshot.written_at_s, 0.0))
        # One log, measured by each of its collectors.
        families.add("onepath_collector_backlog_bytes", (), own.status.backlog_bytes)
        return families

    def _snapshot(self) -> StreamSnapshot:
        return self._meters.snapshot(self._writer.status())

    def _add(self, families: Families, snapshot: StreamSnapshot, age_s: float) -> None:
        status = snapshot.status
        stream = (status.stream,)
        _add_families(families, snapshot)
        for reason, number in status.refused.items():
            families.add("onepath_collector_refused_requests", (*stream, reason), number)
        families.add_histogram("onepath_collector_sync_seconds", stream, snapshot.sync_s)
        families.add_summary(
            "onepath_collector_commit_requests", stream, status.batches_written, status.requests_written
        )
        for state in _RESERVE_STATES:
            is_in = float(status.reserve == state)
            families.add("onepath_collector_reserve_state", (*stream, state.replace(" ", "_")), is_in)
        values = {
            "written_bytes": status.bytes_written,
            "waiting_requests": status.waiting_requests,
            "waiting_bytes": status.waiting_bytes,
            "ready": float(status.is_ready),
            "reserve_bytes": status.reserve_held_bytes,
            "log_files": len(list_files(self._log / status.stream)),
            "cpu_seconds": snapshot.cpu_s,
            "resident_bytes": snapshot.resident_bytes,
            "snapshot_age_seconds": age_s,
        }
        for name, value in values.items():
            families.add(f"onepath_collector_{name}", stream, value)

    def _log_refusals(self, snapshot: StreamSnapshot) -> None:
        """One line a second for each reason: the requests since, never what was in them."""
        counts = Counter({str(reason): number for reason, number in snapshot.status.refused.items()})
        for protocol, meter in snapshot.families.items():
            for status, number in tuple(meter.statuses.items()):
                if 400 <= status < 500:  # 503 and what was hung up on stand in the writer's count
                    counts[f"{protocol} {status}"] = number
        for reason, number in (counts - self._told).items():
            fields = {"reason": reason, "requests": number, "stream": snapshot.status.stream}
            logger.warning("requests were refused", extra=fields)
        self._told = counts


def _add_families(families: Families, snapshot: StreamSnapshot) -> None:
    for protocol, meter in snapshot.families.items():
        labels = (snapshot.status.stream, protocol)
        for status, number in tuple(meter.statuses.items()):
            text = "hung_up" if status == HUNG_UP else str(status)
            families.add("onepath_collector_requests", (*labels, text), number)
        families.add_histogram("onepath_collector_body_bytes", labels, meter.body_bytes)
        families.add_histogram("onepath_collector_answer_seconds", labels, meter.answer_s)
        for outcome, messages in (("accepted", meter.accepted), ("rejected", meter.rejected)):
            families.add("onepath_collector_messages", (*labels, outcome), messages)


def include_collector_metrics(app: FastAPI, metrics: CollectorMetrics) -> None:
    """Add `/metrics`."""

    @app.get("/metrics", response_class=PlainTextResponse)
    def scrape() -> Response:
        """How all collectors of this log do, for Prometheus."""
        return Response(metrics.scrape(), media_type=CONTENT_TYPE)


@asynccontextmanager
async def publishing(metrics: CollectorMetrics) -> AsyncIterator[None]:
    """Leave a snapshot every second while the block runs."""

    async def publish() -> None:
        while True:
            await asyncio.to_thread(metrics.publish)
            await asyncio.sleep(PUBLISH_EVERY_S)

    task = asyncio.create_task(publish())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        metrics.retire()
