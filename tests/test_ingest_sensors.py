"""Messages of Sensors clients, as they come over the wire."""

import base64
import gzip
import json
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from ingest.message import ANONYMOUS_ID, LOGIN_ID, Identity, Message, PropertyChange
from ingest.record import Request
from ingest.settings import DecodeSettings
from tests.stories import NOON_MS, NOON_US, Json, decoded, get, post, sensors, tracked

COOKIE = "$identity_cookie_id"


def packed(message: Json | list[Json]) -> bytes:
    return base64.b64encode(json.dumps(message).encode())


def one(message: Json) -> Message:
    """The one message that a client's one event decodes to."""
    found = decoded(sensors(message))
    assert not found.rejects
    (only,) = found.messages
    return only


PLAIN = packed(tracked("reach"))
GZIPPED = base64.b64encode(gzip.compress(json.dumps([tracked("reach")]).encode(), mtime=0))


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(get("/sa.gif", f"project=p&token=t&data={quote(PLAIN)}&ext=crc%3D1"), id="image"),
        pytest.param(get("/sa", "data_list=" + quote(packed([tracked("reach")]))), id="GET of a list"),
        pytest.param(post("/sa", b"data=" + quote(PLAIN).encode() + b"&ext=crc%3D-7"), id="ajax"),
        pytest.param(post("/sa.gif", b"data_list=" + quote(packed([tracked("reach")])).encode()), id="batch_send"),
        pytest.param(post("/sa", b"data_list=" + quote(PLAIN).encode()), id="one object in data_list"),
        pytest.param(post("/sa", b"data_list=" + quote(GZIPPED).encode() + b"&gzip=1"), id="server, gzip"),
        pytest.param(post("/sa", b"data_list=" + quote(GZIPPED).encode()), id="gzip without saying so"),
        pytest.param(post("/sa", b"data=" + PLAIN), id="base64 not quoted: + comes as a space"),
        pytest.param(post("/sa", b"data=" + quote(PLAIN.rstrip(b"=")).encode()), id="padding lost"),
        pytest.param(post("/sa", b"gzip=0&data=" + quote(PLAIN).encode(), "project=default"), id="node, no gzip"),
        pytest.param(post("/sensors/sa", b"data=" + quote(PLAIN).encode()), id="below the family's name"),
        pytest.param(post("/sa/", b"data=" + quote(PLAIN).encode()), id="a slash at the end"),
    ],
)
def test_event_is_found_however_it_is_packed(request_: Request) -> None:
    found = decoded(request_)
    assert [(each.event_name, each.distinct_id, each.event_at_us) for each in found.messages] == [
        ("reach", "d1", NOON_US)
    ]
    assert not found.rejects


@pytest.mark.parametrize("gzip_says", ["9", "13"])
def test_encrypted_events_are_kept_and_said_to_be_so(gzip_says: str) -> None:
    request = post("/sa", b"crc=1&gzip=" + gzip_says.encode() + b"&data_list=" + quote(PLAIN).encode())
    (reject,) = decoded(request).rejects
    assert (reject.reason, reject.original) == ("encrypted_body", request.body)
    assert reject.detail.startswith(f"encrypted by the SDK (gzip={gzip_says}); switch its encryption off")


def test_checksum_is_asked_only_when_a_text_cannot_be_read() -> None:
    """The hash of Java over the base64 text; Android sends it as `crc`, browsers as `ext=crc=...`."""
    text = packed([tracked("reach")])
    cut = text[:-40]
    crc = _java_hash(text)
    wrong = decoded(post("/sa", b"crc=1&data_list=" + quote(text).encode()))
    assert ([each.event_name for each in wrong.messages], wrong.rejects) == (["reach"], [])
    for field in (f"&crc={crc}", f"&ext={quote(f'crc={crc}')}"):
        (reject,) = decoded(post("/sa", b"data_list=" + quote(cut).encode() + field.encode())).rejects
        assert reject.detail.endswith("; by its crc the text was cut or changed on the way")
    whole = base64.b64encode(b"[{")
    honest = post("/sa", b"data_list=" + quote(whole).encode() + f"&crc={_java_hash(whole)}".encode())
    assert "crc" not in decoded(honest).rejects[0].detail


def _java_hash(text: bytes) -> int:
    number = sum(each * pow(31, len(text) - 1 - at, 1 << 32) for at, each in enumerate(text)) & 0xFFFFFFFF
    return number - (number >> 31 << 32)


def test_plus_that_became_a_space_is_mended() -> None:
    message = tracked("reach", properties={"title": "?>?>?>~~~"})
    text = packed(message)
    assert b"+" in text
    assert decoded(post("/sa", b"data=" + text)).messages[0].properties == {"title": "?>?>?>~~~"}


