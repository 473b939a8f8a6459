"""Bad input: each refusal names its reason, good neighbours are kept, and nothing raises."""

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.decode import decode, recognise
from ingest.errors import RejectReason
from ingest.message import Decoded
from ingest.record import Act, CutBody, Record, Request
from ingest.settings import DecodeSettings
from tests.stories import NOON_MS, decoded, device, event, get, native, post, segment, sensors, tracked

GOOD = event("reach", device("d1"))
CALL = {"type": "track", "event": "reach", "anonymousId": "d1"}
RECORDED_AT_US = 1_795_309_200_000_000  # an hour after the recordings
SMALL = DecodeSettings(max_decompressed_bytes=10_000, max_messages=3)


def reasons(found: Decoded) -> list[str]:
    return [each.reason for each in found.rejects]


def deep(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


# One bad among good


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        pytest.param({**GOOD, "event_name": None}, "missing_event_name", id="no name"),
        pytest.param({**GOOD, "event_name": ""}, "missing_event_name", id="empty name"),
        pytest.param({**GOOD, "event_name": " \t"}, "missing_event_name", id="blank name"),
        pytest.param({**GOOD, "event_name": 7}, "unreadable_message", id="a number for a name"),
        pytest.param({**GOOD, "identities": {}}, "missing_identity", id="nobody"),
        pytest.param({**GOOD, "identities": device("")}, "missing_identity", id="empty id"),
        pytest.param({**GOOD, "identities": {"$identity_login_id": ["u1"]}}, "missing_identity", id="a list for an id"),
        pytest.param({"event_name": "reach"}, "missing_identity", id="identities left out"),
        pytest.param({**GOOD, "event_at": "1970-01-01T00:00:00Z"}, "time_too_old", id="1970"),
        pytest.param({**GOOD, "event_at": 0}, "time_too_old", id="zero"),
        pytest.param({**GOOD, "event_at": "2100-01-01T00:00:00Z"}, "time_too_far_ahead", id="2100"),
        pytest.param({**GOOD, "event_at": "9999-12-31T23:59:59-14:00"}, "time_too_far_ahead", id="the last year"),
        pytest.param({**GOOD, "event_at": "0001-01-01T00:00:00+14:00"}, "time_too_old", id="the first year"),
        pytest.param({**GOOD, "event_at": "yesterday"}, "unreadable_message", id="words for a time"),
        pytest.param({**GOOD, "event_at": True}, "unreadable_message", id="a boolean for a time"),
        pytest.param({**GOOD, "event_at": 10**300}, "unreadable_message", id="a time beyond all calendars"),
        pytest.param({**GOOD, "event_name": "x" * 256}, "name_too_long", id="long name"),
        pytest.param({**GOOD, "identities": device("x" * 256)}, "name_too_long", id="long id"),
        pytest.param({**GOOD, "identities": {"k" * 256: "v"}}, "name_too_long", id="long key"),
        pytest.param({**GOOD, "account_id": "x" * 256}, "name_too_long", id="long account"),
        pytest.param({**GOOD, "record_type": "purchase"}, "unknown_record_type", id="unknown type"),
        pytest.param({**GOOD, "record_type": "group"}, "missing_account", id="group without account"),
        pytest.param({**GOOD, "eventname": "typo"}, "unreadable_message", id="unknown field"),
        pytest.param({**GOOD, "properties": [1]}, "unreadable_message", id="a list for properties"),
        pytest.param({**GOOD, "source": "fridge"}, "unreadable_message", id="unknown source"),
        pytest.param("text", "unreadable_message", id="a text"),
        pytest.param(7, "unreadable_message", id="a number"),
        pytest.param(None, "unreadable_message", id="null"),
        pytest.param([GOOD], "unreadable_message", id="a list in the list"),
    ],
)
def test_bad_native_message_is_refused_alone(bad: Any, reason: RejectReason) -> None:
    found = decoded(native(GOOD, bad, {**GOOD, "event_name": "pay"}))
    assert [(each.index, each.event_name) for each in found.messages] == [(0, "reach"), (2, "pay")]
    (reject,) = found.rejects
    assert (reject.index, reject.reason, reject.protocol) == (1, reason, "native")
    assert reject.original == json.dumps(bad).encode()
    assert reject.original_length == len(reject.original)
    assert reject.detail


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"type": "purchase", "userId": "u1"}, "unknown_record_type"),
        ({"userId": "u1", "event": "reach"}, "unknown_record_type"),
        ({"type": "track", "userId": "u1"}, "missing_event_name"),
        ({"type": "track", "userId": "u1", "event": 7}, "missing_event_name"),
        ({"type": "track", "event": "reach", "userId": None}, "missing_identity"),
        ({"type": "group", "userId": "u1"}, "missing_account"),
        ({**CALL, "timestamp": "soon"}, "unreadable_message"),
        ({**CALL, "context": "web"}, "unreadable_message"),
        ({**CALL, "timestamp": 1e308}, "unreadable_message"),
        ("call", "unreadable_message"),
    ],
)
def test_bad_segment_call_is_refused_alone(bad: Any, reason: RejectReason) -> None:
    found = decoded(segment(CALL, bad, {**CALL, "event": "pay"}))
    assert [each.event_name for each in found.messages] == ["reach", "pay"]
    assert reasons(found) == [reason]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({**tracked("x"), "type": "detail_set"}, "unknown_record_type"),
        ({**tracked("x"), "type": 7}, "unreadable_message"),
        ({"event": "x", "time": NOON_MS, "distinct_id": "d1"}, "unreadable_message"),
        ({**tracked("x"), "time": None}, "unreadable_message"),
        ({**tracked("x"), "time": 1}, "time_too_old"),
        ({**tracked("x"), "time": NOON_MS + 86_400_001}, "time_too_far_ahead"),
        ({**tracked("x"), "event": None}, "missing_event_name"),
        ({**tracked("x"), "distinct_id": None}, "missing_identity"),
        ({"type": "profile_set", "time": NOON_MS, "properties": {"a": 1}}, "missing_identity"),
        ({"type": "item_set", "time": NOON_MS, "item_type": "course"}, "unreadable_message"),
        ({**tracked("x"), "properties": "none"}, "unreadable_message"),
        ({**tracked("x"), "identities": ["u1"]}, "unreadable_message"),
        ({"ekey": "e", "pkv": 1, "payloads": [], "flush_time": NOON_MS}, "unreadable_message"),
        ([], "unreadable_message"),
    ],
)
def test_bad_sensors_message_is_refused_alone(bad: Any, reason: RejectReason) -> None:
    found = decoded(sensors(tracked("reach"), bad, tracked("pay")))
    assert [each.event_name for each in found.messages] == ["reach", "pay"]
    assert reasons(found) == [reason]


