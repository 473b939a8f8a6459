"""Sensors Analytics clients: `/sa`, `/sa.gif` and `/debug`, forms of base64 of (gzipped) JSON.

Whatever the events are worth, the answer is 200: several of these clients throw whole batches away on anything else.
"""

from functools import partial
from typing import Any

import msgspec

from ingest.errors import Unreadable
from ingest.message import (
    ANONYMOUS_ID,
    LOGIN_ID,
    Account,
    Decoded,
    Identity,
    Message,
    PropertyChange,
    PropertyOperation,
    Source,
)
from ingest.protocols.accounts import ACCOUNTS, take_accounts
from ingest.protocols.lenient import read_struct
from ingest.protocols.reading import Reader
from ingest.protocols.sensors_form import SensorsForm, read_form
from ingest.protocols.splitting import Item, json_items
from ingest.protocols.values import id_text, read_time, source_of, unique_identities, with_ip, without_nulls
from ingest.protocols.write_keys import with_key
from ingest.record import Record, Request
from ingest.settings import DecodeSettings

_EVENT_TYPES = frozenset({"track", "track_signup", "track_id_bind", "track_id_unbind"})
_PROFILE_OPERATIONS: dict[str, PropertyOperation] = {
    "profile_set": "set",
    "profile_set_once": "set_once",
    "profile_increment": "increment",
    "profile_append": "append",
    "profile_unset": "unset",
    "profile_delete": "delete",
}
_ITEM_OPERATIONS: dict[str, PropertyOperation] = {"item_set": "set", "item_delete": "delete"}
_SOURCES: dict[str, Source] = {
    "js": "web",
    "minigame": "mini_program",
    "miniprogram": "mini_program",
    "alipaymini": "mini_program",
    "android": "app",
    "ios": "app",
    "harmonyos": "app",
    "flutter": "app",
    "python": "server",
    "java": "server",
    "node": "server",
    "php": "server",
    "golang": "server",
}


class SensorsMessage(msgspec.Struct, gc=False):
    """An event as the clients send it; ids and times are read leniently, so they stay untyped here."""

    type: str
    time: Any = None
    event: Any = None
    distinct_id: Any = None
    original_id: Any = None
    anonymous_id: Any = None
    login_id: Any = None
    identities: dict[str, Any] | None = None
    properties: dict[str, Any] | None = None
    lib: dict[str, Any] | None = None
    item_type: Any = None
    item_id: Any = None
    track_id: Any = msgspec.field(default=None, name="_track_id")
    flush_time: Any = msgspec.field(default=None, name="_flush_time")


_FORM = msgspec.json.Decoder(SensorsMessage)


def decode(record: Record, request: Request, settings: DecodeSettings) -> Decoded:
    """All messages of one request; a body that is not what it promises becomes one reject."""
    reader = Reader("sensors", record.received_at_us, settings, request.remote_address)
    form = SensorsForm()
    try:
        form = read_form(request, settings)
        data = form.json_bytes(settings)
    except Unreadable as refusal:
        reader.refuse(form.blame(refusal), request.body or request.query.encode())
        return reader.decoded
    reader.decoded.plain_bytes = len(data)
    items, stopped = json_items(data, settings.max_messages)
    reader.read(items, with_key(partial(_interpret, reader), form.token, settings))
    if stopped is not None:
        reader.refuse(form.blame(stopped), data)
    return reader.decoded


def is_dry_run(request: Request) -> bool:
    """Whether a debugging client wants its events judged, but not kept."""
    return request.headers.get("dry-run", "").strip().lower() == "true"


def _interpret(reader: Reader, index: int, item: Item) -> Message:
    sent = read_struct(item, _FORM)
    record_type, time, flush_time = sent.type, sent.time, sent.flush_time
    properties = without_nulls(sent.properties)
    account_id = id_text(properties["account_id"]) if "account_id" in properties else None
    accounts: tuple[Account, ...] = ()
    if ACCOUNTS in properties:
        account_id, accounts = take_accounts(properties, account_id)
    original_at = read_time(time, "time")
    if original_at is None:
        raise Unreadable("unreadable_message", "no time: send milliseconds since 1970")
    sent_at = read_time(flush_time, "_flush_time") if flush_time is not None else None
    dedupe_key = _dedupe_key(sent)
    content_hash, occurrence = (None, 0) if dedupe_key is not None else reader.count_content(item)
    lib = sent.lib or {}
    sdk = id_text(properties.get("$lib") or lib.get("$lib"))
    source = source_of(properties, _SOURCES.get(sdk.lower()) if sdk else None)
    # By position: naming twenty fields costs as much as all the rest of this function.
    return Message(
        index,
        "sensors",
        record_type,
        _event_name(sent),
        reader.corrected(original_at, sent_at),
        original_at,
        sent_at,
        _identities(sent, properties),
        id_text(sent.distinct_id),
        True,  # has_own_time
        dedupe_key,
        content_hash,
        occurrence,
        account_id,
        source,
        sdk,
        id_text(properties.get("$lib_version") or lib.get("$lib_version")),
        with_ip(properties, source, reader.device_ip) if record_type in _EVENT_TYPES else {},
        record_type == "track_id_unbind",
        None if record_type in _EVENT_TYPES else _change(sent, properties),
        accounts,
    )


def _event_name(sent: SensorsMessage) -> str | None:
    if sent.type not in _EVENT_TYPES:
        if sent.type not in _PROFILE_OPERATIONS and sent.type not in _ITEM_OPERATIONS:
            raise Unreadable("unknown_record_type", f"type {sent.type!r} is none that Sensors clients send")
        return None
    if not isinstance(sent.event, str) or not sent.event:
        raise Unreadable("missing_event_name", "an event needs a name")
    return sent.event


def _identities(sent: SensorsMessage, properties: dict[str, Any]) -> tuple[Identity, ...]:
    if sent.type in _ITEM_OPERATIONS:
        return ()
    # Ids that are there but empty must not hide the next best ones.
    if sent.identities and (found := unique_identities(sent.identities.items())):
        return found
    if found := unique_identities([(LOGIN_ID, sent.login_id), (ANONYMOUS_ID, sent.anonymous_id)]):
        return found
    if sent.type == "track_signup":
        return unique_identities([(LOGIN_ID, sent.distinct_id), (ANONYMOUS_ID, sent.original_id)])
    is_login = properties.get("$is_login_id") is True
    return unique_identities([(LOGIN_ID if is_login else ANONYMOUS_ID, sent.distinct_id)])


def _dedupe_key(sent: SensorsMessage) -> str | None:
    # `_track_id` alone is weak (nine digits, part of them the clock), so time, id and name stand beside it.
    if sent.track_id is None:
        return None
    return f"{sent.track_id}:{sent.time}:{sent.distinct_id}:{sent.event or sent.type}"


def _change(sent: SensorsMessage, properties: dict[str, Any]) -> PropertyChange | None:
    if operation := _PROFILE_OPERATIONS.get(sent.type):
        return PropertyChange("person", operation, {n: v for n, v in properties.items() if n != "$is_login_id"})
    if operation := _ITEM_OPERATIONS.get(sent.type):
        item_type, item_id = id_text(sent.item_type), id_text(sent.item_id)
        if item_type is None or item_id is None:
            raise Unreadable("unreadable_message", "an item needs item_type and item_id")
        return PropertyChange("item", operation, properties, item=(item_type, item_id))
    return None
