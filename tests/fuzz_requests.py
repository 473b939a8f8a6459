"""Requests for the fuzzer: the recorded ones, taken apart into layers and put together again.

A recorded request is JSON inside base64, gzip, a form or a query. `open_layers` finds the JSON and how it was packed,
`Packed.pack` packs other JSON the same way, so that a mutation can strike any layer.
"""

import base64
import gzip
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlencode

CAPTURES = Path(__file__).parent / "captures"

Headers = tuple[tuple[bytes, bytes], ...]
Place = Literal["body", "form", "query"]

# What the real clients' HTTP libraries add and no server reads.
_BORING_HEADERS = frozenset({"accept", "accept-encoding", "accept-language", "connection", "content-length", "host"})
_DATA_FIELDS = ("data_list", "data")


@dataclass(frozen=True)
class Sent:
    """A request as it goes out; `target` is the path and the query as on the request line."""

    method: str
    target: str
    headers: Headers
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]


@dataclass(frozen=True)
class Packed:
    """A request whose JSON lies open, and the layers around it: which field, base64 or not, gzip or not."""

    sent: Sent
    plain: bytes
    place: Place
    field: str = ""
    is_base64: bool = False
    is_gzip: bool = False

    def pack(self, plain: bytes) -> Sent:
        """The same request around other JSON."""
        return self.pack_outer(gzip.compress(plain, 1, mtime=0) if self.is_gzip else plain)

    def pack_outer(self, data: bytes) -> Sent:
        """The same request around what lies inside base64 (gzip or JSON)."""
        return self.pack_text(base64.b64encode(data) if self.is_base64 else data)

    def pack_text(self, text: bytes) -> Sent:
        """The same request around what stands in its field."""
        if self.place == "body":
            return replace(self.sent, body=text)
        fields = dict(_fields(self.sent.body if self.place == "form" else self.sent.query.encode()))
        encoded = urlencode({**fields, self.field: text})
        if self.place == "form":
            return replace(self.sent, body=encoded.encode())
        return replace(self.sent, target=f"{self.sent.path}?{encoded}")


def _fields(form: bytes) -> list[tuple[str, str]]:
    return parse_qsl(form.decode("latin-1"), keep_blank_values=True)


def open_layers(sent: Sent) -> Packed | None:
    """Where a request's JSON is; None when it has none (a preflight, a look at `/health`)."""
    for place, form in (("form", sent.body), ("query", sent.query.encode())):
        fields = dict(_fields(form))
        name = next((name for name in _DATA_FIELDS if fields.get(name)), None)
        if name is not None:
            data = base64.b64decode(fields[name].replace(" ", "+"))
            is_gzip = data[:2] == b"\x1f\x8b"
            plain = gzip.decompress(data) if is_gzip else data
            return Packed(sent, plain, "form" if place == "form" else "query", name, True, is_gzip)
    is_gzip = sent.body[:2] == b"\x1f\x8b"
    plain = gzip.decompress(sent.body) if is_gzip else sent.body
    return Packed(sent, plain, "body", is_gzip=is_gzip) if plain[:1] in (b"{", b"[") else None


def read_captures(folders: Iterable[Path] = (CAPTURES,)) -> list[Sent]:
    """The recorded requests of every client in the folders, in a fixed order."""
    lines = [
        line
        for folder in folders
        for path in sorted(folder.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    recorded = [json.loads(line) for line in lines]
    return [_sent(each) for each in recorded if "path" in each]


def _sent(recorded: dict[str, Any]) -> Sent:
    headers = tuple(
        (name.lower().encode("latin-1"), value.encode("latin-1", "replace"))
        for name, value in recorded["headers"].items()
        if name.lower() not in _BORING_HEADERS
    )
    return Sent(recorded["method"], recorded["path"], headers, base64.b64decode(recorded["body_b64"]))


_NATIVE = {
    "event_name": "LessonTaught",
    "event_at": "2026-11-20T08:00:00Z",
    "sent_at": "2026-11-20T08:00:01Z",
    "identities": {"$identity_login_id": "teacher-17", "$identity_anonymous_id": "device-3"},
    "dedupe_key": "lesson-1",
    "account_id": "school-7",
    "source": "server",
    "properties": {
        "channel": "exhibition",
        "minutes": 40,
        "tags": ["a", "b"],
        "名": "课",
        "deep": {"a": [1, {"b": None}]},
    },
}
_WEBHOOK = {
    "id": "deal-9",
    "type": "deal.won",
    "occurred_at": "2026-11-20T08:00:00Z",
    "contact": {"email": "li@example.test", "phone": "13800000000"},
    "company": {"id": "school-7"},
    "amount": 1200.5,
}
_JSON: Headers = ((b"content-type", b"application/json"),)


def native_requests() -> list[Sent]:
    """What nobody recorded, because it is Onepath's own: the native form in its shapes."""
    identify = {"record_type": "identify", "identities": _NATIVE["identities"], "properties": {"name": "Li"}}
    group = {**identify, "record_type": "group", "account_id": "school-7", "properties": {"city": "Hangzhou"}}
    one, many = json.dumps(_NATIVE).encode(), json.dumps([_NATIVE, identify, group]).encode()
    lines = b"\n".join(json.dumps(each).encode() for each in (_NATIVE, identify, group))
    return [
        Sent("POST", "/events", _JSON, one),
        Sent("POST", "/events", _JSON, many),
        Sent("POST", "/events", ((b"content-type", b"application/x-ndjson"),), lines),
        Sent("POST", "/events", (*_JSON, (b"content-encoding", b"gzip")), gzip.compress(many, mtime=0)),
    ]


def other_requests(captures: list[Sent]) -> list[Sent]:
    """The endpoints that no recorded request asks for, by what they would be asked."""
    sensors = [each for each in captures if each.path == "/sa" and each.method == "POST"][:4]
    debug = [
        replace(each, target="/debug?" + each.query, headers=(*each.headers, (b"dry-run", flag)))
        for each, flag in zip(sensors, (b"true", b"false", b"TRUE", b""), strict=False)
    ]
    webhook = json.dumps(_WEBHOOK).encode()
    return [
        *debug,
        Sent("POST", "/webhook/crm", _JSON, webhook),
        Sent("POST", "/webhook/unheard-of", (*_JSON, (b"x-signature", b"sha256=00")), webhook),
        Sent("GET", "/config/Android.conf?v=1", (), b""),
        Sent("GET", "/config/iOS.conf", (), b""),
        *(Sent("GET", path, (), b"") for path in ("/health", "/ready", "/metrics", "/openapi.json", "/docs", "/")),
    ]


def quote_target(path: str, query: bytes) -> str:
    """A request line's target from any path and query bytes: what no HTTP parser lets through is percent-escaped."""
    safe = "/:@!$&'()*+,;=-._~%"
    return quote(path, safe=safe) + ("?" + quote(query, safe=safe + "?[]") if query else "")


def path_bytes(target: str) -> bytes:
    """The path as a server reads it, unquoted."""
    return unquote_to_bytes(target.partition("?")[0])
