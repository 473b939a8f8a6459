"""The native form: what one sends is what one finds."""

import gzip
import json
from typing import Any

import pytest

from ingest.message import ANONYMOUS_ID, LOGIN_ID, Identity, Message, PropertyChange, message_id
from ingest.record import Position
from ingest.settings import DecodeSettings
from tests.stories import NOON, NOON_US, SECOND_US, Json, decoded, device, event, login, native, post

EVERY_FIELD: Json = {
    "identities": {**login("u1"), **device("d1")},
    "record_type": "track",
    "event_name": "pay",
    "event_at": "2026-11-02T11:59:30+08:00",
    "sent_at": "2026-11-02T04:00:00Z",
    "dedupe_key": "order-7",
    "account_id": "school-1",
    "source": "server",
    "sdk": "crm-export",
    "sdk_version": "3.1",
    "properties": {"amount": 98, "channel": "wechat", "gone": None},
}


def test_every_field_arrives() -> None:
    (message,) = decoded(native(EVERY_FIELD)).messages
    assert message == Message(
        index=0,
        protocol="native",
        record_type="track",
        event_name="pay",
        event_at_us=NOON_US - 30 * SECOND_US,
        original_event_at_us=NOON_US - 30 * SECOND_US,
        has_own_time=True,
        sent_at_us=NOON_US,
        identities=(Identity(LOGIN_ID, "u1"), Identity(ANONYMOUS_ID, "d1")),
        distinct_id="u1",
        dedupe_key="order-7",
        content_hash=None,
        occurrence=0,
        account_id="school-1",
        source="server",
        sdk="crm-export",
        sdk_version="3.1",
        properties={"amount": 98, "channel": "wechat"},
    )


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(event("reach", device("d1"))).encode(),
        b" \n[" + json.dumps(event("reach", device("d1"))).encode() + b"]\n",
        gzip.compress(json.dumps([event("reach", device("d1"))]).encode(), mtime=0),
    ],
    ids=["one", "many", "gzip"],
)
def test_one_or_many_gzipped_or_not(body: bytes) -> None:
    for path in ("/events", "/events/", "/native/events"):
        assert [each.event_name for each in decoded(post(path, body)).messages] == ["reach"]


LINES = b"\n".join(json.dumps(event(name, device("d1"))).encode() for name in ("reach", "pay"))


@pytest.mark.parametrize(
    ("body", "content_type", "names"),
    [
        pytest.param(LINES, "application/x-ndjson", ["reach", "pay"], id="said"),
        pytest.param(LINES + b"\n", "application/json", ["reach", "pay"], id="told by its first line"),
        pytest.param(b"\r\n \r\n" + LINES.replace(b"\n", b"\r\n\r\n"), "", ["reach", "pay"], id="empty lines"),
        pytest.param(gzip.compress(LINES, mtime=0), "application/jsonl", ["reach", "pay"], id="gzip"),
        pytest.param(LINES.partition(b"\n")[0], "application/ndjson; charset=utf-8", ["reach"], id="one line"),
        pytest.param(
            json.dumps(event("reach", device("d1")), indent=2).encode(), "", ["reach"], id="one on many lines"
        ),
        pytest.param(b"[\n" + LINES.replace(b"\n", b",\n") + b"\n]", "", ["reach", "pay"], id="a list on many lines"),
    ],
)
def test_messages_may_stand_on_lines(body: bytes, content_type: str, names: list[str]) -> None:
    request = post("/events", body)
    request.headers["content-type"] = content_type
    found = decoded(request)
    assert ([each.event_name for each in found.messages], found.rejects) == (names, [])


def test_bad_line_is_refused_alone() -> None:
    first, _, last = LINES.partition(b"\n")
    found = decoded(post("/events", first + b'\n{"event_name":\n' + last))
    assert [(each.index, each.event_name) for each in found.messages] == [(0, "reach"), (2, "pay")]
    assert [(each.index, each.reason, each.original) for each in found.rejects] == [
        (1, "unreadable_message", b'{"event_name":')
    ]
    many = decoded(post("/events", LINES + b"\n" + LINES), DecodeSettings(max_messages=3))
    assert (len(many.messages), [each.reason for each in many.rejects]) == (3, ["too_many_messages"])


def test_identify_and_group_are_no_events() -> None:
    identify = {"record_type": "identify", "identities": login("u1"), "properties": {"grade": 3}}
    group = {"record_type": "group", "identities": login("u1"), "account_id": 7, "properties": {"city": "Hefei"}}
    messages = decoded(native(identify, group)).messages
    assert [(each.event_name, each.change, each.account_id, each.properties) for each in messages] == [
        (None, PropertyChange("person", "set", {"grade": 3}), None, {}),
        (None, PropertyChange("account", "set", {"city": "Hefei"}), "7", {}),
    ]


def test_group_without_a_person_describes_the_account_alone() -> None:
    (message,) = decoded(native({"record_type": "group", "identities": {}, "account_id": "school-1"})).messages
    assert (message.identities, message.distinct_id) == ((), None)


def test_without_a_time_it_happens_when_it_arrives() -> None:
    (message,) = decoded(native(event("reach", device("d1")))).messages
    assert (message.event_at_us, message.original_event_at_us, message.sent_at_us) == (NOON_US, NOON_US, None)


@pytest.mark.parametrize(
    ("text", "seconds_before_noon"),
    [
        ("2026-11-02T04:00:00", 0),  # no zone: UTC
        ("2026-11-02T12:00:00+08:00", 0),
        ("2026-11-02 03:59:00Z", 60),
        ("2026-11-02", 4 * 3600),
        ("20261102T035959Z", 1),
    ],
)
def test_times_are_iso_8601(text: str, seconds_before_noon: int) -> None:
    (message,) = decoded(native({**event("reach", device("d1")), "event_at": text})).messages
    assert message.event_at_us == NOON_US - seconds_before_noon * SECOND_US


def test_event_id_comes_from_the_key_and_day_else_from_the_position() -> None:
    def id_of(file: int, **fields: Any) -> str:
        (message,) = decoded(native({**event("reach", device("d1"), NOON), **fields})).messages
        return str(message_id(message, Position("collector", file, 0)))

    assert id_of(1, dedupe_key="k") == id_of(2, dedupe_key="k") == "e39c385d-7b79-8cf1-8efe-7b2d3221e045"
    assert id_of(1, dedupe_key="k") != id_of(1, dedupe_key="k", event_at="2026-11-01T04:00:00Z")
    assert id_of(1, dedupe_key="k") == id_of(1, dedupe_key="k", event_at="2026-11-02T23:59:59Z")
    assert id_of(1) != id_of(2)
    assert id_of(1) == id_of(1, event_name="another")
    assert id_of(1)[14] == "8"  # a UUID of version 8: the content is our own
