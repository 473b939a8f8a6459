"""Small logs and warehouses for the tests of `ingest` and `warehouse`.

A story is a list of requests with the moment each arrived. Clocks and ids are fixed; a log is written frame by frame,
so that a test says when each record arrived and in which stream.
"""

import base64
import gzip
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from ingest.decode import decode
from ingest.log.files import OPEN_SUFFIX, Opening, file_path
from ingest.log.frame import FrameKind, encode_frame
from ingest.message import ANONYMOUS_ID, LOGIN_ID, Decoded
from ingest.record import Act, Record, Request, encode_record
from ingest.settings import DecodeSettings
from warehouse.load import Loader, LoadStage
from warehouse.project import Project
from warehouse.reader import EventProperty
from warehouse.settings import WarehouseSettings
from warehouse.warehouse import Warehouse

NOON = datetime(2026, 11, 2, 4, 0, tzinfo=UTC)  # a Monday in Shanghai
SECOND_US = 1_000_000
MARKER = b"a secret"  # of every log file in a story
DAY_US = 86_400 * SECOND_US
PROJECT = Project("academy", "sixteen bytes of salt")
VIEWS = (
    "events",
    "calls",
    "persons",
    "identities",
    "identity_links",
    "accounts",
    "rejects",
    "arrivals",
    "acts",
    "event_properties",
    "plan_violations",
    "property_history",
    "property_values",
    "memberships",
    "account_events",
)
_STAGE_EVENTS = """
select
    case event_name when 'reach' then 1 else 2 end as stage_index,
    event_name as stage_name,
    event_date,
    person_id,
    account_id,
from events
where event_name in ('reach', 'pay')
"""


def STAGES(_properties: list[EventProperty]) -> str:  # noqa: N802  # a constant that happens to be a function
    """The two stages of these stories as SQL."""
    return _STAGE_EVENTS


Json = dict[str, Any]


def us(moment: datetime) -> int:
    """A moment in microseconds since 1970 UTC."""
    return round((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))


NOON_US = us(NOON)
NOON_MS = NOON_US // 1000


class FixedClock:
    """A clock that moves only when told to."""

    def __init__(self, now_us: int = NOON_US) -> None:
        self.now_us = now_us

    def __call__(self) -> int:
        return self.now_us


# People


def device(name: str) -> dict[str, str]:
    """A device, as identities."""
    return {ANONYMOUS_ID: name}


def login(name: str) -> dict[str, str]:
    """A login, as identities."""
    return {LOGIN_ID: name}


def mobile(number: str) -> dict[str, str]:
    """A phone number, as identities."""
    return {"$identity_mobile": number}


# Messages


def event(name: str, who: Mapping[str, Any], at: datetime | None = None, **properties: Any) -> Json:
    """A native event; without `at` it happens when it arrives."""
    moment = {"event_at": at.isoformat()} if at is not None else {}
    return {"event_name": name, "identities": dict(who), "properties": properties, **moment}


def tracked(name: str, who: str = "d1", at_ms: int = NOON_MS, **fields: Any) -> Json:
    """A Sensors event of `who`, a distinct_id."""
    return {"type": "track", "event": name, "distinct_id": who, "time": at_ms, "properties": {}, **fields}


ORDER = {**event("pay", device("d1"), NOON), "dedupe_key": "order-7"}
SEGMENT_CALL = {
    "type": "track",
    "event": "reach",
    "anonymousId": "d1",
    "timestamp": NOON.isoformat(),
    "messageId": "m1",
}


def profile(operation: str, at_ms: int = NOON_MS, who: str = "d1", **properties: Any) -> Json:
    """A profile call of a Sensors client."""
    return {"type": f"profile_{operation}", "distinct_id": who, "time": at_ms, "properties": properties}


# Requests


def native(*messages: Json | bytes) -> Request:
    """`POST /events` with these messages."""
    texts = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in messages]
    return post("/events", b"[" + b",".join(texts) + b"]")


def segment(*calls: Json, path: str = "/v1/batch", **envelope: Any) -> Request:
    """A Segment batch of these calls."""
    return post(path, json.dumps({"batch": calls, **envelope}).encode())