def test_reject_says_which_event_it_was() -> None:
    (reject,) = decoded(sensors({**tracked("pay"), "distinct_id": ""})).rejects
    assert (reject.record_type, reject.event_name, reject.reason) == ("track", "pay", "missing_identity")


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        pytest.param(
            b'{"event_name":"nan","identities":{"k":"v"},"properties":{"a":NaN,"b":-Infinity}}', "nan", id="NaN"
        ),
        pytest.param(
            b'{"event_name":"big","identities":{"k":"v"},"properties":{"a":1e999}}', "big", id="beyond double"
        ),
        pytest.param(
            b'{"event_name":"half","identities":{"k":"v"},"properties":{"a":"\\ud83d"}}', "half", id="half emoji"
        ),
    ],
)
def test_json_of_python_clients_is_forgiven(raw: bytes, name: str) -> None:
    found = decoded(native(GOOD, raw, GOOD))
    assert [each.event_name for each in found.messages] == ["reach", name, "reach"]
    assert all(value is None or value == "\ufffd" for value in found.messages[1].properties.values())
    json.dumps(found.messages[1].properties, allow_nan=False)


def test_invalid_utf8_costs_one_message() -> None:
    found = decoded(native(GOOD, b'{"event_name":"\xff","identities":{"k":"v"}}', GOOD))
    assert ([each.event_name for each in found.messages], reasons(found)) == (
        ["reach", "reach"],
        ["unreadable_message"],
    )


