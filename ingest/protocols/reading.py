"""What the decoders of all families share: checking a message, its time, its ids, and keeping what is refused."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from ingest.bodies import lenient_json
from ingest.errors import RejectReason, Unreadable
from ingest.message import PLATFORM_PROPERTY, SOURCES, Decoded, Identity, Message, Protocol, Reject, Source
from ingest.settings import DecodeSettings

_MOST_GUESSED_BYTES = 64 << 10
_DAY_US = 86_400_000_000
# The widest span that a TIMESTAMP column and a Python datetime both hold without trouble.
_EARLIEST_US, _LATEST_US = -62_000_000_000_000_000, 250_000_000_000_000_000


class Reader:
    """Reads the messages of one request, turning what one of them raises into a reject of that one alone."""

    def __init__(self, protocol: Protocol, received_at_us: int, settings: DecodeSettings) -> None:
        self.protocol: Protocol = protocol
        self.received_at_us = received_at_us
        self.settings = settings
        self.decoded = Decoded()
        self._seen: Counter[bytes] = Counter()
        self._next_index = 0

    def read(self, items: Iterable[bytes], interpret: Callable[[int, bytes], Message]) -> None:
        """Interpret each item in order; `interpret` gets its index and bytes and raises `Unreadable` to refuse it."""
        for item in items:
            index, self._next_index = self._next_index, self._next_index + 1
            try:
                self.decoded.messages.append(check_message(interpret(index, item), self.received_at_us, self.settings))
            except Unreadable as refusal:
                self.refuse(refusal, item, index)

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
            detail=refusal.detail,
            original=kept,
            original_length=len(original),
            original_sha256=hashlib.sha256(original).hexdigest() if len(kept) < len(original) else None,
        )
        self.decoded.rejects.append(reject)

    def count_content(self, item: bytes) -> tuple[bytes, int]:
        """The hash of an item without a dedupe key, and how often it came earlier in this request."""
        content_hash = hashlib.blake2b(item, digest_size=16).digest()
        self._seen[content_hash] += 1
        return content_hash, self._seen[content_hash] - 1

    def corrected(self, event_at_us: int, sent_at_us: int | None) -> int:
        """The event's time by our clock, when the client's is visibly off."""
        if sent_at_us is None:
            return event_at_us
        skew = self.received_at_us - sent_at_us
        return event_at_us + skew if abs(skew) > self.settings.clock_correction_over_s * 1_000_000 else event_at_us


def check_message(message: Message, received_at_us: int, settings: DecodeSettings) -> Message:
    """The rules that hold for every family; raises `Unreadable`."""
    if not message.identities and (message.change is None or message.change.target == "person"):
        raise Unreadable("missing_identity", "no id of a person: send a distinct_id, userId or identities")
    if message.event_name is not None and not message.event_name.strip():
        raise Unreadable("missing_event_name", "an event needs a name")
    for what, text in _texts_of(message):
        if len(text) > settings.max_name_chars:
            raise Unreadable("name_too_long", f"{what} has {len(text)} characters; at most {settings.max_name_chars}")
    age = received_at_us - message.event_at_us
    if age > settings.event_max_age_days * _DAY_US:
        raise Unreadable(
            "time_too_old",
            f"event time {time_text(message.event_at_us)} is over {settings.event_max_age_days} days old",
        )
    if -age > settings.event_max_ahead_s * 1_000_000:
        raise Unreadable(
            "time_too_far_ahead",
            f"event time {time_text(message.event_at_us)} is over {settings.event_max_ahead_s} s ahead of its arrival",
        )
    return message


def _texts_of(message: Message) -> Iterable[tuple[str, str]]:
    yield "the event name", message.event_name or ""
    yield "the account id", message.account_id or ""
    for identity in message.identities:
        yield "an identity key", identity.key
        yield f"identity {identity.key}", identity.value


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
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, int) else None


def source_of(properties: dict[str, Any], by_sdk: Source | None) -> Source | None:
    """Where an event came from: what its `platform` says, else what its SDK implies."""
    platform = properties.get(PLATFORM_PROPERTY)
    return SOURCES.get(platform, by_sdk) if isinstance(platform, str) else by_sdk


def unique_identities(pairs: Iterable[tuple[str, Any]]) -> tuple[Identity, ...]:
    """The pairs that carry an id, in the order given, each once."""
    found = ((key, id_text(value)) for key, value in pairs)
    return tuple(dict.fromkeys(Identity(key, value) for key, value in found if value is not None))


def read_time(value: Any, what: str) -> int | None:
    """Microseconds since 1970 UTC from ISO 8601 text (without a zone: UTC), or a number of seconds or milliseconds.

    Numbers of up to ten digits before the point are seconds. None when absent; raises `Unreadable` on anything else.
    """
    if value is None:
        return None
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value.strip())
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
            micros = (moment - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)
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
