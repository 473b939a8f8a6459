"""Mutations: what a broken client, a broken proxy or a malicious sender makes of a good request.

Every mutation is a function of a seeded random source and a request; `mutate` chooses. The same seed makes the same
requests.
"""

import gzip
import json
import random
import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

from tests.fuzz_requests import Packed, Sent, open_layers, quote_target

BOMB_BYTES = 18 << 20
FLOOD = 20_000
LONG = 70_000
DEEP = 5_000

_PATHS = (
    "/sa",
    "/sa.gif",
    "/debug",
    "/sensors/sa",
    "/edge/prefix/sa",
    "/v1/batch",
    "/v1/b",
    "/v1/t",
    "/v1/i",
    "/v1/g",
    "/v1/a",
    "/v1/p",
    "/v1/import",
    "/segment/v1/batch",
    "/events",
    "/events/",
    "/native/events",
    "/webhook/crm",
    "/webhook/",
    "/webhook/../events",
    "/config/Android.conf",
    "/config/",
    "//sa",
    "/%00",
    "/sa%2e%67if",
    "/v1/%F0%9F",
)
_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"content-type", b"multipart/form-data; boundary=x"),
    (b"content-type", b"\xff\xfe"),
    (b"content-type", b""),
    (b"content-encoding", b"gzip"),
    (b"content-encoding", b"br"),
    (b"content-encoding", b"gzip, gzip, deflate"),
    (b"content-encoding", b"x" * 5000),
    (b"authorization", b"Basic !!!not base64"),
    (b"authorization", b"Basic /////w=="),
    (b"authorization", b"Bearer " + b"\xe4" * 300),
    (b"x-retry-count", b"-1"),
    (b"x-retry-count", b"9" * 400),
    (b"x-forwarded-for", b"999.1.1.1, ::g, \xff, 10.0.0.1:99999"),
    (b"x-forwarded-for", b"," * 3000),
    (b"origin", b"null"),
    (b"dry-run", b"maybe"),
    (b"cookie", b"sensorsdata2015jssdkcross=%7B"),
    (b"user-agent", b"\x80\x81 agent"),
    (b"host", b"evil.example"),
    (b"expect", b"100-continue"),
    (b"content-length", b"3"),
)
_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1.5,
    2**53 + 1,
    2**63,
    -(2**63) - 1,
    2**64,
    10**30,
    10**400,
    1e308,
    -1e-320,
    "",
    " \t",
    "\0",
    "a\0b",
    "x" * 256,
    "x" * LONG,
    "\ud83d",
    "\ude00\ud83d",
    "𝕏🙂" * 50,
    "‮",
    "NaN",
    "2026-11-20",
    "2026-02-30T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
    "0001-01-01T00:00:00+14:00",
    "20261120T080000,5Z",
    [],
    {},
    [None],
    [[]],
    {"": ""},
    {"$set": {"a": 1}},
    [{"a": 1}, "x", 2],
    ["x"] * 300,
    {f"p{n}": n for n in range(300)},
    {"x" * LONG: 1},
    {"a.b": 1, "A.B": 2, "a b": 3, "name": "x", "NAME": "y"},
)
# Names that JSON of these families gives a meaning, for values of wrong kinds in the right places.
_NAMES = [
    "type", "event", "time", "distinct_id", "original_id", "anonymous_id", "login_id", "identities", "properties",
    "lib", "item_type", "item_id", "_track_id", "_flush_time", "$lib", "$lib_version", "$is_login_id", "$project",
    "$token", "batch", "sentAt", "messageId", "timestamp", "originalTimestamp", "userId", "anonymousId",
    "previousId", "groupId", "name", "category", "traits", "context", "library", "page", "campaign", "record_type",
    "event_name", "event_at", "sent_at", "dedupe_key", "account_id", "source", "sdk", "sdk_version", "platform",
    "writeKey",
]  # fmt: skip

Mutation = Callable[[random.Random, Sent, list[Sent]], Sent]


def mutate(rng: random.Random, templates: list[Sent]) -> Sent:
    """One request: a template after one to three mutations; one in fifty goes out as it is."""
    sent = rng.choice(templates)
    if rng.random() < 0.02:
        return sent
    for mutation in rng.choices(_MUTATIONS, _WEIGHTS, k=rng.choice((1, 1, 1, 2, 3))):
        sent = mutation(rng, sent, templates)
    return sent


# Bytes, whatever they mean