def test_deep_nesting_is_refused_alone() -> None:
    """One message that nests without end, between two good ones, in every form of request."""
    bottomless = b'{"event_name":"x","identities":{"k":"v"},"properties":{"a":' + deep(20_000) + b"}}"
    call = json.dumps(CALL).encode()
    found = [
        decoded(native(GOOD, bottomless, GOOD)),
        decoded(post("/events", b"\n".join([json.dumps(GOOD).encode(), bottomless, json.dumps(GOOD).encode()]))),
        decoded(post("/v1/batch", b'{"batch":[' + b",".join([call, bottomless, call]) + b'],"sentAt":null}')),
    ]
    for each in found:
        assert [message.event_name for message in each.messages] == ["reach", "reach"]
        assert [(reject.index, reject.reason) for reject in each.rejects] == [(1, "unreadable_message")]
    cut_off = decoded(post("/events", b"[" + json.dumps(GOOD).encode() + b"," + b"[" * 50_000))
    assert ([each.event_name for each in cut_off.messages], reasons(cut_off)) == (["reach"], ["unreadable_body"])
    assert reasons(decoded(post("/v1/track", b'{"event":"x","properties":' + deep(20_000) + b"}"))) == [
        "unreadable_message"
    ]
    assert reasons(decoded(post("/v1/batch", b'{"batch":' + deep(20_000) + b"}"))) == ["unreadable_message"]


# Bodies that are not what they promise

PACKED = gzip.compress(json.dumps([GOOD]).encode(), mtime=0)
BOMB = gzip.compress(b" " * 10_001, mtime=0)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        pytest.param(post("/events", b""), "unreadable_message", id="native, empty"),
        pytest.param(post("/events", b"hello"), "unreadable_message", id="native, no JSON"),
        pytest.param(post("/events", PACKED[:-9]), "unreadable_body", id="native, gzip cut short"),
        pytest.param(post("/events", PACKED[:2] + b"???"), "unreadable_body", id="native, gzip in name only"),
        pytest.param(post("/events", BOMB), "decompressed_too_large", id="native, gzip bomb"),
        pytest.param(post("/v1/batch", b""), "unreadable_body", id="segment, empty"),
        pytest.param(post("/v1/batch", b"[]"), "unreadable_body", id="segment, a list"),
        pytest.param(post("/v1/batch", b'{"batch":7}'), "unreadable_body", id="segment, a number for the batch"),
        pytest.param(post("/v1/batch", b'{"batch":null}'), "unreadable_body", id="segment, null for the batch"),
        pytest.param(post("/v1/batch", b'{"bat":[]}'), "unreadable_body", id="segment, no batch"),
        pytest.param(post("/v1/batch", b'{"batch":[{"type":'), "unreadable_body", id="segment, cut short"),
        pytest.param(
            post("/v1/batch", b'{"batch":[NaN],"sentAt":'), "unreadable_body", id="segment, NaN and cut short"
        ),
        pytest.param(post("/v1/batch", BOMB), "decompressed_too_large", id="segment, gzip bomb"),
        pytest.param(post("/v1/track", b"null"), "unreadable_message", id="segment, null for a call"),
        pytest.param(post("/sa", b""), "unreadable_body", id="sensors, empty"),
        pytest.param(get("/sa", ""), "unreadable_body", id="sensors, empty query"),
        pytest.param(post("/sa", b"data="), "unreadable_body", id="sensors, empty field"),
        pytest.param(post("/sa", b"data=%%%"), "unreadable_body", id="sensors, not base64"),
        pytest.param(post("/sa", "data=数据".encode()), "unreadable_body", id="sensors, Chinese for base64"),
        pytest.param(post("/sa", b"data=" + b"&a=1" * 300), "unreadable_body", id="sensors, hundreds of fields"),
        pytest.param(
            post("/sa", b"gzip=1&data=" + base64.b64encode(b"{}")), "unreadable_body", id="sensors, gzip in name only"
        ),
        pytest.param(
            post("/sa", b"gzip=1&data=" + base64.b64encode(PACKED[:-9])),
            "unreadable_body",
            id="sensors, gzip cut short",
        ),
        pytest.param(post("/sa", b"data=" + base64.b64encode(BOMB)), "decompressed_too_large", id="sensors, gzip bomb"),
        pytest.param(post("/sa", BOMB), "decompressed_too_large", id="sensors, whole body a bomb"),
        pytest.param(post("/sa", b"data=" + base64.b64encode(b"hello")), "unreadable_message", id="sensors, no JSON"),
    ],
)
def test_unreadable_body_becomes_one_reject_with_its_original(request_: Request, reason: RejectReason) -> None:
    found = decoded(request_, SMALL)
    assert (len(found.messages), reasons(found)) == (0, [reason])
    assert found.rejects[0].original_length == len(found.rejects[0].original)


