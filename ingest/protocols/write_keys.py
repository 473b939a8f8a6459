"""Write keys: whose messages a project takes.

Without keys in the settings anybody's; with them a message under another key is refused, but kept as a reject, so that
it can be replayed once its key was added. The keys themselves are never part of a refusal.
"""

import base64
import binascii
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import parse_qs

import msgspec

from ingest.errors import Unreadable
from ingest.protocols.splitting import Item
from ingest.record import Request
from ingest.settings import DecodeSettings

M = TypeVar("M")


class _Sent(msgspec.Struct):
    """Where clients put a key into a message: Sensors `token`, also among the properties; Segment `writeKey`."""

    token: Any = None
    write_key: Any = msgspec.field(default=None, name="writeKey")
    properties: Any = None


_SENT = msgspec.json.Decoder(_Sent)


def check_write_key(key: str | None, settings: DecodeSettings) -> None:
    """Raise `Unreadable` unless the project takes messages under this key."""
    if not settings.write_keys or key in settings.write_keys:
        return
    found = "the write key is not among" if key else "no write key was sent, and the project has"
    raise Unreadable("unknown_write_key", f"{found} write_keys in onepath.toml")


def with_key(
    interpret: Callable[[int, Item], M], request_key: str | None, settings: DecodeSettings
) -> Callable[[int, Item], M]:
    """`interpret`, once the key of a message was found good: its own where it has one, else its request's."""
    if not settings.write_keys:
        return interpret

    def checked(index: int, item: Item) -> M:
        check_write_key(_own_key(item) or request_key, settings)
        return interpret(index, item)

    return checked


def _own_key(item: Item) -> str | None:
    try:
        sent = _SENT.decode(item)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    within = sent.properties.get("$token") if isinstance(sent.properties, dict) else None
    return next((key for key in (sent.token, within, sent.write_key) if isinstance(key, str) and key), None)


def basic_user(request: Request) -> str | None:
    """The user of basic authentication, which is where Segment and RudderStack clients put their key."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")[0] or None
    except (binascii.Error, ValueError):
        return None


def bearer_or_query(request: Request) -> str | None:
    """The key as the native form takes it: `Authorization: Bearer KEY`, or `?write_key=KEY`."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return key.strip()
    return query_value(request, "write_key")


def query_value(request: Request, name: str) -> str | None:
    """The first value of a name in the query."""
    try:
        return parse_qs(request.query, max_num_fields=200).get(name, [None])[0]
    except ValueError:
        return None