SIGN_UP = {"type": "track_signup", "event": "$SignUp", "time": NOON_MS, "distinct_id": "u1", "original_id": "d1"}


@pytest.mark.parametrize(
    ("fields", "identities"),
    [
        pytest.param({"distinct_id": "d1"}, [(ANONYMOUS_ID, "d1")], id="distinct_id alone is a device"),
        pytest.param(
            {"distinct_id": "u1", "properties": {"$is_login_id": True}},
            [(LOGIN_ID, "u1")],
            id="$is_login_id says login",
        ),
        pytest.param(
            {"distinct_id": "u1", "login_id": "u1", "anonymous_id": "d1"},
            [(LOGIN_ID, "u1"), (ANONYMOUS_ID, "d1")],
            id="ID-Mapping 2",
        ),
        pytest.param(
            {"distinct_id": "d1", "login_id": "", "anonymous_id": "d1"}, [(ANONYMOUS_ID, "d1")], id="no login yet"
        ),
        pytest.param(
            {"distinct_id": "u1", "identities": {COOKIE: "c1", LOGIN_ID: "u1"}, "anonymous_id": "d1"},
            [(COOKIE, "c1"), (LOGIN_ID, "u1")],
            id="ID-Mapping 3 stands above the rest",
        ),
        pytest.param(
            {"distinct_id": "d1", "identities": {COOKIE: None}}, [(ANONYMOUS_ID, "d1")], id="empty identities"
        ),
        pytest.param({"distinct_id": 10086}, [(ANONYMOUS_ID, "10086")], id="a number for an id"),
        pytest.param({**SIGN_UP, "event": "$SignUp"}, [(LOGIN_ID, "u1"), (ANONYMOUS_ID, "d1")], id="track_signup"),
        pytest.param(
            {"type": "profile_set", "distinct_id": "u1", "properties": {"$is_login_id": True, "grade": 3}},
            [(LOGIN_ID, "u1")],
            id="profile of a login",
        ),
    ],
)
def test_identities(fields: Json, identities: list[tuple[str, str]]) -> None:
    assert one({**tracked("reach"), **fields}).identities == tuple(Identity(*pair) for pair in identities)


def test_bind_and_unbind() -> None:
    pairs = {LOGIN_ID: "u1", "$identity_mobile": "138"}
    bound = one(tracked("$BindID", type="track_id_bind", identities=pairs))
    freed = one(tracked("$UnbindID", type="track_id_unbind", identities={"$identity_mobile": "138"}))
    assert (bound.event_name, bound.is_unbind, {each.key: each.value for each in bound.identities}) == (
        "$BindID",
        False,
        pairs,
    )
    assert (freed.event_name, freed.is_unbind, freed.identities) == (
        "$UnbindID",
        True,
        (Identity("$identity_mobile", "138"),),
    )


@pytest.mark.parametrize(
    ("record_type", "operation", "properties"),
    [
        ("profile_set", "set", {"grade": 3}),
        ("profile_set_once", "set_once", {"first": "2026-11-01"}),
        ("profile_increment", "increment", {"books": 1}),
        ("profile_append", "append", {"subjects": ["maths"]}),
        ("profile_unset", "unset", {"grade": True}),
        ("profile_delete", "delete", {}),
    ],
)
def test_profile_calls_change_the_person(record_type: str, operation: Any, properties: Json) -> None:
    message = one({"type": record_type, "distinct_id": "d1", "time": NOON_MS, "properties": properties})
    assert message.event_name is None
    assert message.change == PropertyChange("person", operation, properties)
    assert message.properties == {}


@pytest.mark.parametrize(("record_type", "operation"), [("item_set", "set"), ("item_delete", "delete")])
def test_item_calls_change_an_item_and_need_no_person(record_type: str, operation: Any) -> None:
    message = one(
        {"type": record_type, "item_type": "course", "item_id": 7, "time": NOON_MS, "properties": {"price": 98}}
    )
    assert message.change == PropertyChange("item", operation, {"price": 98}, item=("course", "7"))
    assert message.identities == ()


@pytest.mark.parametrize(
    ("sent_s_before_arrival", "event_s_before_arrival"),
    [
        (0, 20),
        (60, 20),  # a minute's delay is the network's
        (61, 20 - 61),  # more is the client's clock, or its queue: moved by all of it
        (-3600, 20 + 3600),
        (None, 20),
    ],
)
def test_clock_is_corrected_by_flush_time_over_sixty_seconds(
    sent_s_before_arrival: int | None, event_s_before_arrival: int
) -> None:
    flush_time = None if sent_s_before_arrival is None else NOON_MS - sent_s_before_arrival * 1000
    message = one(tracked("reach", at_ms=NOON_MS - 20_000, _flush_time=flush_time))
    assert NOON_US - message.event_at_us == event_s_before_arrival * 1_000_000
    assert message.original_event_at_us == NOON_US - 20_000_000


