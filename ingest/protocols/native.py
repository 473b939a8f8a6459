"""Onepath's own form: `POST /events`, documented JSON, one message or many, answered message by message.

The names are those of the public views, so what one sends is what one finds.
"""

from typing import Any

import msgspec

from ingest.bodies import json_items, maybe_gunzip, read_struct
from ingest.errors import Unreadable
from ingest.message import Decoded, Message, PropertyChange, PropertyTarget, Source
from ingest.protocols.reading import Reader, id_text, read_time, source_of, unique_identities
from ingest.record import Record, Request
from ingest.settings import DecodeSettings

PATHS = frozenset({"/events"})

RECORD_TYPES = ("track", "identify", "group")
_CHANGE_TARGETS: dict[str, PropertyTarget] = {"identify": "person", "group": "account"}


class NativeMessage(msgspec.Struct, forbid_unknown_fields=True):
    """One message. `track` is an event; `identify` sets properties of a person, `group` of an account it joins."""

    identities: dict[str, Any] = {}
    record_type: str = "track"
    event_name: str | None = None
    event_at: Any = None
    sent_at: Any = None
    dedupe_key: str | None = None
    account_id: Any = None
    source: Source | None = None
    sdk: str | None = None
    sdk_version: str | None = None
    properties: dict[str, Any] = {}


def decode(record: Record, request: Request, settings: DecodeSettings) -> Decoded:
    """All messages of one request; a body that is not what it promises becomes one reject."""
    reader = Reader("native", record.received_at_us, settings)
    try:
        body = maybe_gunzip(request.body, settings.max_decompressed_bytes)
    except Unreadable as refusal:
        reader.refuse(refusal, request.body)
        return reader.decoded
    items, stopped = json_items(body, settings.max_messages)
    reader.read(items, lambda index, item: _interpret(reader, index, item))
    if stopped is not None:
        reader.refuse(stopped, body)
    return reader.decoded


def _interpret(reader: Reader, index: int, item: bytes) -> Message:
    sent = read_struct(item, NativeMessage)
    if sent.record_type not in RECORD_TYPES:
        raise Unreadable(
            "unknown_record_type", f"record_type {sent.record_type!r} is none of {', '.join(RECORD_TYPES)}"
        )
    is_event = sent.record_type == "track"
    if is_event and not sent.event_name:
        raise Unreadable("missing_event_name", "an event needs event_name")
    account_id = id_text(sent.account_id) or id_text(sent.properties.get("account_id"))
    if sent.record_type == "group" and account_id is None:
        raise Unreadable("missing_account", "a group message needs account_id")
    sent_at = read_time(sent.sent_at, "sent_at")
    original_at = read_time(sent.event_at, "event_at")
    has_own_time = original_at is not None
    if original_at is None:
        original_at = sent_at if sent_at is not None else reader.received_at_us
    content_hash, occurrence = (None, 0) if sent.dedupe_key or not has_own_time else reader.count_content(item)
    identities = unique_identities(sent.identities.items())
    target = _CHANGE_TARGETS.get(sent.record_type)
    properties = {name: value for name, value in sent.properties.items() if value is not None}
    return Message(
        index=index,
        protocol="native",
        record_type=sent.record_type,
        event_name=sent.event_name if is_event else None,
        event_at_us=reader.corrected(original_at, sent_at),
        original_event_at_us=original_at,
        sent_at_us=sent_at,
        identities=identities,
        distinct_id=identities[0].value if identities else None,
        has_own_time=has_own_time,
        dedupe_key=sent.dedupe_key or None,
        content_hash=content_hash,
        occurrence=occurrence,
        account_id=account_id,
        source=sent.source or source_of(sent.properties, None),
        sdk=sent.sdk,
        sdk_version=sent.sdk_version,
        properties=properties if is_event else {},
        change=PropertyChange(target, "set", properties) if target else None,
    )
