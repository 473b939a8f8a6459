"""Too much: what would take seconds or gigabytes to read is refused unread, and costs its neighbours nothing."""

import base64
import json
import logging
from typing import Any

import pytest

from ingest.message import Decoded, Message
from ingest.protocols.reading import Reader
from ingest.protocols.splitting import Item, has_more_values, json_items, looks_like_lines, object_members
from ingest.record import Request
from ingest.settings import DecodeSettings
from tests.stories import NOON_US, decoded, device, event, native, post, segment, sensors, tracked

GOOD = event("reach", device("d1"))
CALL = {"type": "track", "event": "reach", "anonymousId": "d1"}
MEGABYTES_OF_LISTS = b"[" + b"[]," * 1_100_000 + b"[]]"
NEVER_ENDING_TEXT = b'"' + b'\\"' * 1_000_000


def reasons(found: Decoded) -> list[str]:
    return [each.reason for each in found.rejects]


# Values


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"a": [1, 2, 3], "b": {"x": 1, "y": [2]}}, None),
        ({"a": [1, 2, 3], "b": {"x": 1, "y": [2, 3]}}, "too_many_properties"),
        ({"a": [[[1, 2, 3, 4, 5, 6]]]}, "too_many_properties"),
        ({str(number): number for number in range(50)}, None),
    ],
)
def test_values_within_properties_are_counted_together(properties: dict[str, Any], reason: str | None) -> None:
    found = decoded(native({**GOOD, "properties": properties}, GOOD), DecodeSettings(max_nested_values=6))
    assert reasons(found) == ([reason] if reason else [])
    assert found.messages[-1].event_name == "reach"


@pytest.mark.parametrize("stuffing", [MEGABYTES_OF_LISTS, b"[" + b"0," * 1_100_000 + b"0]", b'["a"' * 500_000])
def test_message_of_millions_of_values_is_refused_alone_and_unread(stuffing: bytes) -> None:
    good = json.dumps(GOOD).encode()
    stuffed = b'{"event_name":"x","identities":{"k":"v"},"properties":{"a":' + stuffing + b"}}"
    lines = decoded(post("/events", b"\n".join([good, stuffed, good])))
    assert ([each.index for each in lines.messages], reasons(lines)) == ([0, 2], ["too_many_properties"])
    assert lines.rejects[0].detail == "more than 22000 values in one message"
    in_array = decoded(post("/events", b"[" + b",".join([good, stuffed, good]) + b"]"))
    assert in_array.messages[0].event_name == "reach"
    assert len(in_array.rejects) == 1


@pytest.mark.parametrize(
    "request_",
    [
        post("/v1/batch", b'{"batch":[' + MEGABYTES_OF_LISTS + b"]}"),
        post("/v1/batch", b'{"batch":[NaN,' + MEGABYTES_OF_LISTS + b"]}"),
        post("/v1/batch", b'{"sentAt":' + MEGABYTES_OF_LISTS + b',"batch":[]}'),
        post("/v1/track", b'{"properties":{"a":' + MEGABYTES_OF_LISTS + b"}}"),
        post("/sa", b"data=" + base64.b64encode(b"[" + MEGABYTES_OF_LISTS + b"]")),
        post("/events", b"[" + NEVER_ENDING_TEXT),
        post("/events", b"[" + b"[" * 2000 + NEVER_ENDING_TEXT),
        post("/v1/batch", b'{"batch":' + b"[" * 2000 + NEVER_ENDING_TEXT),
    ],
    ids=["batch", "batch with NaN", "sentAt", "call", "sensors", "text", "deep text", "deep text in a batch"],
)
def test_bodies_made_to_be_slow_are_refused(request_: Request) -> None:
    found = decoded(request_)
    assert not found.messages
    assert found.rejects


@pytest.mark.parametrize(
    ("data", "count"),
    [
        (b"[" + b"1," * 50 + b"1]", 51),
        (b'["' + b"," * 5000 + b'",{"a":[]}]', 4),
        (b'["' + b'\\",[' * 5000 + b'",1]', 2),
        (b'{"a":"' + b"[" * 5000, 1),
    ],
)
def test_values_are_counted_outside_of_texts(data: bytes, count: int) -> None:
    assert has_more_values(data, count - 1)
    assert not has_more_values(data, count)


