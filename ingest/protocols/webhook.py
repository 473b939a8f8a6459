"""Webhooks: `POST /webhook/{name}`, any JSON of another system, read by a mapping (`ingest.protocols.mapping`).

Whether the sender knows the secret is asked when the request arrives; what is in the log was let in.
"""

import base64
import hmac
import re
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from ingest.errors import Unreadable
from ingest.message import Account, Decoded, Identity, Message, PropertyChange
from ingest.protocols.accounts import ACCOUNTS, Named, read_group, take_accounts
from ingest.protocols.answers import Answer
from ingest.protocols.endpoint import RawHeaders
from ingest.protocols.lenient import lenient_json
from ingest.protocols.mapping import Constant, MessageMapping, Path, Signature, Value, Webhook
from ingest.protocols.reading import Reader
from ingest.protocols.splitting import check_extent
from ingest.protocols.unpacking import plain_body
from ingest.protocols.values import id_text, read_time, source_of, unique_identities, without_nulls
from ingest.protocols.write_keys import bearer_or_query, check_write_key
from ingest.record import Record, Request
from ingest.settings import DecodeSettings

PATH = re.compile(r"/webhook/([A-Za-z0-9_-]+)")
_NUMBER = re.compile(r"\d{10}(?:\d{3})?(?:\.\d+)?")


def turn_away(request: Request, headers: RawHeaders, settings: DecodeSettings) -> Answer | None:
    """404 for a webhook that is not configured, 401 for a sender that does not know its secret."""
    name = _name_of(request)
    hook = _webhook(name, settings)
    if hook is None:
        return _refusal(
            404, f"no webhook {name}: put its mapping into webhooks/{name}.yaml and start the collector anew"
        )
    if hook.signature is None:
        return None
    if request.cut is not None:  # its beginning alone cannot be checked
        return _refusal(413, "the body is too large")
    if not _is_signed(hook.signature, headers, request.body):
        return _refusal(401, f"the signature in {hook.signature.header} is missing or wrong")
    return None


def decode(record: Record, request: Request, settings: DecodeSettings) -> Decoded:
    """All messages that the mapping finds in one request; what it cannot read becomes a reject."""
    reader = Reader("webhook", record.received_at_us, settings)
    name = _name_of(request)
    hook = _webhook(name, settings)
    try:
        if hook is None:
            raise Unreadable("webhook_mapping", f"no mapping webhooks/{name}.yaml")
        if hook.signature is None:
            check_write_key(bearer_or_query(request) if settings.write_keys else None, settings)
        text = plain_body(request.body, request.headers.get("content-encoding", ""), settings.max_decompressed_bytes)
        check_extent(text)
        found, is_cut = _find(hook, _read_json(text), settings.max_messages)
    except Unreadable as refusal:
        reader.refuse(refusal, request.body)
        return reader.decoded
    reader.decoded.plain_bytes = len(text)
    originals = [text if part.is_whole else msgspec.json.encode(part.item) for part in found]
    reader.read(originals, lambda index, item: _interpret(reader, index, bytes(item), name, found[index]))
    if is_cut:
        detail = f"more than {settings.max_messages} items or messages in a request; those beyond are not looked at"
        reader.refuse(Unreadable("too_many_messages", detail), text)
    elif not found:
        reader.refuse(Unreadable("webhook_unmatched", "no `when` of the mapping asks for this body"), text)
    return reader.decoded


def _name_of(request: Request) -> str:
    found = PATH.fullmatch(request.path.rstrip("/"))
    assert found is not None, f"{request.path!r} is no path of a webhook"
    return found[1]


def _webhook(name: str, settings: DecodeSettings) -> Webhook | None:
    return next((hook for hook in settings.webhooks if hook.name == name), None)


def _refusal(status: int, detail: str) -> Answer:
    return Answer(status, msgspec.json.encode({"error": detail}), "application/json")


def _is_signed(signature: Signature, headers: RawHeaders, body: bytes) -> bool:
    assert signature.secret is not None, "the collector does not start without the secret"
    wanted = signature.header.lower().encode("latin-1")
    sent = next((value.decode("latin-1").strip() for name, value in headers if name == wanted), "")
    if not sent.startswith(signature.prefix):
        return False
    digest = sent.removeprefix(signature.prefix).encode("latin-1")
    if signature.algorithm != "plain" and signature.encoding == "hex":
        digest = digest.lower()
    return hmac.compare_digest(digest, _sign(signature, signature.secret, body))


def _sign(signature: Signature, secret: bytes, body: bytes) -> bytes:
    if signature.algorithm == "plain":
        return secret
    digest = hmac.digest(secret, body, {"hmac-sha256": "sha256", "hmac-sha1": "sha1"}[signature.algorithm])
    return digest.hex().encode() if signature.encoding == "hex" else base64.b64encode(digest)


