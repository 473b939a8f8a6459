"""The events that the benchmarks send: the same random story for every family, the same in every run."""

import base64
import gzip
import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import quote_plus

from ingest.record import Request

START = datetime(2026, 9, 1, tzinfo=UTC)
EVENT_NAMES = ("Reached", "TrialStarted", "Signed", "LessonViewed", "Paid")
SEED = 20260901


class Told(NamedTuple):
    """One event before it is written in the form of a family."""

    name: str
    at: datetime
    key: int
    device: str
    login: str | None
    account: str
    properties: dict[str, Any]

    @property
    def at_ms(self) -> int:
        return round(self.at.timestamp() * 1000)

    @property
    def at_text(self) -> str:
        return self.at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{self.at.microsecond // 1000:03d}Z"


def tell(count: int, persons: int) -> Iterator[Told]:
    """`count` events, 50 a second, of `persons` persons, every second of whom has logged in."""
    chance = random.Random(SEED)
    for number in range(count):
        person = chance.randrange(persons)
        yield Told(
            name=chance.choice(EVENT_NAMES),
            at=START + timedelta(milliseconds=20 * number),
            key=chance.getrandbits(64),
            device=f"{person * 7919:032x}",
            login=f"user-{person}" if person % 2 else None,
            account=f"school-{person % 300}",
            properties={
                "channel": chance.choice(["web", "exhibition", "referral"]),
                "region": chance.choice(["east", "west", "north"]),
                "amount": chance.randint(1, 5000) / 10,
                "course": f"math-{chance.randint(1, 50)}",
                "grade": chance.randint(1, 9),
                "is_trial": chance.random() < 0.5,
                "$url": f"https://edu.example.test/course/{chance.randint(1, 1000)}?from=search",
            },
        )


def native_requests(count: int, batch: int, persons: int = 20_000) -> list[Request]:
    """The events as requests of the native form."""

    def form(told: Told) -> dict[str, Any]:
        identities = {"$identity_anonymous_id": told.device} | (
            {"$identity_login_id": told.login} if told.login else {}
        )
        return {
            "event_name": told.name,
            "event_at": told.at_text,
            "dedupe_key": f"{told.key:016x}",
            "identities": identities,
            "account_id": told.account,
            "properties": told.properties,
        }

    return _requests("/events", count, batch, persons, form, lambda messages: _json(messages))


def segment_requests(count: int, batch: int, persons: int = 20_000) -> list[Request]:
    """The events as requests of Segment's Node client."""

    def form(told: Told) -> dict[str, Any]:
        return {
            "type": "track",
            "event": told.name,
            "messageId": f"node-next-{told.at_ms}-{told.key:032x}",
            "anonymousId": told.device,
            "userId": told.login,
            "timestamp": told.at_text,
            "context": {"library": {"name": "@segment/analytics-node", "version": "3.1.0"}},
            "integrations": {},
            "properties": told.properties,
        }

    def close(messages: list[dict[str, Any]]) -> bytes:
        return _json({"batch": messages, "sentAt": messages[-1]["timestamp"], "writeKey": "bench"})

    return _requests("/v1/batch", count, batch, persons, form, close)


def sensors_requests(count: int, batch: int, persons: int = 20_000) -> list[Request]:
    """The events as requests of a Sensors client that batches and gzips."""

    def form(told: Told) -> dict[str, Any]:
        identities = {"$identity_anonymous_id": told.device} | (
            {"$identity_login_id": told.login} if told.login else {}
        )
        return {
            "type": "track",
            "event": told.name,
            "time": told.at_ms,
            "_track_id": told.key % 10**9,
            "_flush_time": told.at_ms + 5,
            "distinct_id": told.login or told.device,
            "identities": identities,
            "lib": {"$lib": "js", "$lib_version": "1.27.11", "$lib_method": "code"},
            "properties": told.properties,
        }

    def close(messages: list[dict[str, Any]]) -> bytes:
        packed = base64.b64encode(gzip.compress(_json(messages), mtime=0))
        return b"gzip=1&data_list=" + quote_plus(packed).encode()

    return _requests("/sa", count, batch, persons, form, close)


FAMILIES: dict[str, Callable[..., list[Request]]] = {
    "sensors": sensors_requests,
    "segment": segment_requests,
    "native": native_requests,
}


def _requests(
    path: str,
    count: int,
    batch: int,
    persons: int,
    form: Callable[[Told], dict[str, Any]],
    close: Callable[[list[dict[str, Any]]], bytes],
) -> list[Request]:
    messages = [form(told) for told in tell(count, persons)]
    groups = [messages[at : at + batch] for at in range(0, count, batch)]
    return [Request("POST", path, "", {}, "127.0.0.1", close(group)) for group in groups]


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
