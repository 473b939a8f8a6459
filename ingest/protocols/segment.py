"""Clients of Segment and RudderStack: `/v1/batch` and a path per call; JSON, whatever the content type says."""

from typing import Any

import msgspec

from ingest.errors import Unreadable
from ingest.message import ANONYMOUS_ID, LOGIN_ID, Account, Decoded, Identity, Message, PropertyChange, Source
from ingest.protocols.accounts import ACCOUNTS, read_group, take_accounts
from ingest.protocols.lenient import lenient_json, read_struct
from ingest.protocols.reading import Reader
from ingest.protocols.splitting import Item, json_items, object_members
from ingest.protocols.unpacking import plain_body
from ingest.protocols.values import id_text, read_time, source_of, unique_identities, with_ip, without_nulls
from ingest.protocols.write_keys import basic_user, query_value, with_key
from ingest.record import Record, Request
from ingest.settings import DecodeSettings

# The last is where RudderStack's browser SDK sends what is left when a page is closed.
BATCH_PATHS = frozenset({"/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch"})
SINGLE_PATHS = {
    "/v1/track": "track",
    "/v1/t": "track",
    "/v1/page": "page",
    "/v1/p": "page",
    "/v1/screen": "screen",
    "/v1/s": "screen",
    "/v1/identify": "identify",
    "/v1/i": "identify",
    "/v1/alias": "alias",
    "/v1/a": "alias",
    "/v1/group": "group",
    "/v1/g": "group",
}
PATHS = BATCH_PATHS | SINGLE_PATHS.keys()

_EVENT_CALLS = frozenset({"track", "page", "screen"})
_SOURCES: dict[str, Source] = {
    "analytics.js": "web",
    "analytics-android": "app",
    "analytics-ios": "app",
    "analytics-kotlin": "app",
    "analytics-swift": "app",
    "analytics-react-native": "app",
    "analytics-flutter": "app",
    "RudderLabs JavaScript SDK": "web",
    "com.rudderstack.android.sdk.core": "app",  # sends a userAgent too, as browsers do
    "rudder-ios-library": "app",
}
# Where a call's context says what other families send as preset properties.
_CONTEXT_PROPERTIES: dict[str, str | dict[str, str]] = {
    "ip": "$ip",
    "userAgent": "$user_agent",
    "locale": "$locale",
    "timezone": "$timezone",
    "page": {"url": "$url", "path": "$url_path", "title": "$title", "referrer": "$referrer"},
    "campaign": {
        "name": "$utm_campaign",
        "source": "$utm_source",
        "medium": "$utm_medium",
        "term": "$utm_term",
        "content": "$utm_content",
    },
    "os": {"name": "$os", "version": "$os_version"},
    "device": {"model": "$model", "manufacturer": "$manufacturer"},
    "app": {"version": "$app_version"},
}


class Envelope(msgspec.Struct):
    """A batch; the messages stay bytes until each is read on its own."""

    batch: msgspec.Raw
    # Typed, so that nothing large is made of what stands here; what is neither is read leniently.
    sent_at: str | int | float | None = msgspec.field(default=None, name="sentAt")
    write_key: str | int | float | None = msgspec.field(default=None, name="writeKey")


class SegmentMessage(msgspec.Struct, rename="camel", gc=False):
    """One call, whichever of the six it is."""

    type: str | None = None
    message_id: Any = None
    timestamp: Any = None
    original_timestamp: Any = None
    sent_at: Any = None
    user_id: Any = None
    anonymous_id: Any = None
    previous_id: Any = None
    group_id: Any = None
    event: Any = None
    name: Any = None
    category: Any = None
    properties: dict[str, Any] | None = None
    traits: dict[str, Any] | None = None
    context: dict[str, Any] | None = None


_MOST_ENVELOPE_BYTES = 1000
_FORM = msgspec.json.Decoder(SegmentMessage)
_ENVELOPE = msgspec.json.Decoder(Envelope)