def _read_json(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return lenient_json(text)
    except Unreadable as refusal:
        raise Unreadable("unreadable_body", refusal.detail) from refusal


class _Part(msgspec.Struct, gc=False):
    """An item of a body and the mapping that makes a message of it."""

    mapping: MessageMapping
    body: Any
    item: Any
    is_whole: bool


def _find(hook: Webhook, body: Any, most: int) -> tuple[list[_Part], bool]:
    """The parts of a body that become messages, at most so many, and whether there may be more.

    Each mapping looks at no more items than that, whether they become messages or not.
    """
    found = list[_Part]()
    for mapping in hook.messages:
        items = iter([body]) if mapping.items is None else mapping.items.find_all(body, body)
        for looked_at, item in enumerate(items):
            if looked_at == most:
                return found, True
            if all(condition.holds(body, item) for condition in mapping.when):
                if len(found) == most:
                    return found, True
                found.append(_Part(mapping, body, item, mapping.items is None))
    return found, False


def _interpret(reader: Reader, index: int, original: bytes, name: str, part: _Part) -> Message:
    mapping = part.mapping
    event_name = _event_name(part)
    original_at = _event_time(part)
    has_own_time = original_at is not None
    key = id_text(_required(part, mapping.dedupe_key, "dedupe_key"))
    content_hash, occurrence = (None, 0) if key or not has_own_time else reader.count_content(original)
    properties = _properties(part)
    identities = _identities(part)
    target = {"identify": "person", "group": "account"}.get(mapping.record_type)
    account_id = id_text(_optional(part, mapping.account_id))
    named, is_leave = Named(account_id, _accounts(part)), False
    if mapping.record_type == "group":
        named, is_leave, properties = read_group(properties, account_id, named.accounts)
        if named == (None, ()):
            raise Unreadable("missing_account", f"account_id: {_text(mapping.account_id)} found no id")
    elif ACCOUNTS in properties:
        named = take_accounts(properties, account_id, named.accounts)
    event_at = original_at if original_at is not None else reader.received_at_us
    return Message(
        index=index,
        protocol="webhook",
        record_type=mapping.record_type,
        event_name=event_name,
        event_at_us=event_at,
        original_event_at_us=event_at,
        sent_at_us=None,
        identities=identities,
        distinct_id=identities[0].value if identities else None,
        has_own_time=has_own_time,
        # Each system counts its own: an order 17 of one is not the order 17 of another, nor its payment.
        dedupe_key="\0".join((name, event_name or mapping.record_type, key)) if key else None,
        content_hash=content_hash,
        occurrence=occurrence,
        account_id=named.account_id,
        source=source_of(properties, mapping.source),
        sdk=f"webhook/{name}",
        sdk_version=None,
        properties=properties if target is None else {},
        change=PropertyChange("person" if target == "person" else "account", "set", properties) if target else None,
        accounts=named.accounts,
        is_leave=is_leave,
    )


def _event_name(part: _Part) -> str | None:
    if part.mapping.record_type != "track":
        return None
    name = _required(part, part.mapping.event_name, "event_name")
    if not isinstance(name, str):
        raise Unreadable("webhook_mapping", f"event_name: {_text(part.mapping.event_name)} found {name!r:.99}, no text")
    return name


def _event_time(part: _Part) -> int | None:
    value = _required(part, part.mapping.event_at, "event_at")
    if isinstance(value, str):
        value = value.strip()
        if _NUMBER.fullmatch(value):
            value = float(value) if "." in value else int(value)
        elif part.mapping.timezone != "UTC":
            value = _in_zone(value, part.mapping.timezone)
    return read_time(value, "event_at")


def _in_zone(text: str, zone: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text  # refused where all times are read
    return text if moment.tzinfo is not None else moment.replace(tzinfo=ZoneInfo(zone)).isoformat()


def _identities(part: _Part) -> tuple[Identity, ...]:
    found = unique_identities((key, _optional(part, value)) for key, value in part.mapping.identities)
    if not found and part.mapping.identities and part.mapping.record_type != "group":
        tried = ", ".join(f"{key}: {_text(value)}" for key, value in part.mapping.identities)
        raise Unreadable("webhook_mapping", f"identities: no id at {tried}")
    return found


def _accounts(part: _Part) -> tuple[Account, ...]:
    found = ((name, id_text(_optional(part, value))) for name, value in part.mapping.accounts)
    return tuple(Account(name, account_id) for name, account_id in found if account_id is not None)


def _properties(part: _Part) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    if part.mapping.properties_from is not None:
        below = part.mapping.properties_from.find(part.body, part.item)
        if not isinstance(below, dict):
            path = part.mapping.properties_from.text
            raise Unreadable("webhook_mapping", f"properties_from: {path} found no object")
        properties |= without_nulls(below)
    for name, value in part.mapping.properties:
        if (found := _optional(part, value)) is not None:
            properties[name] = found
    return properties


def _required(part: _Part, value: Value | None, field: str) -> Any:
    """What the mapping says where; None only when it says nothing."""
    found = _optional(part, value)
    if found is None and value is not None:
        raise Unreadable("webhook_mapping", f"{field}: {_text(value)} found nothing")
    return found


def _optional(part: _Part, value: Value | None) -> Any:
    return value.find(part.body, part.item) if value is not None else None


def _text(value: Value | None) -> str:
    match value:
        case Path():
            return value.text
        case Constant():
            return repr(value.value)
    return "nothing"
