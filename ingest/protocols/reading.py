"""Reading the messages of one request: what the decoders of all families share, and keeping what is refused."""

import hashlib
import logging
from collections.abc import Callable, Sequence

from ingest.errors import Unreadable
from ingest.message import Decoded, Message, Protocol, Reject
from ingest.protocols.lenient import lenient_json
from ingest.protocols.limits import Limits
from ingest.protocols.splitting import Item, has_more_values
from ingest.settings import DecodeSettings

logger = logging.getLogger("onepath.decode")

_MOST_GUESSED_BYTES = 64 << 10
_MOST_DETAIL_CHARS = 500
# A shorter message cannot hold so many values that reading it takes long.
_MUCH_TO_READ_BYTES = 64 << 10


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
        self._limits = Limits(protocol, received_at_us, settings)
        self._max_skew_us = settings.clock_correction_over_s * 1_000_000
        # Wide enough for every message that `check_values` lets through, with what stands around its properties.
        self._max_values = 2 * (settings.max_properties + settings.max_nested_values)

    def read(self, items: Sequence[Item], interpret: Callable[[int, Item], Message]) -> None:
        """Interpret each item in order; `interpret` gets its index and bytes and raises `Unreadable` to refuse it.

        Whatever else it raises is a defect of ours, and costs that item alone.
        """
        messages, check = self.decoded.messages, self._limits.check
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