def decode(record: Record, request: Request, settings: DecodeSettings) -> Decoded:
    """All messages of one request; a body that is not what it promises becomes one reject."""
    reader = Reader("segment", record.received_at_us, settings, request.remote_address)
    call = _call_of(request.path)
    try:
        body = plain_body(request.body, request.headers.get("content-encoding", ""), settings.max_decompressed_bytes)
        opened = Envelope(msgspec.Raw(body)) if call else open_batch(body)
    except Unreadable as refusal:
        reader.refuse(refusal, request.body)
        return reader.decoded
    reader.decoded.plain_bytes = len(body)
    items, stopped = ([body], None) if call else json_items(bytes(opened.batch), settings.max_messages)

    batch_sent_at = _read_once(opened.sent_at)

    def interpret(index: int, item: Item) -> Message:
        return _interpret(reader, index, item, batch_sent_at, call)

    reader.read(items, with_key(interpret, _write_key(request, opened), settings))
    if stopped is not None:
        reader.refuse(stopped, body)
    return reader.decoded


def open_only(record: Record, request: Request, settings: DecodeSettings) -> Decoded:
    """Whether the body opens: what these clients are answered by. Its messages are neither read nor given."""
    try:
        body = plain_body(request.body, request.headers.get("content-encoding", ""), settings.max_decompressed_bytes)
        if _call_of(request.path) is None:
            open_batch(body)
        elif body.lstrip()[:1] != b"{":
            raise Unreadable("unreadable_body", "a call is a JSON object")
    except Unreadable as refusal:
        reader = Reader("segment", record.received_at_us, settings)
        reader.refuse(refusal, request.body)
        return reader.decoded
    return Decoded()


def _call_of(path: str) -> str | None:
    for prefix in ("/segment", "/rudder"):
        path = path.removeprefix(prefix)
    return SINGLE_PATHS.get(path.rstrip("/"))


def open_batch(body: bytes) -> Envelope:
    """The JSON array of messages in a batch, when it was sent, and under which key."""
    try:
        opened = _ENVELOPE.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        opened = _open_leniently(body)
    if memoryview(opened.batch)[:1].tobytes() != b"[":
        raise Unreadable("unreadable_body", 'a batch is a JSON object with a list "batch"')
    return opened


def _open_leniently(body: bytes) -> Envelope:
    if body.lstrip()[:1] != b"{":
        raise Unreadable("unreadable_body", 'a batch is a JSON object with a list "batch"')
    members = object_members(body)
    for name in ("sentAt", "writeKey"):
        if len(members.get(name, b"")) > _MOST_ENVELOPE_BYTES:
            raise Unreadable("unreadable_body", f"{name} is longer than {_MOST_ENVELOPE_BYTES} bytes")
    sent_at, write_key = (lenient_json(members[name]) if name in members else None for name in ("sentAt", "writeKey"))
    return Envelope(msgspec.Raw(members.get("batch", b"")), sent_at, write_key)


def _write_key(request: Request, opened: Envelope) -> str | None:
    if isinstance(opened.write_key, str) and opened.write_key:
        return opened.write_key
    return basic_user(request) or query_value(request, "writeKey")


def _read_once(sent_at: Any) -> int | Unreadable | None:
    """The time that a batch was sent, for all its messages; one that is no time is their defect, not the batch's."""
    try:
        return read_time(sent_at, "sentAt")
    except Unreadable as refusal:
        return refusal


def _interpret(
    reader: Reader, index: int, item: Item, batch_sent_at: int | Unreadable | None, call: str | None
) -> Message:
    sent = read_struct(item, _FORM)
    record_type = call or sent.type or ""
    sent_at = batch_sent_at if sent.sent_at is None else read_time(sent.sent_at, "sentAt")
    if isinstance(sent_at, Unreadable):
        raise sent_at
    original_at = read_time(sent.original_timestamp if sent.timestamp is None else sent.timestamp, "timestamp")
    has_own_time = original_at is not None
    if original_at is None:
        original_at = sent_at if sent_at is not None else reader.received_at_us
    dedupe_key = id_text(sent.message_id)
    is_keyless = dedupe_key is None and has_own_time
    content_hash, occurrence = reader.count_content(item) if is_keyless else (None, 0)
    context = sent.context or {}
    library = context.get("library")
    sdk, sdk_version = _sdk(library) if isinstance(library, dict) else (None, None)
    user_id, anonymous_id = id_text(sent.user_id), id_text(sent.anonymous_id)
    properties = _event_properties(record_type, sent, context)
    source = source_of(properties, _source(sdk, context))
    account_id, change = _account_id(record_type, sent, context), _change(record_type, sent, context)
    accounts: tuple[Account, ...] = ()
    is_leave = False
    if record_type == "group":
        (account_id, accounts), is_leave, traits = read_group(without_nulls(sent.traits), account_id)
        change = PropertyChange("account", "set", traits)
    elif ACCOUNTS in (named := properties if change is None else change.properties):
        account_id, accounts = take_accounts(named, account_id)
    # By position: naming twenty fields costs as much as all the rest of this function.
    return Message(
        index,
        "segment",
        record_type,
        _event_name(record_type, sent),
        reader.corrected(original_at, sent_at),
        original_at,
        sent_at,
        _identities(user_id, anonymous_id, sent.previous_id if record_type == "alias" else None),
        user_id or anonymous_id,
        has_own_time,
        dedupe_key,
        content_hash,
        occurrence,
        account_id,
        source,
        sdk,
        sdk_version,
        with_ip(properties, source, reader.device_ip) if record_type in _EVENT_CALLS else {},
        False,  # is_unbind
        change,
        accounts,
        is_leave,
    )