@pytest.mark.parametrize("rest", [b"", b",", b',{"event_name":', b"] and more"])
def test_array_that_breaks_off_keeps_what_came_before(rest: bytes) -> None:
    whole = native(GOOD, GOOD).body
    found = decoded(post("/events", whole[:-1] + rest))
    assert ([each.index for each in found.messages], reasons(found)) == ([0, 1], ["unreadable_body"])
    assert found.rejects[0].index == 2
    assert found.rejects[0].original == whole[:-1] + rest


@pytest.mark.parametrize("extra", [b"", b'{"event_name":"nan","identities":{"k":"v"},"properties":{"a":NaN}}'])
def test_messages_beyond_the_limit_are_refused_in_one_piece(extra: bytes) -> None:
    """Whether the array is read strictly or leniently, three messages are read of any number."""
    found = decoded(native(GOOD, GOOD, GOOD, *[extra or GOOD] * 50), SMALL)
    assert (len(found.messages), reasons(found)) == (3, ["too_many_messages"])
    calls = decoded(segment(*[CALL] * 4), SMALL)
    assert (len(calls.messages), reasons(calls)) == (3, ["too_many_messages"])
    assert reasons(decoded(sensors(*[tracked("x")] * 4), SMALL)) == ["too_many_messages"]
    assert not decoded(native(GOOD, GOOD, GOOD), SMALL).rejects


def test_millions_of_tiny_items_cost_no_more_than_the_limit() -> None:
    """A packed kilobyte of `0,0,0,...` is no message a million times over."""
    body = gzip.compress(b"[" + b"0," * 1_500_000 + b"0]", mtime=0)
    found = decoded(post("/events", body), DecodeSettings(max_messages=10))
    assert reasons(found) == ["unreadable_message"] * 10 + ["too_many_messages"]


def test_array_with_nan_is_split_in_one_pass() -> None:
    """Thousands of events with NaN in them: their number must not multiply with their length."""
    item = b'{"event_name":"x","identities":{"k":"v"},"properties":{"a":NaN,"text":"' + b"x" * 1000 + b'"}}'
    found = decoded(native(*[item] * 5000))
    assert (len(found.messages), found.rejects) == (5000, [])


def test_body_past_the_limit_is_known_by_its_beginning_length_and_hash() -> None:
    request = Request("POST", "/v1/batch", "", {}, "", b'{"batch":', CutBody(10 << 20, "ab" * 32))
    (reject,) = decoded(request).rejects
    assert (reject.reason, reject.original, reject.original_length, reject.original_sha256) == (
        "body_too_large",
        b'{"batch":',
        10 << 20,
        "ab" * 32,
    )


def test_act_that_nobody_knows_is_refused_and_a_known_one_is_not() -> None:
    unknown = decode(Record(NOON_MS * 1000, act=Act("paint_it_red", "head office", {"why": 1})), DecodeSettings())
    assert [(each.reason, each.protocol, each.original) for each in unknown.rejects] == [
        ("unknown_act", "onepath", b"{'why': 1}")
    ]
    sides = {side: {"key": "$identity_mobile", "value": side} for side in ("left", "right")}
    known = decode(Record(NOON_MS * 1000, act=Act("retract_link", "head office", sides)), DecodeSettings())
    assert known == Decoded()


# Recorded requests, whole and hurt


def recorded() -> list[Request]:
    """Requests of the real clients; the first line of each file says which."""
    found = []
    for path in sorted((Path(__file__).parent / "captures").glob("*.jsonl")):
        origin, *requests = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        assert origin["origin"].startswith("recorded from the real client ")
        for each in requests:
            if each["method"] != "OPTIONS":
                endpoint, _, query = each["path"].partition("?")
                body = base64.b64decode(each["body_b64"])
                found.append(Request(each["method"], endpoint, query, each["headers"], "203.0.113.7", body))
    return found


