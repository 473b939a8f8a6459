"""Slow, half-closed and broken connections: they cost the others nothing, and leave nothing half behind."""

import contextlib
import http.client
import json
import socket
import struct
import time
from collections import Counter
from pathlib import Path

import pytest

from api.offline import open_offline
from tests.fault_clients import REFUSALS, Line, Post, native_post, segment_post
from tests.fault_services import House
from tests.fault_verdict import load_again
from tests.waiting import DEADLINE_S

REQUEST_TIMEOUT_S = 3.0
SLOW_CONNECTIONS = 200


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "data", {"collector.request_timeout_s": REQUEST_TIMEOUT_S})


def post(number: int) -> Post:
    return segment_post("teacher", "device", [f"client 1 request {number} event {each}" for each in range(3)])


def raw(post: Post) -> bytes:
    """The request as bytes on the wire."""
    body = post.pack(0)
    head = f"POST {post.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def dial(house: House) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", house.collector_port), timeout=DEADLINE_S)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return line


def kept_names(house: House, fresh: Path) -> Counter[str]:
    with open_offline(load_again(house.settings, fresh)) as warehouse, warehouse.snapshot() as snapshot:
        rows = snapshot.query("select properties.name as name from events").to_pylist()
    return Counter(row["name"] for row in rows)


def refused(house: House) -> dict[str, int]:
    connection = http.client.HTTPConnection("127.0.0.1", house.collector_port, timeout=DEADLINE_S)
    connection.request("GET", "/health")
    counts: dict[str, int] = json.loads(connection.getresponse().read())["refused"]
    connection.close()
    return counts


def has_hung_up(line: socket.socket) -> bool:
    """Whether the other side closed or reset the connection."""
    with contextlib.suppress(ConnectionError):
        return line.recv(1) == b""
    return True


def test_two_hundred_slow_senders_are_dropped_and_the_others_served(house: House, tmp_path: Path) -> None:
    with house.running("collect"), contextlib.ExitStack() as lines:
        slow = [lines.enter_context(dial(house)) for _ in range(SLOW_CONNECTIONS)]
        for number, line in enumerate(slow):
            whole = raw(post(number))
            # A third stops in the request line, a third in the headers, a third in the body.
            line.sendall(whole[: (9, 60, len(whole) - 5)[number % 3]])
        # Some connect and say nothing, as browsers do ahead of need: they are dropped too, but were refused nothing.
        idle = [lines.enter_context(dial(house)) for _ in range(5)]
        # And one never stops: a byte now and then keeps no connection open for ever.
        dribbled = lines.enter_context(dial(house))
        good, answered, took = lines.enter_context(Line(house.collector_port)), list[str](), list[float]()
        for number, byte in zip(range(1000, 1060), raw(post(999)), strict=False):
            dribbled.sendall(bytes([byte]))
            began = time.monotonic()
            each = post(number)
            assert good.post(each.path, each.pack(0), each.headers)[0] == 200
            took.append(time.monotonic() - began)
            answered += each.events
        # A loop that waits for a slow sender takes seconds for each; the middle one, because the machine may be busy.
        assert sorted(took)[len(took) // 2] < REQUEST_TIMEOUT_S / 2
        for line in (*slow, *idle, dribbled):
            assert has_hung_up(line)
        assert refused(house)["request_timeout"] == SLOW_CONNECTIONS + 1
    assert kept_names(house, tmp_path / "fresh") == Counter(answered)


def test_broken_requests_leave_nothing_and_those_sent_again_count_once(house: House, tmp_path: Path) -> None:
    halves = [post(number) for number in range(3)]
    again = [native_post("teacher", "device", [f"client 2 request {number} event 0"]) for number in range(30)]
    with house.running("collect"):
        # Half a body, then goodbye; half a body, then a reset; half a body, and the end of what this side will say.
        for each, ending in zip(halves, ("close", "reset", "half-close"), strict=True):
            with dial(house) as line:
                line.sendall(raw(each)[:-7])
                if ending == "reset":
                    reset_at_close(line)
                elif ending == "half-close":
                    line.shutdown(socket.SHUT_WR)
                    assert has_hung_up(line)
        # Whole requests whose sender does not wait for the answer: it left, was cut off, or closed its side.
        for number, each in enumerate(again):
            with dial(house) as line:
                line.sendall(raw(each))
                if number % 3 == 1:
                    reset_at_close(line)
                elif number % 3 == 2:
                    line.shutdown(socket.SHUT_WR)
        # Without an answer a client sends again, with the same keys.
        with Line(house.collector_port) as line_again:
            for each in again:
                assert line_again.post(each.path, each.pack(1), each.headers)[0] == 200
    assert kept_names(house, tmp_path / "fresh") == Counter(name for each in again for name in each.events)


def reset_at_close(line: socket.socket) -> None:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_large_bodies_at_once_stay_within_the_memory_that_is_set(tmp_path: Path) -> None:
    """Sixty senders of four megabytes each, all kept waiting for their last byte, are 240 MB of nobody's events."""
    limit = 64 << 20
    house = House(tmp_path / "data", {"collector.max_waiting_bytes": limit, "collector.request_timeout_s": 30})
    with house.running("collect") as collector, contextlib.ExitStack() as lines:
        before = resident_bytes(collector.pid)
        body = b" " * (4 << 20)
        head = f"POST /v1/batch HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body) + 1}\r\n\r\n".encode()
        for _ in range(60):
            line = lines.enter_context(dial(house))
            with contextlib.suppress(ConnectionError, TimeoutError):
                line.sendall(head + body)
        with Line(house.collector_port) as small:
            each = post(1)
            assert small.post(each.path, each.pack(0), each.headers)[0] in (200, *REFUSALS)
        grown = resident_bytes(collector.pid) - before
    assert grown < 2.5 * limit, f"{grown >> 20} MB for {limit >> 20} MB of requests"


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * 4096