def test_crowded_body_is_taken_apart_as_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages of more than a hundred values each, one of them with NaN and one that looks broken."""
    monkeypatch.setattr("ingest.protocols.splitting._MOST_VALUES", 10_000)
    item = b'{"a":[' + b'"]",' * 120 + b"1]}"
    texts = [item] * 98 + [b'{"a":NaN}', b'{"a":"\\"]}{"}']
    items, stopped = json_items(b"[" + b",".join(texts) + b"]", 10_000)
    assert ([bytes(each) for each in items], stopped) == (texts, None)
    members = object_members(b'{"batch":[' + b",".join(texts) + b'],"sentAt":null}')
    assert (len(members["batch"]), members["sentAt"]) == (sum(map(len, texts)) + len(texts) + 1, b"null")


def test_only_a_short_first_line_tells_ndjson() -> None:
    def two_lines(first: bytes) -> bool:
        return looks_like_lines(first + b"\n" + json.dumps(GOOD).encode())

    assert two_lines(b' {"a":NaN}\r')
    assert two_lines(b'{"a":"' + b"x" * 60_000 + b'"}')
    assert not two_lines(b'{"a":"' + b"x" * 70_000 + b'"}')
    assert not two_lines(b'{"a":nan}')
    assert not two_lines(b"[1]")


def test_checksum_of_a_very_long_text_is_not_taken() -> None:
    short, long = (decoded(post("/sa", b"crc=1&data=" + b"?" * size)).rejects[0].detail for size in (99, 2 << 20))
    assert short.endswith("by its crc the text was cut or changed on the way")
    assert "crc" not in long


# Texts


def test_detail_of_a_reject_is_cut() -> None:
    (reject,) = decoded(native({**GOOD, "event_at": "x" * 1_000_000})).rejects
    assert (len(reject.detail), reject.detail[:15], reject.detail[-1]) == (500, "event_at 'xxxxx", "…")


LONG = "x" * 256


@pytest.mark.parametrize(
    ("request_", "what"),
    [
        pytest.param(native({**GOOD, "dedupe_key": LONG}), "the dedupe key has 256", id="native key"),
        pytest.param(segment({**CALL, "messageId": LONG}), "the dedupe key has 256", id="segment key"),
        pytest.param(sensors({**tracked("x"), "_track_id": "9" * 1200}), "the dedupe key has 12", id="sensors key"),
        pytest.param(
            sensors({**tracked("x"), "identities": {"k": "v"}, "distinct_id": LONG}),
            "the distinct_id has 256",
            id="distinct_id",
        ),
        pytest.param(
            sensors({**tracked("x"), "type": "item_set", "item_type": LONG, "item_id": "1"}),
            "the item_type has 256",
            id="item_type",
        ),
        pytest.param(
            sensors({**tracked("x"), "type": "item_set", "item_type": "course", "item_id": LONG}),
            "the item_id has 256",
            id="item_id",
        ),
        pytest.param(native({**GOOD, "properties": {LONG: 1}}), "has a name of 256", id="property"),
        pytest.param(
            native({"record_type": "identify", "identities": device("d1"), "properties": {LONG: 1}}),
            "has a name of 256",
            id="property of a person",
        ),
    ],
)
def test_names_and_keys_have_a_longest(request_: Request, what: str) -> None:
    (reject,) = decoded(request_).rejects
    assert reject.reason == "name_too_long"
    assert what in reject.detail


def test_names_and_keys_as_long_as_they_may_be_are_taken() -> None:
    most = "x" * 255
    sent = {**event(most, {most: most}), "dedupe_key": most, "properties": {most: 1}}
    assert not decoded(native(sent)).rejects
    longest = {**tracked(most), "distinct_id": most, "_track_id": 123_456_789}
    assert not decoded(sensors(longest)).rejects


def test_name_and_version_of_an_sdk_are_cut() -> None:
    (message,) = decoded(native({**GOOD, "sdk": LONG, "sdk_version": "1.2"})).messages
    assert (message.sdk, message.sdk_version) == ("x" * 255, "1.2")
    (call,) = decoded(segment({**CALL, "context": {"library": {"name": "n", "version": LONG}}})).messages
    assert (call.sdk, call.sdk_version) == ("n", "x" * 255)


# A defect of ours


def test_unforeseen_exception_costs_one_message(caplog: pytest.LogCaptureFixture) -> None:
    reader = Reader("native", NOON_US, DecodeSettings())
    (good,) = decoded(native(GOOD)).messages

    def interpret(_index: int, item: Item) -> Message:
        if item == b"bad":
            raise ZeroDivisionError("by " + LONG * 2)
        return good

    with caplog.at_level(logging.ERROR):
        reader.read([b"good", b"bad", b"bad", b"good"], interpret)
    assert len(reader.decoded.messages) == 2
    assert [(each.index, each.reason, each.original) for each in reader.decoded.rejects] == [
        (1, "decoder_failed", b"bad"),
        (2, "decoder_failed", b"bad"),
    ]
    assert reader.decoded.rejects[0].detail.startswith("ZeroDivisionError: by xxx")
    assert len(caplog.records) == 1
