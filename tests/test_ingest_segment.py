"""Messages of Segment clients: six calls, one or many to a request."""

import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from ingest.message import ANONYMOUS_ID, LOGIN_ID, Identity, Message, PropertyChange
from ingest.settings import DecodeSettings
from tests.stories import NOON, NOON_US, SECOND_US, Json, decoded, post, segment

TRACK = {"type": "track", "event": "reach", "messageId": "m1", "timestamp": NOON.isoformat(), "anonymousId": "d1"}


def one(call: Json, **envelope: Any) -> Message:
    """The one message that a batch of one call decodes to."""
    found = decoded(segment(call, **envelope))
    assert not found.rejects
    (only,) = found.messages
    return only


def test_batch_keeps_its_order_and_keys() -> None:
    found = decoded(segment(TRACK, {**TRACK, "event": "pay", "messageId": "m2"}, writeKey="k"))
    assert [(each.index, each.event_name, each.dedupe_key) for each in found.messages] == [
        (0, "reach", "m1"),
        (1, "pay", "m2"),
    ]


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize("path", ["/v1/batch", "/v1/b", "/v1/import", "/segment/v1/batch", "/v1/batch/"])
def test_gzip_is_told_by_its_bytes_under_any_content_type(path: str, content_type: str) -> None:
    body = gzip.compress(json.dumps({"batch": [TRACK]}).encode(), mtime=0)
    request = post(path, body)
    request.headers["content-type"] = content_type
    assert [each.event_name for each in decoded(request).messages] == ["reach"]


@pytest.mark.parametrize(
    ("pack", "encoding"),
    [
        (lambda body: zlib.compress(body), ""),
        (lambda body: zlib.compress(body), "deflate"),
        (lambda body: zlib.compress(body, wbits=-15), "deflate"),
        (lambda body: gzip.compress(body[:9], mtime=0) + gzip.compress(body[9:], mtime=0) + b"\0\0", "gzip"),
        (lambda body: body, "gzip"),
        (lambda body: body, "deflate"),
    ],
    ids=["zlib unsaid", "zlib", "raw deflate", "two gzip members", "gzip in name only", "deflate in name only"],
)
def test_bodies_are_opened_however_they_are_packed(pack: Callable[[bytes], bytes], encoding: str) -> None:
    request = post("/v1/batch", pack(json.dumps({"batch": [TRACK]}).encode()))
    request.headers["content-encoding"] = encoding
    assert [each.event_name for each in decoded(request).messages] == ["reach"]


def test_gzip_members_share_one_limit_and_are_counted() -> None:
    member = gzip.compress(b" " * 600, mtime=0)
    found = decoded(post("/v1/batch", member * 2), DecodeSettings(max_decompressed_bytes=1000))
    assert [each.reason for each in found.rejects] == ["decompressed_too_large"]
    crowd = decoded(post("/v1/batch", gzip.compress(b"", mtime=0) * 200_000))
    assert [each.detail for each in crowd.rejects] == ["more than 100 gzip members"]


@pytest.mark.parametrize("prefix", ["", "/segment", "/rudder"])
@pytest.mark.parametrize("path", ["/v1/batch", "/beacon/v1/batch", "/v1/import"])
def test_batches_come_to_the_paths_of_both_families(prefix: str, path: str) -> None:
    found = decoded(segment(TRACK, path=prefix + path, sentAt=NOON.isoformat()))
    assert [(each.event_name, each.sent_at_us) for each in found.messages] == [("reach", NOON_US)]


@pytest.mark.parametrize(
    ("path", "record_type", "event_name"),
    [
        ("/v1/track", "track", "reach"),
        ("/v1/t", "track", "reach"),
        ("/v1/page", "page", "$pageview"),
        ("/v1/p", "page", "$pageview"),
        ("/v1/screen", "screen", "$screen"),
        ("/v1/s", "screen", "$screen"),
        ("/v1/identify", "identify", None),
        ("/v1/i", "identify", None),
        ("/v1/alias", "alias", None),
        ("/v1/a", "alias", None),
        ("/v1/group", "group", None),
        ("/v1/g", "group", None),
        ("/segment/v1/t", "track", "reach"),
    ],
)
def test_path_names_the_call(path: str, record_type: str, event_name: str | None) -> None:
    call = {"event": "reach", "userId": "u1", "groupId": "school-1", "previousId": "d1", "type": "whatever"}
    (message,) = decoded(post(path, json.dumps(call).encode())).messages
    assert (message.record_type, message.event_name) == (record_type, event_name)


