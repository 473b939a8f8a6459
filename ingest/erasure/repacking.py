"""Repacking: a request with some of its messages, each as the very bytes it had, in a form that its family opens."""

import base64
import gzip
import json
from typing import Any
from urllib.parse import parse_qsl, urlencode

from msgspec.structs import replace

from ingest.errors import Unreadable
from ingest.message import Protocol
from ingest.protocols.segment import open_batch
from ingest.protocols.sensors_form import read_form
from ingest.protocols.unpacking import plain_body
from ingest.record import Request
from ingest.settings import DecodeSettings

# What bears on decoding beside the body; how the body was packed is said anew.
_KEY_NAMES = frozenset({"write_key", "writeKey"})
_PACKING_HEADERS = frozenset({"content-encoding", "content-type"})
_NDJSON = "application/x-ndjson"


def repack(request: Request, protocol: Protocol, items: list[bytes], settings: DecodeSettings) -> Request | None:
    """The request with these messages; None for a family whose bodies cannot be put together again."""
    headers = {name: value for name, value in request.headers.items() if name not in _PACKING_HEADERS}
    query = urlencode([each for each in parse_qsl(request.query) if each[0] in _KEY_NAMES])
    try:
        match protocol:
            case "sensors":
                body = _sensors_body(request, items, settings)
            case "segment":
                body = _packed(_segment_body(request, items, settings))
            case "native":
                body, headers = _native_body(items, headers)
            case _:
                return None
    except Unreadable:
        return None
    return replace(request, query=query, headers=headers, body=body, cut=None)


def _sensors_body(request: Request, items: list[bytes], settings: DecodeSettings) -> bytes:
    token = read_form(request, settings).token
    fields = {"data_list": base64.b64encode(_packed(_array(items))).decode()}
    return urlencode({**fields, **({"token": token} if token is not None else {})}).encode()


def _segment_body(request: Request, items: list[bytes], settings: DecodeSettings) -> bytes:
    plain = plain_body(request.body, request.headers.get("content-encoding", ""), settings.max_decompressed_bytes)
    opened = open_batch(plain)
    said: dict[str, Any] = {"sentAt": opened.sent_at, "writeKey": opened.write_key}
    members = [f"{json.dumps(name)}:{json.dumps(value)}" for name, value in said.items() if value is not None]
    return b"{" + b",".join([*(each.encode() for each in members), b'"batch":' + _array(items)]) + b"}"


def _native_body(items: list[bytes], headers: dict[str, str]) -> tuple[bytes, dict[str, str]]:
    # Lines may be no JSON at all, and an array would not open with such a one; what has line breaks came in an array.
    if any(b"\n" in item or b"\r" in item for item in items):
        return _packed(_array(items)), headers
    return _packed(b"\n".join(items)), {**headers, "content-type": _NDJSON}


def _array(items: list[bytes]) -> bytes:
    return b"[" + b",".join(items) + b"]"


def _packed(plain: bytes) -> bytes:
    packed = gzip.compress(plain, 9, mtime=0)
    return packed if len(packed) < len(plain) else plain
