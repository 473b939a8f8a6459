"""Clients that keep posting while services die: several families, each request sent again until it is answered.

A resend carries the same keys and times; Sensors' Python client packs it anew, so its bytes differ.
"""

import base64
import gzip
import http.client
import json
import threading
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

CLIENTS = 4
EVENTS_PER_REQUEST = 6
GIVE_UP_AFTER_S = 120.0
# Between two requests of a client, and before one that failed is sent again: clients wait, and 2 cores serve all.
PAUSE_S = 0.03
RESEND_PAUSE_S = 0.03
MOST_REQUESTS = 1_000_000
# The forms of "not now, send it again", family by family.
REFUSALS = (429, 503)
AT = "2026-11-20T08:00:00Z"
AT_MS = 1_795_161_600_000

_FORM = {"content-type": "application/x-www-form-urlencoded"}
_JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Post:
    """One request of a client: the same events, however often it is sent."""

    path: str
    events: list[str]
    pack: Callable[[int], bytes]
    headers: dict[str, str] = field(default_factory=lambda: _JSON)


def event_names(client: int, number: int) -> list[str]:
    """The events of one request; every event has a name of its own."""
    return [f"client {client} request {number} event {event}" for event in range(EVENTS_PER_REQUEST)]


def client_post(client: int, number: int) -> Post:
    """The n-th request of a client; the families take turns, and each request links a device to its teacher."""
    family = FAMILIES[(number + client) % len(FAMILIES)]
    return family(f"teacher-{client}-{number % 5}", f"device-{client}-{number % 40}", event_names(client, number))


def native_post(person: str, device: str, names: list[str]) -> Post:
    """Onepath's own form: keys, an answer per event."""
    identities = {"$identity_login_id": person, "$identity_anonymous_id": device}
    messages = [
        {
            "event_name": "LessonTaught",
            "event_at": AT,
            "identities": {"$identity_login_id": person},
            "dedupe_key": name,
            "properties": {"name": name},
        }
        for name in names
    ]
    identify = {
        "record_type": "identify",
        "identities": identities,
        "dedupe_key": names[0],
        "properties": {"d": device},
    }
    body = json.dumps([*messages, identify]).encode()
    return Post("/events", names, lambda _attempt: body)


def segment_post(person: str, device: str, names: list[str]) -> Post:
    """A Segment batch, gzipped as RudderStack does."""
    calls: list[dict[str, Any]] = [
        {
            "type": "track",
            "messageId": name,
            "event": "LessonTaught",
            "timestamp": AT,
            "userId": person,
            "properties": {"name": name},
        }
        for name in names
    ]
    identify = {"type": "identify", "messageId": "i " + names[0], "timestamp": AT, "userId": person}
    calls.append({**identify, "anonymousId": device, "traits": {"city": "Hangzhou"}})

    def pack(attempt: int) -> bytes:
        plain = json.dumps({"batch": calls, "sentAt": None, "writeKey": "k"}).encode()
        return gzip.compress(plain, 1, mtime=attempt)

    return Post("/v1/batch", names, pack, {**_JSON, "content-encoding": "gzip"})


def sensors_post(person: str, device: str, names: list[str]) -> Post:
    """Sensors' Python client: no key, and gzip that carries the clock, so that a resend has other bytes."""
    return _sensors(person, device, names, lambda _name: {})


def keyed_sensors_post(person: str, device: str, names: list[str]) -> Post:
    """Sensors' other clients: a `_track_id`."""
    return _sensors(person, device, names, lambda name: {"_track_id": sum(name.encode()) % 1000})


def _sensors(person: str, device: str, names: list[str], key: Callable[[str], dict[str, int]]) -> Post:
    events = [
        {
            "type": "track",
            "event": f"LessonTaught{place}",
            "time": AT_MS,
            "distinct_id": person,
            "properties": {"$is_login_id": True, "name": name},
            **key(name),
        }
        for place, name in enumerate(names)
    ]
    # Of one time, one id and one name, `_track_id` would be the only difference, and it is nine digits of chance.
    for place, event in enumerate(events):
        event["time"] = AT_MS + _number_of(names[place])
    bind = {
        "type": "track_id_bind",
        "event": "$BindID",
        "time": events[0]["time"],
        "distinct_id": person,
        "identities": {"$identity_login_id": person, "$identity_anonymous_id": device},
        "properties": {"name": "bind " + names[0]},
    }

    def pack(attempt: int) -> bytes:
        data = gzip.compress(json.dumps([*events, bind]).encode(), 1, mtime=attempt)
        return urllib.parse.urlencode({"data_list": base64.b64encode(data).decode(), "gzip": "1"}).encode()

    return Post("/sa", names, pack, _FORM)


def _number_of(name: str) -> int:
    _, client, _, request, _, event = name.split()
    return (int(request) * CLIENTS + int(client)) * EVENTS_PER_REQUEST + int(event)


FAMILIES = (native_post, segment_post, sensors_post, keyed_sensors_post)


@dataclass
class Crowd:
    """Clients posting at once, each in its own order, until they are told that it is enough.

    `said` is how many requests of each client were answered; `event_ids` what the native form answered for each event.
    """

    port: int
    said: list[int] = field(default_factory=lambda: [0] * CLIENTS)
    resent: int = 0
    event_ids: dict[str, str] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    _enough: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Begin to post."""
        self._threads = [threading.Thread(target=self._say, args=(number,), daemon=True) for number in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Let every client end the request it is at."""
        self._enough.set()
        for thread in self._threads:
            thread.join(GIVE_UP_AFTER_S)
            assert not thread.is_alive(), "a client is still waiting for its answer"

    @property
    def names(self) -> list[str]:
        """Every event of every request that was answered."""
        return [
            name
            for client, count in enumerate(self.said)
            for number in range(count)
            for name in event_names(client, number)
        ]

    def _say(self, number: int) -> None:
        with Line(self.port) as line:
            while self.said[number] < MOST_REQUESTS and not self._enough.is_set():
                post, attempt = client_post(number, self.said[number]), 0
                while not self._is_answered(line, post, attempt):
                    attempt += 1
                    time.sleep(RESEND_PAUSE_S)  # the pause of a client whose request failed, not a wait of the test
                self.said[number] += 1
                time.sleep(PAUSE_S)

    def _is_answered(self, line: "Line", post: Post, attempt: int) -> bool:
        status, answer = line.post(post.path, post.pack(attempt), {**post.headers, "x-retry-count": str(attempt)})
        with self._lock:
            self.resent += attempt > 0
            if status == 200 and post.path == "/events":
                self._note_verdicts(post, answer)
            elif status not in (None, 200, *REFUSALS):
                self.complaints.append(f"{post.path} answered {status}: {answer[:200]!r}")
        return status == 200

    def _note_verdicts(self, post: Post, answer: bytes) -> None:
        told = json.loads(answer)
        for name, verdict in zip([*post.events, None], told["results"], strict=True):
            if verdict["status"] != "accepted":
                self.complaints.append(f"{name}: {verdict}")
            elif name is not None:
                self.event_ids[name] = verdict["event_id"]


class Line:
    """A client's connection, dialled again when it broke."""

    def __init__(self, port: int, timeout_s: float = 10.0) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)

    def post(self, path: str, body: bytes, headers: dict[str, str] = _JSON) -> tuple[int | None, bytes]:
        """Status and body of the answer; status None when the connection was lost before."""
        try:
            self._connection.request("POST", path, body, headers)
            response = self._connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return None, b""

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_error: object) -> None:
        self._connection.close()