@pytest.mark.parametrize(
    ("call", "identities"),
    [
        ({"userId": "u1", "anonymousId": None}, [(LOGIN_ID, "u1")]),
        ({"userId": None, "anonymousId": "d1"}, [(ANONYMOUS_ID, "d1")]),
        ({"userId": 10086, "anonymousId": "d1"}, [(LOGIN_ID, "10086"), (ANONYMOUS_ID, "d1")]),
        ({"userId": 10086.0}, [(LOGIN_ID, "10086"), (ANONYMOUS_ID, "d1")]),
        ({"userId": " ", "anonymousId": "d1"}, [(ANONYMOUS_ID, "d1")]),
        ({"userId": True, "anonymousId": "d1"}, [(ANONYMOUS_ID, "d1")]),
    ],
)
def test_ids_may_be_null_or_numbers(call: Json, identities: list[tuple[str, str]]) -> None:
    assert one({**TRACK, **call}).identities == tuple(Identity(*pair) for pair in identities)


def test_alias_links_the_former_id() -> None:
    message = one({"type": "alias", "userId": "u1", "previousId": "d1", "messageId": "m"})
    assert message.identities == (Identity(LOGIN_ID, "u1"), Identity(ANONYMOUS_ID, "d1"))
    assert (message.event_name, message.change) == (None, None)


def test_group_joins_an_account_and_describes_it() -> None:
    message = one({"type": "group", "userId": "u1", "groupId": 7, "traits": {"name": "一中", "city": None}})
    assert message.account_id == "7"
    assert message.change == PropertyChange("account", "set", {"name": "一中"})


def test_identify_describes_the_person() -> None:
    message = one({"type": "identify", "userId": "u1", "traits": {"grade": 3}})
    assert message.change == PropertyChange("person", "set", {"grade": 3})
    assert one({"type": "identify", "userId": "u1"}).change is None


def test_traits_of_an_identify_may_stand_in_its_context_alone() -> None:
    """RudderStack's Python client; on other calls the context only repeats who the person is."""
    context = {"traits": {"grade": 3, "city": None}}
    message = one({"type": "identify", "userId": "u1", "context": context})
    assert message.change == PropertyChange("person", "set", {"grade": 3})
    both = one({"type": "identify", "userId": "u1", "traits": {"grade": 4}, "context": context})
    assert both.change == PropertyChange("person", "set", {"grade": 4})
    assert one({**TRACK, "context": context}).change is None
    assert one({"type": "identify", "userId": "u1", "context": {"traits": "x"}}).change is None


def test_context_becomes_preset_properties_unless_they_are_sent() -> None:
    context = {
        "ip": "203.0.113.9",
        "page": {"url": "https://school.test/a", "title": "A", "referrer": ""},
        "campaign": {"source": "wechat"},
        "library": {"name": "analytics.js", "version": "1.84.3"},
        "groupId": "school-1",
    }
    message = one({**TRACK, "type": "page", "name": "Home", "context": context, "properties": {"$title": "mine"}})
    assert message.properties == {
        "$title": "mine",
        "name": "Home",
        "$ip": "203.0.113.9",
        "$url": "https://school.test/a",
        "$utm_source": "wechat",
    }
    assert (message.sdk, message.sdk_version, message.source, message.account_id) == (
        "analytics.js",
        "1.84.3",
        "web",
        "school-1",
    )


@pytest.mark.parametrize(
    "context", [{"page": "x", "library": "y"}, {"library": {"name": 7}, "campaign": []}, {"page": {"url": {"a": 1}}}]
)
def test_context_of_an_odd_shape_does_no_harm(context: Json) -> None:
    assert one({**TRACK, "context": context}).event_name == "reach"


@pytest.mark.parametrize(("sent_at_s_late", "moved_s"), [(0, 0), (60, 0), (61, 61), (-86_400 * 30, -86_400 * 30)])
def test_clock_is_corrected_by_sent_at_over_sixty_seconds(sent_at_s_late: int, moved_s: int) -> None:
    sent_at = (NOON_US - sent_at_s_late * SECOND_US) // 1000
    event_at = sent_at - 5000
    message = one({**TRACK, "timestamp": event_at}, sentAt=sent_at)
    assert message.original_event_at_us == event_at * 1000
    assert message.event_at_us == event_at * 1000 + moved_s * SECOND_US
    assert message.sent_at_us == sent_at * 1000


def test_own_sent_at_and_original_timestamp_of_rudder() -> None:
    call = {**TRACK, "originalTimestamp": "2026-11-02T03:59:00Z", "sentAt": "2026-11-02T03:59:59.5Z"}
    del call["timestamp"]
    message = one(call, sentAt="2020-01-01T00:00:00Z")
    assert (NOON_US - message.event_at_us, NOON_US - (message.sent_at_us or 0)) == (60 * SECOND_US, SECOND_US // 2)


def test_without_any_time_it_happens_when_it_is_sent_or_arrives() -> None:
    call = {"type": "track", "event": "reach", "userId": "u1"}
    assert one(call).event_at_us == NOON_US
    assert one(call, sentAt="2026-11-02T03:59:50Z").event_at_us == NOON_US - 10 * SECOND_US


def test_batch_with_nan_is_read_leniently() -> None:
    body = json.dumps({"batch": [{**TRACK, "properties": {"score": float("nan"), "plan": "free"}}]}).encode()
    assert b"NaN" in body
    (message,) = decoded(post("/v1/batch", body)).messages
    assert message.properties == {"plan": "free"}