@pytest.mark.parametrize("time", [NOON_MS, NOON_MS // 1000, NOON_MS / 1000, "2026-11-02T12:00:00+08:00"])
def test_time_in_seconds_milliseconds_or_iso(time: Any) -> None:
    assert one(tracked("reach", at_ms=time)).event_at_us == NOON_US


def test_preset_properties_fill_columns() -> None:
    message = one(
        tracked(
            "reach",
            properties={
                "$lib": "MiniProgram",
                "$lib_version": "1.22.7",
                "account_id": 42,
                "plan": None,
                "amount": 98.5,
            },
        )
    )
    assert (message.sdk, message.sdk_version, message.source, message.account_id) == (
        "MiniProgram",
        "1.22.7",
        "mini_program",
        "42",
    )
    assert "plan" not in message.properties


def test_backend_says_where_an_event_came_from() -> None:
    message = one(tracked("reach", properties={"$lib": "python", "platform": "mini_program"}))
    assert (message.source, message.record_type) == ("mini_program", "track")


def test_emoji_in_two_surrogates_is_joined() -> None:
    """The mini program encodes each half of an emoji as UTF-8 (CESU-8)."""
    cesu = json.dumps([tracked("看课🎓", properties={"name": "李雷🎓"})], ensure_ascii=False)
    body = base64.b64encode(
        cesu.encode("utf-16", "surrogatepass").decode("utf-16").translate(_halves()).encode("utf-8", "surrogatepass")
    )
    message = decoded(post("/sa", b"data_list=" + quote(body).encode())).messages[0]
    assert (message.event_name, message.properties) == ("看课🎓", {"name": "李雷🎓"})


def _halves() -> dict[int, str]:
    return {ord("🎓"): "\ud83c\udf93"}


def test_lone_surrogate_is_replaced_and_nothing_else_lost() -> None:
    found = decoded(sensors(tracked("reach", properties={"name": "half \ud83c"}), tracked("pay")))
    assert [each.event_name for each in found.messages] == ["reach", "pay"]
    assert found.messages[0].properties == {"name": "half \ufffd"}


def test_key_for_duplicates_is_track_id_with_time_person_and_event() -> None:
    keys = {
        one(tracked(name, who, at_ms, _track_id=track_id)).dedupe_key
        for name in ("reach", "pay")
        for who in ("d1", "d2")
        for at_ms in (NOON_MS, NOON_MS + 1)
        for track_id in (1, 2)
    }
    assert len(keys) == 16
    first = one(tracked("reach", _track_id=1, _flush_time=NOON_MS))
    resent = one(tracked("reach", _track_id=1, _flush_time=NOON_MS + 12_000))
    assert first.dedupe_key == resent.dedupe_key is not None


def test_messages_without_a_key_are_told_apart_by_content_and_occurrence() -> None:
    """A Python client sends two equal events and another; they count up within the request only."""
    found = decoded(sensors(tracked("reach"), tracked("reach"), tracked("pay"))).messages
    assert [each.occurrence for each in found] == [0, 1, 0]
    assert found[0].content_hash == found[1].content_hash != found[2].content_hash
    again = decoded(sensors(tracked("reach"))).messages[0]
    assert (again.content_hash, again.occurrence) == (found[0].content_hash, 0)


def test_thousand_events_in_one_request_are_read() -> None:
    events = [tracked(f"e{number}") for number in range(1000)]
    found = decoded(sensors(*events), DecodeSettings(max_messages=1000))
    assert [each.event_name for each in found.messages] == [f"e{number}" for number in range(1000)]
    assert not found.rejects


@pytest.mark.parametrize(
    ("lib", "properties", "address", "ip"),
    [
        ("js", {}, "203.0.113.7", "203.0.113.7"),
        ("MiniProgram", {}, "203.0.113.7", "203.0.113.7"),
        ("js", {"$ip": "198.51.100.1"}, "203.0.113.7", "198.51.100.1"),
        ("python", {}, "203.0.113.7", None),
        ("js", {}, "127.0.0.1", None),
    ],
)
def test_the_event_of_a_device_tells_the_address_it_came_from(
    lib: str, properties: dict[str, Any], address: str, ip: str | None
) -> None:
    sent = tracked("reach", lib={"$lib": lib, "$lib_version": "1"}, properties=properties)
    request = msgspec.structs.replace(sensors(sent), remote_address=address)
    (message,) = decoded(request).messages
    assert message.properties.get("$ip") == ip
