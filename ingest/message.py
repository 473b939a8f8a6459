"""Messages: the one vocabulary that every protocol decodes into.

A request carries messages. A message with an `event_name` is an event; one without changes a person or an account, or
says that identities belong together. What is refused is a `Reject`, with its reason and its original.
"""

import hashlib
from typing import Any, Literal
from uuid import UUID

import msgspec

from ingest.errors import RejectReason
from ingest.record import Position

Protocol = Literal["sensors", "segment", "native", "webhook", "onepath"]
Source = Literal["web", "mini_program", "app", "server"]
PropertyOperation = Literal["set", "set_once", "increment", "append", "unset", "delete"]
PropertyTarget = Literal["person", "account", "item"]

# The keys of identities are the preset names of Sensors' ID-Mapping 3, the widest such list in use; the ids of other
# families map onto them, so that one login sent by two families is one identity (ADR 0004).
LOGIN_ID = "$identity_login_id"
ANONYMOUS_ID = "$identity_anonymous_id"


class Identity(msgspec.Struct, frozen=True, gc=False, order=True):
    """Something a sender called a person by."""

    key: str
    value: str


# The type of the accounts that `account_id` and Segment's groupId name; others are named with their type.
DEFAULT_ACCOUNT_TYPE = "account"


class Account(msgspec.Struct, frozen=True, gc=False):
    """A school, a class, a family: an id that counts within its type."""

    account_type: str
    account_id: str


# A backend that forwards events for its clients says in this property where each came from.
PLATFORM_PROPERTY = "platform"
SOURCES: dict[str, Source] = {"web": "web", "mini_program": "mini_program", "app": "app", "server": "server"}


class PropertyChange(msgspec.Struct, frozen=True, gc=False):
    """A change to the properties of the message's person, its account, or an item."""

    target: PropertyTarget
    operation: PropertyOperation
    properties: dict[str, Any]
    item: tuple[str, str] | None = None  # (item_type, item_id)


class Message(msgspec.Struct, frozen=True, gc=False):
    """One thing a sender reported. Times are microseconds since 1970 UTC.

    `index` is its place in the request. `event_at_us` is corrected for the client's clock, `original_event_at_us` is as
    sent; without `has_own_time` the sender gave none and it is that of its sending or arrival. `dedupe_key` is the
    sender's own. Without one, `content_hash` and `occurrence` (how many times the same content came earlier in this
    request) tell resends, but only of messages with a time of their own: two equal ones without it may both be real.

    `account_id` is of the default type and the one that the message belongs to; `accounts` are all others that it
    names, of each type the first as the one it belongs to. With `is_leave` its person leaves them all.
    """

    index: int
    protocol: Protocol
    record_type: str
    event_name: str | None
    event_at_us: int
    original_event_at_us: int
    sent_at_us: int | None
    identities: tuple[Identity, ...]
    distinct_id: str | None
    has_own_time: bool
    dedupe_key: str | None
    content_hash: bytes | None
    occurrence: int
    account_id: str | None
    source: Source | None
    sdk: str | None
    sdk_version: str | None
    properties: dict[str, Any]
    is_unbind: bool = False
    change: PropertyChange | None = None
    accounts: tuple[Account, ...] = ()
    is_leave: bool = False


class Reject(msgspec.Struct, frozen=True, gc=False):
    """A message or a body that was refused, with what can be said of it and (the beginning of) its original."""

    index: int
    protocol: Protocol
    record_type: str | None
    event_name: str | None
    reason: RejectReason
    detail: str
    original: bytes
    original_length: int
    original_sha256: str | None = None


class Decoded(msgspec.Struct):
    """All that one record holds, in the order of the request; `plain_bytes` is what its body came to, decompressed."""

    messages: list[Message] = []
    rejects: list[Reject] = []
    plain_bytes: int = 0


def uuid_of(digest: bytes) -> UUID:
    """16 bytes of a hash as a UUID of version 8 (RFC 9562: the content is the vendor's own)."""
    shaped = bytearray(digest)
    shaped[6] = shaped[6] & 0x0F | 0x80
    shaped[8] = shaped[8] & 0x3F | 0x80
    return UUID(bytes=bytes(shaped))


def message_digest(message: Message, position: Position) -> bytes:
    """16 bytes that name a message of the record at `position`: from the sender's dedupe key and day, else from there.

    Never random, so a replay gives the same ids. The key counts within one original event day, as resends keep the
    original time.
    """
    if message.dedupe_key is not None:
        name = f"key\0{message.protocol}\0{message.dedupe_key}\0{dedupe_day(message)}"
    else:
        name = f"position\0{position.stream}/{position.file}/{position.offset}/{message.index}"
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def message_id(message: Message, position: Position) -> UUID:
    """The public name of a message of the record at `position`."""
    return uuid_of(message_digest(message, position))


def dedupe_day(message: Message) -> int:
    """Days since 1970 UTC within which the sender's key counts once; day 0 for messages that name no time."""
    return message.original_event_at_us // 86_400_000_000 if message.has_own_time else 0