def sensors(*events: Json) -> Request:
    """What the Python client of Sensors posts: `data_list` of base64 of gzipped JSON."""
    packed = gzip.compress(json.dumps(events).encode(), mtime=0)
    return post("/sa", b"data_list=" + quote(base64.b64encode(packed)).encode() + b"&gzip=1")


def unbind(who: Mapping[str, str], at_ms: int = NOON_MS) -> Request:
    """A Sensors client frees an identity."""
    return sensors({"type": "track_id_unbind", "event": "$UnbindID", "time": at_ms, "identities": dict(who)})


def post(path: str, body: bytes, query: str = "") -> Request:
    return Request("POST", path, query, {}, "203.0.113.7", body)


def get(path: str, query: str) -> Request:
    return Request("GET", path, query, {}, "203.0.113.7", b"")


def retraction(left: Mapping[str, str], right: Mapping[str, str]) -> Act:
    """An operator takes the link of two identities back."""
    sides = {
        side: {"key": key, "value": value}
        for side, who in (("left", left), ("right", right))
        for key, value in who.items()
    }
    return Act("retract_link", "head office", sides)


def decoded(request: Request, settings: DecodeSettings | None = None, received_at_us: int = NOON_US) -> Decoded:
    """What a request that arrives at noon decodes to."""
    return decode(Record(received_at_us, request), settings or DecodeSettings())


# Logs and warehouses


class StoryLog:
    """A log on disk whose records arrive when the test says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def append(self, entry: Request | Act, at_us: int = NOON_US, stream: str = "collector") -> None:
        """Put one record at the end of a stream."""
        path = file_path(self.folder / stream, 1, OPEN_SUFFIX)
        is_new = not path.exists()
        path.parent.mkdir(parents=True, exist_ok=True)
        request, act = (entry, None) if isinstance(entry, Request) else (None, entry)
        with path.open("ab") as file:
            if is_new:
                opening = msgspec.msgpack.encode(Opening(stream, 1, at_us))
                file.write(encode_frame(FrameKind.OPENING, opening, MARKER))
            file.write(encode_frame(FrameKind.RECORD, encode_record(Record(at_us, request, act)), MARKER))

    def tell(self, *entries: Request | Act, start_us: int = NOON_US, every_us: int = SECOND_US) -> None:
        """Put records at the end of the collector's stream, one every second."""
        for number, entry in enumerate(entries):
            self.append(entry, start_us + number * every_us)


def new_warehouse(**settings: Any) -> Warehouse:
    """An empty warehouse in memory."""
    return Warehouse(":memory:", PROJECT, WarehouseSettings(**{"threads": 1, **settings}))


def loader_of(
    warehouse: Warehouse, log: StoryLog, observe: Callable[[LoadStage], None] = lambda _stage: None
) -> Loader:
    """A loader, as after a start."""
    return Loader(warehouse, log.folder, DecodeSettings(), observe=observe)


def load_story(log: StoryLog, **settings: Any) -> Warehouse:
    """A fresh warehouse with everything the log holds."""
    warehouse = new_warehouse(**settings)
    loader_of(warehouse, log).load_all()
    return warehouse


def told(folder: Path, *entries: Request | Act) -> Warehouse:
    """A fresh warehouse of a story whose records arrive one second apart."""
    log = StoryLog(folder)
    log.tell(*entries)
    return load_story(log)


def rows(warehouse: Warehouse, sql: str) -> list[tuple[Any, ...]]:
    """The answer to a question, as tuples."""
    with warehouse.snapshot() as snapshot:
        table = snapshot.query(sql)
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def event_names(warehouse: Warehouse) -> list[str]:
    """The names of all events, in the order of the log."""
    return [name for (name,) in rows(warehouse, "select event_name from events order by log_order")]


def contents(warehouse: Warehouse, views: Iterable[str] = VIEWS) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every public view, in an order that depends on nothing but the rows."""
    return {view: rows(warehouse, f"select * from {view} order by all") for view in views}
