"""The collector over ASGI: what it answers, what it logs, and that it answers only after the log has it."""

import asyncio
import dataclasses
import errno
import gzip
import hashlib
import json
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ingest.decode import decode, find_endpoint
from ingest.log.writer import LogWriter, WriteStage
from ingest.message import Decoded
from ingest.receiving.collector import Collector
from ingest.record import Record, Request
from ingest.settings import CollectorSettings, DecodeSettings
from tests.collectors import Running, elsewhere
from tests.stories import (
    DAY_US,
    NOON,
    NOON_US,
    FixedClock,
    Json,
    device,
    event,
    load_story,
    login,
    native,
    post,
    rows,
    segment,
    sensors,
    tracked,
)
from tests.waiting import DEADLINE_S

CALL = {"type": "track", "event": "reach", "anonymousId": "d1", "timestamp": NOON.isoformat()}


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path)
    yield running
    running.writer.close()


# Segment: a status


@pytest.mark.parametrize(
    ("request_", "status", "body"),
    [
        (segment(CALL), 200, {"success": True}),
        (segment(), 200, {"success": True}),
        (segment(CALL, {"type": "track"}), 200, {"success": True}),
        (segment({"type": "track", "userId": "u1"}), 200, {"success": True}),
        (
            post("/v1/batch", b"[]"),
            400,
            {"success": False, "code": "unreadable_body", "message": 'a batch is a JSON object with a list "batch"'},
        ),
    ],
    ids=["good", "empty", "one good", "all bad, but readable", "unreadable"],
)
def test_segment_clients_are_told_by_status(collector: Running, request_: Request, status: int, body: Json) -> None:
    answer = collector.send(request_)
    assert (answer.status_code, answer.json()) == (status, body)
    assert len(collector.records()) == 1


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/track", b'{"event":"x"', 200),  # an object that is cut short is kept, and refused when it is read
        ("/v1/track", b"[]", 400),
        ("/v1/batch", b'{"batch":[{"type":"track"}', 400),
        ("/v1/batch", b'{"batch":[NaN,{"a":[[1]]}],"sentAt":"2026"}', 200),
        ("/v1/batch", gzip.compress(b'{"batch":[]}', mtime=0)[:-1], 400),
        ("/rudder/v1/batch", b'{"batch":{}}', 400),
    ],
)
def test_segment_clients_are_refused_only_what_does_not_open(
    collector: Running, path: str, body: bytes, status: int
) -> None:
    """RudderStack's Python client wants exactly 200, and `code` and `message` with anything else."""
    answer = collector.ask("POST", path, body)
    assert answer.status_code == status
    assert status == 200 or {"code", "message"} < answer.json().keys()
    assert len(collector.records()) == 1


@pytest.mark.parametrize("path", ["/segment/v1/batch", "/rudder/v1/batch", "/beacon/v1/batch", "/v1/batch/"])
def test_family_prefix_and_final_slash_are_heard(collector: Running, path: str) -> None:
    assert collector.ask("POST", path, segment(CALL).body).json() == {"success": True}


# Native: message by message


def test_native_answer_names_the_ids_that_appear_in_events(collector: Running) -> None:
    answer = collector.send(
        native(
            event("reach", device("d1"), NOON),
            {"identities": device("d1")},
            {**event("pay", login("u1"), NOON), "dedupe_key": "order-7"},
            {"record_type": "identify", "identities": login("u1"), "properties": {"grade": 3}},
        )
    )
    told = answer.json()
    assert (answer.status_code, told["accepted"], told["rejected"]) == (200, 3, 1)
    assert [(each["index"], each["status"]) for each in told["results"]] == [
        (0, "accepted"),
        (1, "rejected"),
        (2, "accepted"),
        (3, "accepted"),
    ]
    assert told["results"][1] == {
        "index": 1,
        "status": "rejected",
        "reason": "missing_event_name",
        "detail": "an event needs event_name",
    }
    warehouse = load_story(collector.log)
    assert rows(warehouse, "select event_id, event_name from events order by event_name desc") == [
        (told["results"][0]["event_id"], "reach"),
        (told["results"][2]["event_id"], "pay"),
    ]
    assert rows(warehouse, "select call_id from calls") == [(told["results"][3]["call_id"],)]