def flip_bits(rng: random.Random, sent: Sent, _templates: list[Sent]) -> Sent:
    return replace(sent, body=_flipped(rng, sent.body))


def truncate(rng: random.Random, sent: Sent, _templates: list[Sent]) -> Sent:
    return replace(sent, body=sent.body[: rng.randint(0, len(sent.body))])


def duplicate(rng: random.Random, sent: Sent, _templates: list[Sent]) -> Sent:
    start, end = sorted((rng.randint(0, len(sent.body)), rng.randint(0, len(sent.body))))
    return replace(sent, body=sent.body[:end] + sent.body[start:])


def splice(rng: random.Random, sent: Sent, templates: list[Sent]) -> Sent:
    """The beginning of one request and the end of another, of whatever family."""
    other = rng.choice(templates).body
    return replace(sent, body=sent.body[: rng.randint(0, len(sent.body))] + other[rng.randint(0, len(other)) :])


def replace_body(rng: random.Random, sent: Sent, _templates: list[Sent]) -> Sent:
    body = rng.choice(
        (
            b"",
            b"{}",
            b"[]",
            b"null",
            b"[" * DEEP,
            b'{"batch":[]}',
            b"\xef\xbb\xbf{}",
            b"data=",
            b"data_list=&gzip=1",
        )
    )
    return replace(sent, body=body)


# Layers: base64, gzip, form, query


def corrupt_layer(rng: random.Random, sent: Sent, _templates: list[Sent]) -> Sent:
    """Damage between two layers: inside base64, inside gzip, or in the JSON's own bytes."""
    packed = _open(sent)
    if packed is None:
        return sent
    match rng.randrange(4):
        case 0:
            return packed.pack(_flipped(rng, packed.plain))
        case 1:
            data = gzip.compress(packed.plain, 1, mtime=0)
            return packed.pack_outer(_flipped(rng, data)[: rng.randint(1, len(data))])
        case 2:
            return packed.pack_text(rng.choice((b"====", b"a", b"%", b"\xff" * 9, packed.plain)))
    return packed.pack(packed.plain[: rng.randint(0, len(packed.plain))])


def swap_gzip(rng: random.Random, sent: Sent, _templates: list[Sent]) -> Sent:
    """Gzip where none is said, deflate, gzip twice, rubbish after the end, or none where it is said."""
    packed = _open(sent)
    if packed is None:
        return sent
    once = gzip.compress(packed.plain, 1, mtime=0)
    return packed.pack_outer(
        rng.choice(
            (once, zlib.compress(packed.plain), gzip.compress(once, mtime=0), once + b"tail", once + once, packed.plain)
        )
    )


def gzip_bomb(rng: random.Random, sent: Sent, _templates: list[Sent]) -> Sent:
    """A few kilobytes that become many megabytes: blank space, an open list, or one long text."""
    bomb = _bomb(rng.choice((b" ", b"[", b"0", b"[],")))
    packed = _open(sent)
    return packed.pack_outer(bomb) if packed is not None else replace(sent, body=bomb)


def flood(rng: random.Random, sent: Sent, _templates: list[Sent]) -> Sent:
    """More messages than one request may hold, each as small as can be."""
    packed = _open(sent)
    return sent if packed is None else packed.pack(b"[" + rng.choice((b"1,", b"{},", b"[],")) * FLOOD + b"null]")