RECORDED = recorded()


def test_recorded_requests_decode_without_a_reject() -> None:
    every = [decode(Record(RECORDED_AT_US, request), DecodeSettings()) for request in RECORDED]
    assert not [each.rejects for each in every if each.rejects]
    assert sum(len(each.messages) for each in every) == 301
    assert {recognise(request.path) for request in RECORDED} == {"sensors", "segment"}
    assert all(message.identities or message.change for each in every for message in each.messages)


HURTS = st.lists(
    st.tuples(
        st.sampled_from(["flipped", "cut", "doubled"]),
        st.integers(0, 1 << 20),  # where it starts, counted round and round
        st.integers(1, 40),  # bytes of it
        st.integers(1, 255),  # which bits of the first are flipped
    ),
    min_size=1,
    max_size=3,
)


def hurt(request: Request, hurts: list[tuple[str, int, int, int]], *, is_unpacked: bool) -> Request:
    """A request with bytes flipped, cut out or doubled, in its body or (sent by GET) its query."""
    payload = request.body or request.query.encode("latin-1")
    if is_unpacked and payload[:2] == b"\x1f\x8b":
        payload = gzip.decompress(payload)
    for kind, somewhere, length, bits in hurts:
        start = somewhere % max(len(payload), 1)
        piece = payload[start : start + length]
        flipped = bytes(byte ^ bits for byte in piece[:1]) + piece[1:]
        harm = {"flipped": flipped, "cut": b"", "doubled": piece * 2}[kind]
        payload = payload[:start] + harm + payload[start + length :]
    return post(request.path, payload) if request.body else get(request.path, payload.decode("latin-1"))


@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(st.sampled_from(RECORDED), HURTS, st.booleans())
def test_hurt_requests_never_raise_and_every_message_is_accounted_for(
    whole: Request, hurts: list[tuple[str, int, int, int]], is_unpacked: bool
) -> None:
    request = hurt(whole, hurts, is_unpacked=is_unpacked)
    record = Record(RECORDED_AT_US, request)
    found = decode(record, DecodeSettings())
    indexes = [each.index for each in found.messages] + [each.index for each in found.rejects]
    assert sorted(indexes) == list(range(len(indexes)))
    assert decode(record, DecodeSettings()) == found
    for message in found.messages:
        json.dumps(message.properties, allow_nan=False)
        repr(message).encode()  # no half of an emoji is left in any text


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.binary(max_size=60), st.sampled_from(["/events", "/v1/batch", "/rudder/v1/t", "/sa", "/debug", "/webhook/a"]))
def test_random_bytes_never_raise(body: bytes, path: str) -> None:
    for each in (body, b"[" + body, b"\x1f\x8b" + body, b"data=" + base64.b64encode(body)):
        found = decoded(post(path, each))
        assert found.messages or found.rejects or each.strip() == b"[]"


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"note": "x" * 33}, "value_too_long"),
        ({"notes": ["ok", {"within": "x" * 33}]}, "value_too_long"),
        ({"tree": [[["leaf"]]]}, "nested_too_deep"),
        ({"a": 1, "b": 2, "c": 3, "d": 4}, "too_many_properties"),
        ({"tree": [["leaf"]], "note": "x" * 32, "c": 3}, None),
    ],
)
@pytest.mark.parametrize("record_type", ["track", "identify"])
def test_properties_have_limits(record_type: str, properties: dict[str, Any], reason: str | None) -> None:
    limits = DecodeSettings(max_value_chars=32, max_nesting=2, max_properties=3)
    sent = {"record_type": record_type, "identities": {"$identity_login_id": "li"}, "properties": properties}
    if record_type == "track":
        sent["event_name"] = "reach"
    request = Request("POST", "/events", "", {}, "", json.dumps(sent).encode())
    decoded = decode(Record(1_790_000_000_000_000, request), limits)
    assert [reject.reason for reject in decoded.rejects] == ([reason] if reason else [])
    assert len(decoded.messages) == (0 if reason else 1)
