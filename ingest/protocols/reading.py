"""What the decoders of all families share: checking a message, its time, its ids, and keeping what is refused."""

import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import msgspec

from ingest.errors import RejectReason, Unreadable
from ingest.message import PLATFORM_PROPERTY, SOURCES, Decoded, Identity, Message, Protocol, Reject, Source
from ingest.protocols.bodies import Item, has_more_values, lenient_json
from ingest.settings import DecodeSettings

logger = logging.getLogger("onepath.decode")

_MOST_GUESSED_BYTES = 64 << 10
_MOST_DETAIL_CHARS = 500
# A shorter message cannot hold so many values that reading it takes long.
_MUCH_TO_READ_BYTES = 64 << 10
# Families whose key is the sender's own; the others put theirs together of several texts, each within the limit.
_OWN_KEYS = frozenset({"native", "segment"})
_MOST_TEXTS_OF_A_KEY = 4
_DAY_US = 86_400_000_000
_EPOCH = datetime.fromtimestamp(0, UTC)
_MICROSECOND = timedelta(microseconds=1)
# Numbers between these are milliseconds (read_time).
_LEAST_MILLIS, _MOST_MILLIS = 10_000_000_000, 250_000_000_000_000
# The widest span that a TIMESTAMP column and a Python datetime both hold without trouble.
_EARLIEST_US, _LATEST_US = -62_000_000_000_000_000, 250_000_000_000_000_000


class Reader:
    """Reads the messages of one request, turning what one of them raises into a reject of that one alone."""

    def __init__(
        self, protocol: Protocol, received_at_us: int, settings: DecodeSettings, remote_address: str = ""
    ) -> None:
        self.protocol: Protocol = protocol
        # The address that an event of a device came from; on the machine itself there is nothing to tell.
        self.device_ip = None if remote_address.startswith(("127.", "::1")) else remote_address or None
        self.received_at_us = received_at_us
        self.settings = settings
        self.decoded = Decoded()
        self._seen: dict[bytes, int] = {}
        self._next_index = 0
        self._has_failed = False
        self._earliest_us = received_at_us - settings.event_max_age_days * _DAY_US
        self._latest_us = received_at_us + settings.event_max_ahead_s * 1_000_000
        self._max_skew_us = settings.clock_correction_over_s * 1_000_000
        self._most_name_chars = settings.max_name_chars
        self._most_key_chars = settings.max_name_chars * (1 if protocol in _OWN_KEYS else _MOST_TEXTS_OF_A_KEY)
        # Wide enough for every message that `check_values` lets through, with what stands around its properties.
        self._max_values = 2 * (settings.max_properties + settings.max_nested_values)

    def read(self, items: Sequence[Item], interpret: Callable[[int, Item], Message]) -> None:
        """Interpret each item in order; `interpret` gets its index and bytes and raises `Unreadable` to refuse it.

        Whatever else it raises is a defect of ours, and costs that item alone.
        """
        messages, check = self.decoded.messages, self._check
        for index, item in enumerate(items, self._next_index):
            try:
                if len(item) > _MUCH_TO_READ_BYTES:
                    self._check_extent(item)
                messages.append(check(interpret(index, item)))
            except Unreadable as refusal:
                self.refuse(refusal, bytes(item), index)
            except Exception as error:  # noqa: BLE001  # kept as a reject and logged
                self._fail(error, bytes(item), index)
        self._next_index += len(items)

    def refuse(self, refusal: Unreadable, original: bytes, index: int | None = None) -> None:
        """Keep what was refused; the whole body's reject takes the next free index."""
        if index is None:
            index, self._next_index = self._next_index, self._next_index + 1
        record_type, event_name = guess_names(original)
        kept = original[: self.settings.max_original_bytes]
        reject = Reject(
            index=index,
            protocol=self.protocol,
            record_type=record_type,
            event_name=event_name,
            reason=refusal.reason,
            detail=short_detail(refusal.detail),
            original=kept,
            original_length=len(original),
            original_sha256=hashlib.sha256(original).hexdigest() if len(kept) < len(original) else None,
        )
        self.decoded.rejects.append(reject)

    def count_content(self, item: Item) -> tuple[bytes, int]:
        """The hash of an item without a dedupe key, and how often it came earlier in this request."""
        content_hash = hashlib.blake2b(item, digest_size=16).digest()
        earlier = self._seen.get(content_hash, 0)
        self._seen[content_hash] = earlier + 1
        return content_hash, earlier

    def corrected(self, event_at_us: int, sent_at_us: int | None) -> int:
        """The event's time by our clock, when the client's is visibly off."""
        if sent_at_us is None:
            return event_at_us
        skew = self.received_at_us - sent_at_us
        return event_at_us + skew if abs(skew) > self._max_skew_us else event_at_us

    def _fail(self, error: Exception, original: bytes, index: int) -> None:
        if not self._has_failed:  # once for a request: its other messages will fail in the same place
            logger.exception("a message of %s could not be read and is kept as a reject", self.protocol)
            self._has_failed = True
        self.refuse(Unreadable("decoder_failed", f"{type(error).__name__}: {error}"), original, index)

    def _check_extent(self, item: Item) -> None:
        # Before it is decoded: the objects of sixteen megabytes of `[[],[],...` would fill the memory. The body of a
        # webhook is decoded as a whole and measured as one, and its mapping may want but little of it.
        if self.protocol != "webhook" and has_more_values(bytes(item), self._max_values):
            raise Unreadable("too_many_properties", f"more than {self._max_values} values in one message")

    def _check(self, message: Message) -> Message:
        """The rules that hold for every family; raises `Unreadable`."""
        if not message.identities and (message.change is None or message.change.target == "person"):
            raise Unreadable("missing_identity", "no id of a person: send a distinct_id, userId or identities")
        if message.event_name is not None and not message.event_name.strip():
            raise Unreadable("missing_event_name", "an event needs a name")
        if not self._earliest_us <= message.event_at_us <= self._latest_us:
            raise self._out_of_time(message.event_at_us)
        if self._has_long_name(message):
            self._look_closer(message)
        change = message.change
        check_values(message.properties if change is None else change.properties, self.settings)
        most, sdk, version = self._most_name_chars, message.sdk, message.sdk_version
        if (sdk is not None and len(sdk) > most) or (version is not None and len(version) > most):
            return msgspec.structs.replace(message, sdk=sdk and sdk[:most], sdk_version=version and version[:most])
        return message

    def _has_long_name(self, message: Message) -> bool:
        # Runs for every message, so it looks no further than it must; which text it is, is asked afterwards.
        most = self._most_name_chars
        for identity in message.identities:
            if len(identity.value) > most or len(identity.key) > most:
                return True
        name, account_id, distinct_id = message.event_name, message.account_id, message.distinct_id
        key, change = message.dedupe_key, message.change
        return (
            (name is not None and len(name) > most)
            or (distinct_id is not None and len(distinct_id) > most)
            or (key is not None and len(key) > self._most_key_chars)
            or (account_id is not None and len(account_id) > most)
            or bool(message.accounts)
            or (change is not None and change.item is not None)
        )

    def _look_closer(self, message: Message) -> None:
        if len(message.accounts) > self.settings.max_properties:
            detail = f"{len(message.accounts)} accounts; at most {self.settings.max_properties}"
            raise Unreadable("too_many_properties", detail)
        for what, text, most in self._texts_of(message):
            if len(text) > most:
                raise Unreadable("name_too_long", f"{what} has {len(text)} characters; at most {most}")

    def _texts_of(self, message: Message) -> Iterable[tuple[str, str, int]]:
        most = self._most_name_chars
        yield "the event name", message.event_name or "", most
        yield "the account id", message.account_id or "", most
        for account in message.accounts:
            yield "an account type", account.account_type, most
            yield f"the id of a {account.account_type[:99]}", account.account_id, most
        for identity in message.identities:
            yield "an identity key", identity.key, most
            yield f"identity {identity.key}", identity.value, most
        yield "the distinct_id", message.distinct_id or "", most
        yield "the dedupe key", message.dedupe_key or "", self._most_key_chars
        if message.change is not None and message.change.item is not None:
            item_type, item_id = message.change.item
            yield "the item_type", item_type, most
            yield "the item_id", item_id, most

    def _out_of_time(self, event_at_us: int) -> Unreadable:
        when = f"event time {time_text(event_at_us)}"
        if event_at_us < self._earliest_us:
            return Unreadable("time_too_old", f"{when} is over {self.settings.event_max_age_days} days old")
        return Unreadable(
            "time_too_far_ahead", f"{when} is over {self.settings.event_max_ahead_s} s ahead of its arrival"
        )


