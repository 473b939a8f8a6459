"""Onepath's own form: `POST /events`, documented JSON or NDJSON, one message or many, answered message by message.

The names are those of the public views, so what one sends is what one finds.
"""

import re
from functools import partial
from typing import Any

import msgspec

from ingest.errors import Unreadable
from ingest.message import Account, Decoded, Message, PropertyChange, PropertyTarget, Source
from ingest.protocols.accounts import ACCOUNTS, NamedByGroup, named_beside, read_accounts, read_group
from ingest.protocols.lenient import read_struct
from ingest.protocols.reading import Reader
from ingest.protocols.splitting import Item, json_items, json_lines, looks_like_lines
from ingest.protocols.unpacking import plain_body
from ingest.protocols.values import id_text, read_time, source_of, unique_identities, without_nulls
from ingest.protocols.write_keys import bearer_or_query, with_key
from ingest.record import Record, Request
from ingest.settings import DecodeSettings

PATHS = frozenset({"/events"})

RECORD_TYPES = ("track", "identify", "group")
_CHANGE_TARGETS: dict[str, PropertyTarget] = {"identify": "person", "group": "account"}


class NativeMessage(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One message. `track` is an event; `identify` sets properties of a person, `group` of an account it joins."""

    identities: dict[str, Any] = {}
    record_type: str = "track"
    event_name: str | None = None
    event_at: Any = None
    sent_at: Any = None
    dedupe_key: str | None = None
    account_id: Any = None
    accounts: dict[str, Any] = {}
    source: Source | None = None
    sdk: str | None = None
    sdk_version: str | None = None
    properties: dict[str, Any] = {}


# application/x-ndjson, application/ndjson, application/jsonl, application/json-lines, and what else is in use
_NDJSON = re.compile(r"ndjson|json-?(?:l\b|lines)")
_FORM = msgspec.json.Decoder(NativeMessage)


def decode(record: Record, request: Request, settings: DecodeSettings) -> Decoded:
    """All messages of one request; a body that is not what it promises becomes one reject."""
    reader = Reader("native", record.received_at_us, settings)
    try:
        body = plain_body(request.body, request.headers.get("content-encoding", ""), settings.max_decompressed_bytes)
    except Unreadable as refusal:
        reader.refuse(refusal, request.body)
        return reader.decoded
    reader.decoded.plain_bytes = len(body)
    are_lines = _NDJSON.search(request.headers.get("content-type", "")) is not None or looks_like_lines(body)
    items, stopped = (json_lines if are_lines else json_items)(body, settings.max_messages)
    interpret = partial(_interpret, reader)
    reader.read(items, with_key(interpret, bearer_or_query(request) if settings.write_keys else None, settings))
    if stopped is not None:
        reader.refuse(stopped, body)
    return reader.decoded


def _interpret(reader: Reader, index: int, item: Item) -> Message:
    sent = read_struct(item, _FORM)
    record_type, account_id = sent.record_type, id_text(sent.account_id)
    is_event = record_type == "track"
    if account_id is None and "account_id" in sent.properties:
        account_id = id_text(sent.properties["account_id"])
    properties = without_nulls(sent.properties)
    accounts: tuple[Account, ...] = ()
    is_leave = False
    if sent.accounts or ACCOUNTS in properties or record_type == "group":
        (account_id, accounts), is_leave, properties = _read_accounts(sent, account_id, properties)
    _check_needs(sent, account_id, accounts)
    sent_at = read_time(sent.sent_at, "sent_at")
    original_at = read_time(sent.event_at, "event_at")
    has_own_time = original_at is not None
    if original_at is None:
        original_at = sent_at if sent_at is not None else reader.received_at_us
    is_keyless = not sent.dedupe_key and has_own_time
    content_hash, occurrence = reader.count_content(item) if is_keyless else (None, 0)
    identities = unique_identities(sent.identities.items())
    # By position: naming twenty fields costs as much as all the rest of this function.
    return Message(
        index,
        "native",
        record_type,
        sent.event_name if is_event else None,
        reader.corrected(original_at, sent_at),
        original_at,
        sent_at,
        identities,
        identities[0].value if identities else None,
        has_own_time,
        sent.dedupe_key or None,
        content_hash,
        occurrence,
        account_id,
        sent.source or source_of(properties, None),
        sent.sdk,
        sent.sdk_version,
        properties if is_event else {},
        False,  # is_unbind
        None if is_event else PropertyChange(_CHANGE_TARGETS[record_type], "set", properties),
        accounts,
        is_leave,
    )


def _read_accounts(sent: NativeMessage, account_id: str | None, properties: dict[str, Any]) -> NamedByGroup:
    accounts = read_accounts(sent.accounts, "accounts")
    if sent.record_type == "group":
        return read_group(properties, account_id, accounts)
    if ACCOUNTS in properties:
        properties = dict(properties)
        accounts += read_accounts(properties.pop(ACCOUNTS), ACCOUNTS)
    return NamedByGroup(named_beside(account_id, accounts), False, properties)


def _check_needs(sent: NativeMessage, account_id: str | None, accounts: tuple[Account, ...]) -> None:
    if sent.record_type == "track":
        if not sent.event_name:
            raise Unreadable("missing_event_name", "an event needs event_name")
    elif sent.record_type not in RECORD_TYPES:
        known = ", ".join(RECORD_TYPES)
        raise Unreadable("unknown_record_type", f"record_type {sent.record_type!r} is none of {known}")
    elif sent.record_type == "group" and account_id is None and not accounts:
        raise Unreadable("missing_account", "a group message needs account_id, or accounts")