def test_native_answer_is_by_the_arrival_that_is_logged(tmp_path: Path) -> None:
    """The clock strikes midnight between two looks at it: the id that is told is the one that is stored."""
    running = Running(tmp_path)
    late = (NOON_US // DAY_US + 1) * DAY_US
    ticks = iter([late - 1, late, late + 1, late + 2])
    running.writer._clock_us = lambda: next(ticks)
    sent_at = (late - 2 * DAY_US) // 1000
    answer = running.send(native({**event("reach", device("d1")), "dedupe_key": "k", "sent_at": sent_at}))
    running.writer.close()
    assert rows(load_story(running.log), "select event_id from events") == [(answer.json()["results"][0]["event_id"],)]


def test_native_request_with_nothing_good_is_400(collector: Running) -> None:
    answer = collector.ask("POST", "/events", b"hello")
    assert (answer.status_code, answer.json()["accepted"], answer.json()["results"][0]["reason"]) == (
        400,
        0,
        "unreadable_message",
    )
    assert collector.ask("POST", "/events", b"[]").json() == {"accepted": 0, "rejected": 0, "results": []}


# Too large


def test_body_past_the_limit_is_kept_by_beginning_length_and_hash(tmp_path: Path) -> None:
    """Ten megabytes of properties against a limit of eight."""
    running = Running(tmp_path)
    body = native(event("reach", device("d1"), text="x" * (10 << 20))).body
    answers = [running.ask("POST", path, body) for path in ("/events", "/v1/batch", "/sa")]
    assert [answer.status_code for answer in answers] == [413, 413, 200]
    assert answers[0].json()["results"][0]["reason"] == answers[1].json()["code"] == "body_too_large"
    running.writer.close()
    assert rows(load_story(running.log), "select distinct original, original_length, original_sha256 from rejects") == [
        (body[:4096], len(body), hashlib.sha256(body).hexdigest())
    ]


def test_body_in_many_pieces_is_measured_as_a_whole(tmp_path: Path) -> None:
    running = Running(tmp_path, max_body_bytes=10, kept_body_bytes=4)

    async def send_pieces(pieces: list[bytes]) -> list[Json]:
        incoming = [
            {"type": "http.request", "body": piece, "more_body": number < len(pieces)}
            for number, piece in enumerate(pieces, start=1)
        ]
        sent: list[Json] = []

        async def receive() -> Json:
            return incoming.pop(0) if incoming else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/sa",
            "query_string": b"",
            "headers": [(b"user-agent", b"tests"), (b"cookie", b"secret")],
        }
        await running.app(scope, receive, send)
        return sent

    for pieces in ([b"12345", b"67890"], [b"123", b"", b"4567", b"8901", b"23"], [b"123456789012"]):
        assert asyncio.run(send_pieces(pieces))[0]["status"] == 200
    whole, cut, at_once = [record.request for record in running.records() if record.request is not None]
    assert (whole.body, whole.cut, whole.headers) == (b"1234567890", None, {"user-agent": "tests"})
    for each, text in ((cut, b"1234567890123"), (at_once, b"123456789012")):
        assert each.body == b"1234"
        assert each.cut is not None
        assert (each.cut.length, each.cut.sha256) == (len(text), hashlib.sha256(text).hexdigest())
    assert asyncio.run(send_pieces([])) == []  # hung up before the body: nothing said, nothing logged
    assert len(running.records()) == 3
    running.writer.close()


# When the log cannot be written


