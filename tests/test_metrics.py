"""Metrics and readiness: every number that is promised is there, and true."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.offline import OfflineServer, open_offline
from api.routes.endpoints import create_api
from api.services.collecting import create_collector
from api.services.lag import Lag, measure_lag
from api.services.loading import LoadingStatus, LoadLoop
from api.services.metrics import COLLECTOR_METRICS, CollectorMetrics
from api.services.readiness import create_readiness
from api.services.server_metrics import SERVER_METRICS
from api.services.serving import create_server
from api.settings import Settings, read_settings
from ingest.log.writer import LogWriter
from ingest.receiving.asgi import ASGIApp
from ingest.receiving.meters import SNAPSHOT_NAME, CollectorMeters
from tests.stories import NOON_US, SECOND_US, StoryLog, event, login, native
from tests.waiting import DEADLINE_S, until
from warehouse.load import Loader

DOCS = Path(__file__).parent.parent / "docs" / "operations" / "metrics.md"
TOKEN = "a token of some length"
LI = login("teacher-1")
Samples = dict[tuple[str, tuple[str, ...]], float]


def samples(text: str) -> Samples:
    """Every sample by its name and the values of its labels, sorted by label."""
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def families(text: str) -> set[str]:
    return {line.split()[2].removesuffix("_total") for line in text.splitlines() if line.startswith("# TYPE")}


@asynccontextmanager
async def client_of(app: ASGIApp):  # type: ignore[no-untyped-def]  # the generator of a client
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = read_settings(tmp_path / "data", environment={})
    return replace(settings, server=replace(settings.server, token=TOKEN))


@contextmanager
def writing(settings: Settings, stream: str = "collector") -> Iterator[tuple[CollectorMetrics, CollectorMeters]]:
    """The metrics of a collector, without its HTTP."""
    meters = CollectorMeters()
    writer = LogWriter(settings.log_folder, stream, observe=meters.observe)
    try:
        yield CollectorMetrics(settings.log_folder, writer, meters), meters
    finally:
        writer.close()


def test_every_metric_is_documented() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for name in (*COLLECTOR_METRICS, *SERVER_METRICS):
        assert f"`{name}`" in text or f"`{name}_total`" in text, name
    for _, doc, _ in COLLECTOR_METRICS.values():
        assert doc in text


def test_a_collector_counts_what_it_answers(settings: Settings) -> None:
    app = create_collector(settings)

    async def story() -> str:
        async with client_of(app) as client:
            await client.post("/events", json=[event("a", LI), {"event_name": "nobody"}])
            await client.post("/events", content=b"rubbish")
            await client.post("/sa", content=b"data=rubbish")
            scraped: str = (await client.get("/metrics")).text
            return scraped

    text = asyncio.run(story())
    found = samples(text)
    assert families(text) == set(COLLECTOR_METRICS)
    requests = "onepath_collector_requests_total"
    assert found[requests, ("native", "200", "collector")] == 1
    assert found[requests, ("native", "400", "collector")] == 1
    assert found[requests, ("sensors", "200", "collector")] == 1
    assert found["onepath_collector_messages_total", ("accepted", "native", "collector")] == 1
    assert found["onepath_collector_messages_total", ("rejected", "native", "collector")] == 2
    assert found["onepath_collector_body_bytes_sum", ("sensors", "collector")] == len(b"data=rubbish")
    assert found["onepath_collector_answer_seconds_count", ("native", "collector")] == 2
    assert found["onepath_collector_sync_seconds_count", ("collector",)] == 3
    assert found["onepath_collector_commit_requests_sum", ("collector",)] == 3
    assert found["onepath_collector_ready", ("collector",)] == 1


def test_whoever_is_asked_answers_for_all_that_run(settings: Settings) -> None:
    with writing(settings) as (asked, _), writing(settings, "collector-2") as (other, other_meters):
        other_meters.families["segment"].count(200, 100, 0.001)
        assert "collector-2" not in asked.scrape().decode()
        other.publish()
        found = samples(asked.scrape().decode())
        assert found["onepath_collector_requests_total", ("segment", "200", "collector-2")] == 1
        assert found["onepath_collector_ready", ("collector",)] == 1
        assert found["onepath_collector_backlog_bytes", ()] > 0
        snapshot = settings.log_folder / "collector-2" / SNAPSHOT_NAME
        long_ago = snapshot.read_text(encoding="utf-8").replace('"written_at_s":', '"written_at_s":1e-9,"was":')
        snapshot.write_text(long_ago, encoding="utf-8")
        assert "collector-2" not in asked.scrape().decode(), "a worker that is gone"
        other.publish()
        other.retire()
        assert "collector-2" not in asked.scrape().decode()


def test_what_is_refused_is_logged_once_a_second_for_each_reason(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with writing(settings) as (metrics, meters):
        for _ in range(3):
            meters.families["native"].count(400, 10, 0.001)
        metrics.publish()
        metrics.publish()
        (line,) = [record for record in caplog.records if record.message == "requests were refused"]
        assert (line.reason, line.requests) == ("native 400", 3)  # type: ignore[attr-defined]  # given as extra


def test_lag_is_the_age_of_the_oldest_request_not_loaded(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    assert measure_lag(tmp_path, {}, NOON_US) == Lag(0, 0, 0)
    log.append(native(event("a", LI)), NOON_US)
    log.append(native(event("b", LI)), NOON_US - SECOND_US, stream="other")
    lag = measure_lag(tmp_path, {}, NOON_US + SECOND_US)
    assert (lag.lag_s, lag.requests) == (2.0, 2)
    for number in range(50):
        log.append(native(event("c", LI)), NOON_US + number)
    assert 40 < measure_lag(tmp_path, {}, NOON_US, max_bytes=1000).requests < 65, "estimated"


def test_the_server_counts_what_it_loads_and_is_ready_while_it_keeps_up(settings: Settings) -> None:
    log = StoryLog(settings.log_folder)
    log.append(native(event("a", LI), event("a", LI), {"event_name": "nobody"}))
    app = create_server(settings)
    token = {"authorization": f"Bearer {TOKEN}"}

    async def story() -> None:
        async with client_of(app) as client:
            assert (await client.get("/metrics")).status_code == 401
            late = await client.get("/ready")
            assert (late.status_code, late.json()["is_ready"]) == (503, False)
            assert "seconds behind" in late.json()["reason"]
            await run_lifespan(app, lambda: loaded(client))
            stopped = await client.get("/ready")
            assert (stopped.status_code, stopped.json()["reason"]) == (503, "loading is stopped")

    async def loaded(client: httpx.AsyncClient) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not (await client.get("/ready")).is_success:
                await asyncio.sleep(0.05)
        question = {"sql": "select 1"}
        await client.post("/api/v1/projects/default/sql", json=question, headers=token)
        text = (await client.get("/metrics", headers=token)).text
        found = samples(text)
        assert families(text) == set(SERVER_METRICS)
        counted = "onepath_server_loaded_messages_total"
        assert {labels: value for (name, labels), value in found.items() if name == counted} == {
            ("event", "native", "", "track"): 2,
            ("rejected", "native", "missing_identity", ""): 1,
        }
        assert found["onepath_server_loaded_requests_total", ()] == 1
        assert found["onepath_server_load_seconds_count", ()] == 1
        assert found["onepath_server_refresh_seconds_count", ()] >= 1
        assert found["onepath_server_query_seconds_count", ("sql", "200")] == 1
        assert found["onepath_server_lag_seconds", ()] == 0
        assert found["onepath_server_ready", ()] == 1

    asyncio.run(story())


def test_health_names_the_kind_of_a_failure_and_status_its_words(settings: Settings) -> None:
    """What an exception says may be what somebody sent, and `/health` asks for no token."""
    words = "Conversion Error: Could not convert string 'Ann of 7 High Street' to INT32"
    with open_offline(settings) as warehouse:
        loading = LoadingStatus("failing", words, "ConversionException")
        app = create_api(OfflineServer(settings, warehouse, loading=loading), _unattended)
        app.include_router(create_readiness(OfflineServer(settings, warehouse, loading=loading), lambda: NOON_US))

        async def ask() -> list[httpx.Response]:
            async with client_of(app) as client:
                paths = ("/health", "/ready", "/api/v1/projects/default/status")
                return [await client.get(path) for path in paths]

        health, ready, status = asyncio.run(ask())
    assert health.json()["problem"] == "ConversionException; the whole of it is in /api/v1/projects/PROJECT/status"
    assert ready.json()["reason"] == "loading fails: ConversionException"
    assert status.json()["loading_problem"] == words


def test_a_failing_load_is_known_by_its_kind(settings: Settings) -> None:
    with open_offline(settings) as warehouse:
        loop = LoadLoop(Loader(warehouse, settings.log_folder, settings.decode), poll_s=0.01)
    loop.start()  # on a warehouse that is closed
    until(lambda: loop.status.state == "failing", "loading fails")
    status = loop.status
    loop.stop()
    assert status.problem
    assert status.kind is not None
    assert status.kind.isidentifier()


@asynccontextmanager
async def _unattended(_app: object) -> AsyncIterator[None]:
    yield


async def run_lifespan(app: ASGIApp, story) -> None:  # type: ignore[no-untyped-def]  # an async function
    """Tell the story between the start and the end of the application."""
    inbox: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    told: asyncio.Queue[str] = asyncio.Queue()

    async def send(message):  # type: ignore[no-untyped-def]  # an ASGI message
        told.put_nowait(message["type"])

    task = asyncio.ensure_future(app({"type": "lifespan", "state": {}}, inbox.get, send))
    inbox.put_nowait({"type": "lifespan.startup"})
    assert await told.get() == "lifespan.startup.complete"
    try:
        await story()
    finally:
        inbox.put_nowait({"type": "lifespan.shutdown"})
        assert await told.get() == "lifespan.shutdown.complete"
        await task
