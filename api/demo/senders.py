"""The story posted over HTTP by the SDKs themselves, unmodified: what a company's endpoints would do.

Every shipment is acknowledged before the next begins, so two posts of one story arrive in one order.

    PostError          something was not delivered; the message says by which client and why
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from typing import Any, Protocol
from urllib.request import Request, urlopen

from segment.analytics.client import Client
from sensorsanalytics.sdk import (
    BatchConsumer,
    SensorsAnalytics,
    SensorsAnalyticsException,
    SensorsAnalyticsIdentity,
)

from api.demo.arrival import Shipment
from api.demo.calls import ANONYMOUS, LOGIN, Call, ClientName
from api.demo.story import Story

WRITE_KEY = "default"
TIMEOUT_S = 30
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SEGMENT_WAIT_S = 0.02
"""How long Segment's client waits for a batch to fill: short, because every shipment ends with such a wait."""
_SEGMENT_RETRIES = 3
_NATIVE_BATCH = 100
_QUEUE_SIZE = 1_000_000
"""Above any shipment: Segment's client drops what does not fit into its queue."""


class PostError(RuntimeError):
    """A client could not deliver; what it had posted before stays with the collector."""


@dataclass(frozen=True, slots=True)
class Posted:
    """What the SDKs accepted and delivered."""

    accepted: Mapping[tuple[ClientName, str], int]
    """Records by client and record type."""

    @property
    def by_record_type(self) -> dict[tuple[str, str], int]:
        """Records by protocol and record type."""
        totals: Counter[tuple[str, str]] = Counter()
        for (client, record_type), count in self.accepted.items():
            totals[client.partition("_")[0], record_type] += count
        return dict(totals)

    @property
    def total(self) -> int:
        """All records."""
        return sum(self.accepted.values())


class Sender(Protocol):
    """One SDK client."""

    def send(self, call: Call) -> None:
        """Make the call; the SDK may keep it for its next request."""
        ...

    def flush(self) -> None:
        """Return when the collector has acknowledged everything sent, or raise."""
        ...

    def close(self) -> None:
        """End the client's threads."""
        ...


def post(story: Story, collector_url: str, progress: Callable[[int], None]) -> Posted:
    """Post the whole story to a collector such as `http://127.0.0.1:8106`.

    `progress` is given the number of calls acknowledged since it was last called. Raises `PostError`.
    """
    senders: dict[ClientName, Sender] = {
        "sensors_classic": SensorsClassicSender(collector_url),
        "sensors_idm3": SensorsIdm3Sender(collector_url),
        "segment_web": SegmentSender(collector_url, gzip=False),
        "segment_server": SegmentSender(collector_url, gzip=True),
        "native": NativeSender(collector_url),
    }
    accepted: Counter[tuple[ClientName, str]] = Counter()
    try:
        for shipment in story.shipments:
            _deliver(shipment, senders[shipment.client])
            accepted.update((call.client, call.record_type) for call in shipment.calls)
            progress(len(shipment.calls))
    finally:
        for sender in senders.values():
            sender.close()
    return Posted(accepted)


def _deliver(shipment: Shipment, sender: Sender) -> None:
    try:
        for call in shipment.calls:
            sender.send(call)
        sender.flush()
    except (SensorsAnalyticsException, OSError, HTTPException) as error:
        raise PostError(f"client {shipment.client!r} could not deliver: {error}") from error


class SensorsSender:
    """A Sensors client that posts fifty records a request; what its two ways of naming people share."""

    def __init__(self, collector_url: str) -> None:
        self._sdk = SensorsAnalytics(BatchConsumer(f"{collector_url.rstrip('/')}/sa?project=default", 50, TIMEOUT_S))

    def flush(self) -> None:
        """Post what is waiting. Without this a batch below fifty would wait for ever."""
        self._sdk.flush()

    def close(self) -> None:
        """Nothing to end: the client has no thread, and `flush` has emptied it."""


class SensorsClassicSender(SensorsSender):
    """One distinct_id a record: `track`, `track_signup`, `profile_set`."""

    def send(self, call: Call) -> None:
        """Make the call; posts when fifty are waiting."""
        key, distinct_id = call.identities[0]
        properties = _timed(call)
        # Each method is called from one line only: the SDK sends its caller's line, and a resend must not differ.
        if call.method == "track":
            self._sdk.track(distinct_id, call.name, properties, is_login_id=key == LOGIN)
        elif call.method == "track_signup":
            self._sdk.track_signup(distinct_id, call.identities[1][1], properties)
        elif call.method == "profile_set":
            self._sdk.profile_set(distinct_id, properties, is_login_id=key == LOGIN)
        else:
            raise _unspeakable(call)