@cache
def _bomb(filling: bytes) -> bytes:
    return gzip.compress(filling * (BOMB_BYTES // len(filling)), 9, mtime=0)


# JSON


def change_value(rng: random.Random, sent: Sent, _templates: list[Sent]) -> Sent:
    """One to four values anywhere in the JSON become something of another kind."""
    packed, value = _open_json(sent)
    if packed is None:
        return sent
    # With the recorded key it would be a duplicate of the template, and never be stored.
    value = _renewed(rng, value) if rng.random() < 0.8 else value
    for _ in range(rng.randint(1, 4)):
        value = _changed(rng, value)
    return packed.pack(_encoded(rng, value))


def change_shape(rng: random.Random, sent: Sent, _templates: list[Sent]) -> Sent:
    """The whole JSON in another shape: wrapped, unwrapped, repeated, nested deep, as lines."""
    packed, value = _open_json(sent)
    if packed is None:
        return sent
    plain = packed.plain
    shapes = (
        b"[" + plain + b"]",
        b'{"batch":' + plain + b"}",
        b'{"batch":[' + plain + b",null," + plain + b"]}",
        b"[" + b",".join([plain] * 40) + b"]",
        plain + b"\n" + plain + b"\r\n\n" + plain,
        plain[:-1] + b',"properties":' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}",
        plain[:-1] + b',"properties":' + b"[" * 400 + b"]" * 400 + b"}",
        plain.replace(b":", b": ", 3) + b" " * 100,
        plain.replace(b'"', b"'"),
        plain.decode("utf-8", "replace").encode("utf-16"),
        plain.replace(b"null", b"NaN").replace(b"true", b"Infinity"),
        json.dumps(json.dumps(value)).encode(),
    )
    return packed.pack(rng.choice(shapes))


def _changed(rng: random.Random, value: Any) -> Any:
    """`value` with one value at a random depth replaced, removed or added."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        changed = dict(value)
        name = rng.choice(list(changed))
        match rng.randrange(8):
            case 0:
                del changed[name]
            case 1:
                changed[rng.choice(_NAMES)] = rng.choice(_VALUES)
            case 2:
                changed[rng.choice(("", "x" * 300, "\ud800", "a\0b", name.upper()))] = changed[name]
            case _:
                changed[name] = _changed(rng, changed[name])
        return changed
    if isinstance(value, list) and value and rng.random() < 0.85:
        at = rng.randrange(len(value))
        return [*value[:at], _changed(rng, value[at]), *value[at + 1 :]]
    return rng.choice(_VALUES)


def _renewed(rng: random.Random, value: Any) -> Any:
    """`value` with dedupe keys that nobody used before."""
    if isinstance(value, list):
        return [_renewed(rng, each) for each in value]
    if not isinstance(value, dict):
        return value
    fresh = {"messageId": f"m{rng.random()}", "_track_id": rng.randrange(10**9), "dedupe_key": f"d{rng.random()}"}
    return {name: fresh.get(name, _renewed(rng, each) if name == "batch" else each) for name, each in value.items()}


def _encoded(rng: random.Random, value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5)
    # "surrogatepass" is how a careless client writes half an emoji.
    data = text.encode("utf-8", "surrogatepass")
    if rng.random() < 0.1:
        data = data.replace(b"e", rng.choice((b"\xff", b"\xc3", b"\xed\xa0\x80", b"\x00", b"\\u12")), 1)
    return data


# HTTP


def change_headers(rng: random.Random, sent: Sent, _templates: list[Sent]) -> Sent:
    name, value = rng.choice(_HEADERS)
    kept = tuple(each for each in sent.headers if each[0] != name)
    return replace(sent, headers=(*kept, (name, value)) if rng.random() < 0.8 else kept)


def change_path(rng: random.Random, sent: Sent, _templates: list[Sent]) -> Sent:
    """The request of one family at the door of another."""
    query = sent.query
    return replace(sent, target=rng.choice(_PATHS) + (f"?{query}" if query else ""))


def change_query(rng: random.Random, sent: Sent, _templates: list[Sent]) -> Sent:
    query = rng.choice(
        (
            b"",
            b"data=" + rng.randbytes(20),
            b"gzip=1",
            b"data_list=&data=e30=",
            b"a=b&" * 300,
            b"%",
            b"data=" + b"A" * 9000,
        )
    )
    return replace(sent, target=quote_target(sent.path, query + _flipped(rng, sent.query.encode())))


def change_method(rng: random.Random, sent: Sent, _templates: list[Sent]) -> Sent:
    return replace(sent, method=rng.choice(("GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH", "BREW")))


def _flipped(rng: random.Random, data: bytes) -> bytes:
    flipped = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        if flipped:
            flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
    return bytes(flipped)


def _open(sent: Sent) -> Packed | None:
    try:
        return open_layers(sent)
    except (ValueError, OSError, EOFError, zlib.error):  # an earlier mutation left nothing to open
        return None


def _open_json(sent: Sent) -> tuple[Packed | None, Any]:
    packed = _open(sent)
    if packed is None:
        return None, None
    try:
        return packed, json.loads(packed.plain)
    except (ValueError, RecursionError):
        return None, None


_MUTATIONS: tuple[Mutation, ...] = (
    flip_bits,
    truncate,
    duplicate,
    splice,
    replace_body,
    corrupt_layer,
    swap_gzip,
    gzip_bomb,
    flood,
    change_value,
    change_shape,
    change_headers,
    change_path,
    change_query,
    change_method,
)
_WEIGHTS = (8, 5, 3, 4, 3, 12, 4, 0.2, 0.1, 36, 8, 8, 8, 3, 2)