def _sdk(library: dict[str, Any]) -> tuple[str | None, str | None]:
    return id_text(library.get("name")), id_text(library.get("version"))


def _identities(user_id: str | None, anonymous_id: str | None, previous_id: Any) -> tuple[Identity, ...]:
    if previous_id is not None:
        pairs = [(LOGIN_ID, user_id), (ANONYMOUS_ID, anonymous_id), (ANONYMOUS_ID, previous_id)]
        return unique_identities(pairs)
    if user_id is None:
        return (Identity(ANONYMOUS_ID, anonymous_id),) if anonymous_id is not None else ()
    if anonymous_id is None:
        return (Identity(LOGIN_ID, user_id),)
    return Identity(LOGIN_ID, user_id), Identity(ANONYMOUS_ID, anonymous_id)


def _event_name(record_type: str, sent: SegmentMessage) -> str | None:
    match record_type:
        case "track":
            if not isinstance(sent.event, str) or not sent.event:
                raise Unreadable("missing_event_name", "a track call needs its event")
            return sent.event
        case "page":
            return "$pageview"
        case "screen":
            return "$screen"
        case "identify" | "alias" | "group":
            return None
    raise Unreadable("unknown_record_type", f"type {record_type!r} is none of the six calls")


def _account_id(record_type: str, sent: SegmentMessage, context: dict[str, Any]) -> str | None:
    if record_type == "group":
        account_id = id_text(sent.group_id)
        if account_id is None:
            raise Unreadable("missing_account", "a group call needs its groupId")
        return account_id
    if sent.properties and (account_id := id_text(sent.properties.get("account_id"))) is not None:
        return account_id
    return id_text(context.get("groupId"))


def _source(sdk: str | None, context: dict[str, Any]) -> Source | None:
    if sdk in _SOURCES:
        return _SOURCES[sdk]
    if context.get("page") or context.get("userAgent"):
        return "web"
    if context.get("device"):
        return "app"
    return "server" if sdk else None


def _event_properties(record_type: str, sent: SegmentMessage, context: dict[str, Any]) -> dict[str, Any]:
    if record_type not in _EVENT_CALLS:
        return {}
    properties = without_nulls(sent.properties)
    for name, value in (("name", sent.name), ("category", sent.category)):
        if record_type != "track" and value is not None:
            properties.setdefault(name, value)
    for key, value in context.items():
        rule = _CONTEXT_PROPERTIES.get(key)
        if rule is None:
            continue
        if isinstance(rule, str):
            _set_if_new(properties, rule, value)
        elif isinstance(value, dict):
            for part, name in rule.items():
                _set_if_new(properties, name, value.get(part))
    return properties


def _set_if_new(properties: dict[str, Any], name: str, value: Any) -> None:
    if value is not None and value != "":
        properties.setdefault(name, value)


def _change(record_type: str, sent: SegmentMessage, context: dict[str, Any]) -> PropertyChange | None:
    if record_type == "identify":
        # RudderStack's Python client puts them into the context alone.
        within = context.get("traits")
        traits = without_nulls(sent.traits or (within if isinstance(within, dict) else None))
        return PropertyChange("person", "set", traits) if traits else None
    return None