def check_values(properties: dict[str, Any], settings: DecodeSettings) -> None:
    """Refuse properties beyond the limits on their number, names, length and nesting; raises `Unreadable`."""
    if len(properties) > settings.max_properties:
        detail = f"{len(properties)} properties; at most {settings.max_properties}"
        raise Unreadable("too_many_properties", detail)
    most, most_name_chars, nested_count = settings.max_value_chars, settings.max_name_chars, 0
    for name, value in properties.items():
        kind = type(value)
        if kind is str:
            if len(value) > most:
                raise _value_too_long(name, len(value), most)
        elif kind is dict or kind is list:
            nested_count = _check_nested(name, value, nested_count, settings)
        if len(name) > most_name_chars:
            detail = f"property {name[:99]!r}... has a name of {len(name)} characters; at most {most_name_chars}"
            raise Unreadable("name_too_long", detail)


def _check_nested(name: str, value: Any, nested_count: int, settings: DecodeSettings) -> int:
    """The nested values of the message so far, with those of this property."""
    level: list[Any] = [value]
    depth = 1
    while level:
        if depth > settings.max_nesting:
            raise Unreadable("nested_too_deep", f"property {name[:99]!r} nests deeper than {settings.max_nesting}")
        nested_count += sum(map(len, level))
        if nested_count > settings.max_nested_values:
            detail = f"more than {settings.max_nested_values} values in objects and lists, up to property {name[:99]!r}"
            raise Unreadable("too_many_properties", detail)
        within = list[Any]()
        for each in level:
            within += [*each, *each.values()] if isinstance(each, dict) else each
        longest = max((len(part) for part in within if isinstance(part, str)), default=0)
        if longest > settings.max_value_chars:
            raise _value_too_long(name, longest, settings.max_value_chars)
        level, depth = [part for part in within if isinstance(part, dict | list)], depth + 1
    return nested_count