class SensorsIdm3Sender(SensorsSender):
    """ID-Mapping 3, all identities on each record: `track_by_id`, `bind`, `profile_set_by_id`."""

    def send(self, call: Call) -> None:
        """Make the call; posts when fifty are waiting."""
        identities = [SensorsAnalyticsIdentity(key, value) for key, value in call.identities]
        properties = _timed(call)
        if call.method == "track_by_id":
            self._sdk.track_by_id(call.name, properties, *identities)
        elif call.method == "bind":
            # `bind` takes no properties, so the time has to come from the super properties.
            self._sdk.register_super_properties(properties)
            self._sdk.bind(*identities)
            self._sdk.clear_super_properties()
        elif call.method == "profile_set_by_id":
            self._sdk.profile_set_by_id(properties, *identities)
        else:
            raise _unspeakable(call)


class SegmentSender:
    """Segment's client: a queue and one thread which posts a hundred messages a request."""

    def __init__(self, collector_url: str, *, gzip: bool) -> None:
        self._failures: list[Exception] = []
        self._client = Client(
            WRITE_KEY,
            host=collector_url,
            gzip=gzip,
            max_queue_size=_QUEUE_SIZE,
            max_retries=_SEGMENT_RETRIES,
            upload_interval=_SEGMENT_WAIT_S,
            timeout=TIMEOUT_S,
            thread=1,
            on_error=lambda error, _batch: self._failures.append(error),
        )

    def send(self, call: Call) -> None:
        """Make the call; the client's thread posts it soon."""
        is_queued, _ = getattr(self._client, call.method)(**_segment_arguments(call))
        if not is_queued:
            raise PostError(f"Segment client dropped message {call.message_id!r}: its queue is full")

    def flush(self) -> None:
        """Wait until the thread has posted all of it."""
        self._client.flush()
        if self._failures:
            raise PostError(f"Segment client could not deliver: {self._failures[0]}") from self._failures[0]

    def close(self) -> None:
        """End the thread."""
        self._client.join()


class NativeSender:
    """Our own app without any SDK: plain JSON, a hundred messages a request."""

    def __init__(self, collector_url: str) -> None:
        self._url = f"{collector_url.rstrip('/')}/events"
        self._waiting: list[dict[str, Any]] = []

    def send(self, call: Call) -> None:
        """Keep the message; posts when a hundred are waiting."""
        if call.method != "track":
            raise _unspeakable(call)
        message: dict[str, Any] = {
            "event_name": call.name,
            "event_at": call.event_at.isoformat(),
            "dedupe_key": call.message_id,
            "identities": dict(call.identities),
            "properties": dict(call.properties),
        }
        if call.names_family:
            message["accounts"] = {"family": call.names_family}
        self._waiting.append(message)
        if len(self._waiting) >= _NATIVE_BATCH:
            self.flush()

    def flush(self) -> None:
        """Post what is waiting."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            body = json.dumps(waiting).encode()
            request = Request(self._url, body, {"Content-Type": "application/json"})
            urlopen(request, timeout=TIMEOUT_S).close()

    def close(self) -> None:
        """Nothing to end."""


def _segment_arguments(call: Call) -> dict[str, Any]:
    """What Segment's method of the call's name takes; copies, because the client writes into them."""
    named = dict(call.identities)
    arguments: dict[str, Any] = {
        "user_id": named.get(LOGIN),
        "timestamp": call.event_at,
        "message_id": call.message_id,
    }
    if call.method == "alias":
        return arguments | {"previous_id": named[ANONYMOUS]}
    # With no identity at all the client wants at least a string: it lets the empty one through.
    arguments["anonymous_id"] = named.get(ANONYMOUS) if named else ""
    if call.method == "identify":
        return arguments | {"traits": dict(call.properties)}
    if call.method == "group":
        return arguments | {"traits": dict(call.properties), "group_id": call.group_id}
    arguments["properties"] = dict(call.properties)
    arguments["context"] = {"groupId": call.group_id} if call.group_id else {}
    if call.method == "page":
        return arguments | {"name": call.name}
    if call.method == "track":
        return arguments | {"event": call.name}
    raise _unspeakable(call)


def _timed(call: Call) -> dict[str, Any]:
    """A copy of the properties with the time of the event: the SDK takes `$time` out again."""
    return {**call.properties, "$time": (call.event_at - _EPOCH) // timedelta(milliseconds=1)}


def _unspeakable(call: Call) -> PostError:
    return PostError(f"client {call.client!r} has no method {call.method!r}")