@pytest.mark.parametrize(
    ("request_", "status", "retry_after"),
    [
        (sensors(tracked("reach")), 503, None),
        (segment(CALL), 429, "30"),
        (native(event("reach", device("d1"))), 503, "30"),
    ],
    ids=["sensors", "segment", "native"],
)
def test_unwritable_log_refuses_as_the_client_understands_it_and_keeps_nothing(
    collector: Running, monkeypatch: pytest.MonkeyPatch, request_: Request, status: int, retry_after: str | None
) -> None:
    with monkeypatch.context() as disk:

        def fail(_descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        disk.setattr("ingest.log.open_file._sync_data", fail)
        answer = collector.send(request_)
    assert (answer.status_code, answer.headers.get("retry-after")) == (status, retry_after)
    assert (answer.json()["status"], answer.json()["code"]) == ("unavailable", "disk_full")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert collector.records() == []
    assert collector.send(request_).status_code == 200
    assert len(collector.records()) == 1


def test_record_is_synced_before_the_answer_goes_out(collector: Running) -> None:
    seen_at_answer = list[tuple[list[WriteStage], int]]()

    async def ask() -> None:
        body = native(event("reach", device("d1"))).body

        async def receive() -> Json:
            return {"type": "http.request", "body": body}

        async def send(_message: Any) -> None:
            seen_at_answer.append((list(collector.stages), len(collector.records())))

        scope = {"type": "http", "method": "POST", "path": "/events", "query_string": b"", "headers": []}
        await collector.app(scope, receive, send)

    asyncio.run(ask())
    assert seen_at_answer == [(["written", "synced"], 1)] * 2


# What takes long to look at


@pytest.mark.parametrize(
    ("path", "body", "headers", "is_in_loop"),
    [
        pytest.param("/events", native(event("reach", device("d1"))).body, {}, True, id="small"),
        pytest.param("/events", native(*[event("reach", device("d1"))] * 400).body, {}, True, id="a batch"),
        pytest.param("/events", gzip.compress(native(event("reach", device("d1"))).body), {}, True, id="small, packed"),
        pytest.param("/events", gzip.compress(b"0" * 70_000), {}, False, id="large, packed"),
        pytest.param("/events", gzip.compress(b"[" + b"0," * 5000 + b"0]"), {}, False, id="many tiny values, packed"),
        pytest.param("/events", zlib.compress(b"[]"), {}, False, id="deflate"),
        pytest.param("/events", b"[]", {"content-encoding": "deflate"}, False, id="deflate by its header"),
        pytest.param("/events", b"[" + b"0," * 5000 + b"0]", {}, False, id="many tiny values"),
        pytest.param("/events", b"0\n" * 5000, {}, False, id="many tiny lines"),
        pytest.param("/events", b" " * 200_000, {}, False, id="large"),
        pytest.param("/debug", sensors(tracked("reach")).body, {}, False, id="packed within"),
    ],
)
def test_only_what_is_sure_to_be_quick_is_looked_at_in_the_loop(
    monkeypatch: pytest.MonkeyPatch,
    collector: Running,
    path: str,
    body: bytes,
    headers: dict[str, str],
    is_in_loop: bool,
) -> None:
    threads = list[str]()
    endpoint = find_endpoint(path)
    assert endpoint is not None

    def look(record: Record, settings: DecodeSettings) -> Decoded:
        threads.append(threading.current_thread().name.partition("_")[0])
        return decode(record, settings)

    seen = dataclasses.replace(endpoint, look=look)
    monkeypatch.setattr("ingest.receiving.collector.find_endpoint", lambda _path: seen)
    collector.ask("POST", path, body, headers)
    assert threads == ["MainThread" if is_in_loop else "look"]


def test_body_is_held_until_it_is_answered(tmp_path: Path) -> None:
    """Eight requests of 30 KB at a disk that takes its time: memory is promised for six of them and their records."""
    go = threading.Event()

    def wait(_stage: WriteStage) -> None:
        assert go.wait(DEADLINE_S)

    writer = LogWriter(tmp_path, "collector", clock_us=FixedClock(), observe=wait)
    app = Collector(writer, CollectorSettings(max_waiting_bytes=360_000), DecodeSettings(), elsewhere)

    async def ask() -> list[int]:
        transport = httpx.ASGITransport(app, client=("203.0.113.7", 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://collector.test") as client:
            asked = [asyncio.create_task(client.post("/v1/t", content=b"{" + b" " * 30_000)) for _ in range(8)]
            done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            assert {task.result().status_code for task in done} == {429}
            go.set()
            answers = [(await task).status_code for task in asked]
            return [*answers, (await client.post("/v1/t", content=b"{" + b" " * 30_000)).status_code]

    statuses = asyncio.run(ask())
    writer.close()
    assert statuses == [200] * 6 + [429] * 2 + [200]


# Everything around


def test_preflight_allows_what_a_client_asks_for(collector: Running) -> None:
    asked = {"access-control-request-headers": "anonymousid,authorization,x-of-a-later-version"}
    assert (
        collector.ask("OPTIONS", "/v1/t", headers=asked).headers["access-control-allow-headers"] == asked.popitem()[1]
    )
    odd = collector.ask("OPTIONS", "/v1/t", headers={"access-control-request-headers": "a;b"})
    assert "x-retry-count" in odd.headers["access-control-allow-headers"]
    assert "a;b" not in odd.headers["access-control-allow-headers"]


@pytest.mark.parametrize("path", ["/sa", "/sa.gif", "/v1/batch", "/v1/t", "/segment/v1/p", "/events"])
def test_preflight_is_allowed_and_not_logged(collector: Running, path: str) -> None:
    answer = collector.ask("OPTIONS", path, headers={"origin": "http://edu.example.test"})
    assert (answer.status_code, answer.content, answer.headers["access-control-allow-origin"]) == (204, b"", "*")
    allowed = answer.headers["access-control-allow-headers"]
    assert all(name in allowed for name in ("authorization", "content-type", "dry-run", "x-retry-count"))
    assert collector.records() == []


@pytest.mark.parametrize(
    "path", ["/", "/health", "/docs", "/v1", "/v1/batch/x", "/sensors/events", "/webhook", "/sabotage"]
)
def test_other_paths_fall_through(collector: Running, path: str) -> None:
    answer = collector.ask("POST", path)
    assert (answer.status_code, answer.text) == (418, path)
    assert collector.records() == []


@pytest.mark.parametrize(("method", "path"), [("GET", "/events"), ("GET", "/v1/t"), ("PUT", "/sa"), ("DELETE", "/sa")])
def test_other_methods_are_refused_and_not_logged(collector: Running, method: str, path: str) -> None:
    assert collector.ask(method, path).status_code == 405
    assert collector.records() == []


def test_request_is_logged_as_it_came(collector: Running) -> None:
    body = gzip.compress(json.dumps({"batch": [CALL]}).encode(), mtime=0)
    headers = {"Content-Encoding": "gzip", "Authorization": "Basic a2V5Og==", "Cookie": "c=1", "X-Retry-Count": "2"}
    collector.ask("POST", "/v1/batch?a=%2B+1", body, headers)
    (record,) = collector.records()
    assert record.request is not None
    assert record.request.body == body
    assert (record.request.query, record.request.remote_address) == ("a=%2B+1", "203.0.113.7")
    kept = record.request.headers
    assert (kept["content-encoding"], kept["authorization"], kept["x-retry-count"]) == ("gzip", "Basic a2V5Og==", "2")
    assert "cookie" not in kept
    assert "host" not in kept