def _value_too_long(name: str, length: int, most: int) -> Unreadable:
    return Unreadable("value_too_long", f"property {name[:99]!r} holds {length} characters; at most {most}")


def short_detail(detail: str) -> str:
    """A detail that may quote what was sent, cut to what a person reads."""
    return detail if len(detail) <= _MOST_DETAIL_CHARS else f"{detail[: _MOST_DETAIL_CHARS - 1]}…"


def guess_names(original: bytes) -> tuple[str | None, str | None]:
    """Record type and event name of a refused message, as far as they can be read: a reject should be findable."""
    try:
        value = lenient_json(original) if len(original) < _MOST_GUESSED_BYTES else None
    except Unreadable:
        return None, None
    if not isinstance(value, dict):
        return None, None
    record_type, event_name = value.get("type", value.get("record_type")), value.get("event", value.get("event_name"))
    return (
        record_type[:255] if isinstance(record_type, str) else None,
        event_name[:255] if isinstance(event_name, str) else None,
    )


def id_text(value: Any) -> str | None:
    """An id as text; None for what is no id (absent, empty, not a text or whole number)."""
    if isinstance(value, str):
        return value.strip() or None
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, int) else None


def with_ip(properties: dict[str, Any], source: Source | None, device_ip: str | None) -> dict[str, Any]:
    """The properties of an event, with the address it came from unless it names one; a server's own says nothing."""
    if device_ip is not None and source is not None and source != "server":
        properties.setdefault("$ip", device_ip)
    return properties


def source_of(properties: dict[str, Any], by_sdk: Source | None) -> Source | None:
    """Where an event came from: what its `platform` says, else what its SDK implies."""
    platform = properties.get(PLATFORM_PROPERTY)
    return SOURCES.get(platform, by_sdk) if isinstance(platform, str) else by_sdk


def unique_identities(pairs: Iterable[tuple[str, Any]]) -> tuple[Identity, ...]:
    """The pairs that carry an id, in the order given, each once."""
    found: list[Identity] = []
    for key, value in pairs:
        if value is not None and (text := id_text(value)) is not None:
            identity = Identity(key, text)
            if not found or identity not in found:
                found.append(identity)
    return tuple(found)


def without_nulls(properties: dict[str, Any] | None) -> dict[str, Any]:
    """The properties that have a value."""
    if not properties:
        return {}
    if None not in properties.values():
        return properties
    return {name: value for name, value in properties.items() if value is not None}


def read_time(value: Any, what: str) -> int | None:
    """Microseconds since 1970 UTC from ISO 8601 text (without a zone: UTC), or a number of seconds or milliseconds.

    Numbers of up to ten digits before the point are seconds. None when absent; raises `Unreadable` on anything else.
    """
    if value is None:
        return None
    if type(value) is int and _LEAST_MILLIS < value < _MOST_MILLIS:
        return value * 1000
    if type(value) is str and len(value) == 24 and (micros := _read_zulu_millis(value)) is not None:
        return micros
    return _read_any_time(value, what)


def _read_zulu_millis(text: str) -> int | None:
    # `2026-06-01T08:00:00.123Z`: nearly every time that a client writes, at a third of the cost.
    millis = text[20:23]
    if text[19] != "." or text[23] != "Z" or not (text.isascii() and millis.isdigit()):
        return None
    second_us = _second_us(text[:19])
    return second_us + int(millis) * 1000 if second_us is not None else None


@lru_cache(maxsize=8192)
def _second_us(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None
    micros = (moment - _EPOCH) // _MICROSECOND
    return micros if _EARLIEST_US < micros < _LATEST_US else None


def _read_any_time(value: Any, what: str) -> int:
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value.strip())
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
            micros = (moment - _EPOCH) // _MICROSECOND
            if not _EARLIEST_US < micros < _LATEST_US:
                reason: RejectReason = "time_too_old" if micros < 0 else "time_too_far_ahead"
                raise Unreadable(reason, f"{what} {value!r} is beyond what is kept")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            micros = round(value * 1_000_000) if abs(value) < 10_000_000_000 else round(value * 1_000)
        else:
            raise ValueError("send ISO 8601 or milliseconds since 1970")
        if _EARLIEST_US < micros < _LATEST_US:
            return micros
    except (ValueError, OverflowError) as error:
        raise Unreadable("unreadable_message", f"{what} {value!r} is not a time: {error}") from error
    raise Unreadable("unreadable_message", f"{what} {value!r} is not a time of this calendar")


def time_text(moment_us: int) -> str:
    """A moment for people; survives times outside the calendar of Python."""
    try:
        return datetime.fromtimestamp(moment_us / 1_000_000, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return f"{moment_us} microseconds since 1970"
