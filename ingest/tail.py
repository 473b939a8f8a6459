"""The tail of the log: what arrives, decoded, in the order of arrival.

Reads the log alone, so it works while no server runs and never slows the collector. What was refused stands in its
place with its reason; nothing is skipped without being counted.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ingest.decode import decode, refuse_damage
from ingest.log.files import list_files, list_streams, read_records
from ingest.message import Message, Reject
from ingest.record import Act, Damage, Position, Record
from ingest.settings import DecodeSettings

POLL_S = 0.2
_EVERYTHING = 1 << 62
# How many records the start looks back through for the last messages that pass the filter.
_LOOK_BACK_RECORDS = 10_000
_MAX_READ_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message, reject or operator's act, and where it stands in the log."""

    position: Position
    received_at_us: int
    what: Message | Reject | Act


@dataclass(frozen=True, slots=True)
class Skipped:
    """What arrived faster than it could be shown: requests that were not decoded, messages that were not read."""

    requests: int = 0
    messages: int = 0


@dataclass(frozen=True, slots=True)
class TailFilter:
    """Which arrivals to show; empty shows all.

    `event` is the name of an event, or the record type of a call. A reject passes when the bytes that were refused
    contain what is looked for: a developer looking for an event wants to see that it was refused.
    """

    event: str | None = None
    identity: str | None = None
    rejects_only: bool = False

    def passes(self, arrival: Arrival) -> bool:
        what = arrival.what
        if isinstance(what, Reject):
            return _rejects_about(what, self.event) and _rejects_about(what, self.identity)
        if self.rejects_only:
            return False
        if isinstance(what, Act):
            return self.event is None and self.identity is None
        return self.event in (None, what.event_name or what.record_type) and self._is_of_identity(what)

    def _is_of_identity(self, message: Message) -> bool:
        wanted = self.identity
        return wanted is None or wanted in (message.distinct_id, message.account_id) or wanted in _values(message)


def _values(message: Message) -> set[str]:
    return {identity.value for identity in message.identities}


def _rejects_about(reject: Reject, wanted: str | None) -> bool:
    return wanted is None or wanted == reject.event_name or wanted.encode() in reject.original


class Tail:
    """Follows every stream of a log, each from where its end stood at the start; new streams from their beginning."""

    def __init__(self, log: Path, settings: DecodeSettings, passes: TailFilter | None = None) -> None:
        self._log = log
        self._settings = settings
        self._filter = passes or TailFilter()
        self._ends: dict[str, tuple[int, int]] = {}

    def start(self, last: int = 0) -> list[Arrival]:
        """Go to the end of every stream; returns the last arrivals that pass, oldest first, at most `last`."""
        records = [record for stream in list_streams(self._log) for record in self._records_before_end(stream, last)]
        records.sort(key=_order)
        found: deque[Arrival] = deque(maxlen=last)
        for position, record in reversed(records):
            if len(found) == last:
                break
            passing = self._passing(position, record)
            found.extendleft(reversed(passing[len(found) - last :]))
        return list(found)

    def poll(self, max_bytes: int = _MAX_READ_BYTES) -> list[Arrival | Skipped]:
        """What arrived since, about `max_bytes` of each stream; the rest comes with the next call."""
        records = [record for stream in list_streams(self._log) for record in self._next_records(stream, max_bytes)]
        records.sort(key=_order)
        return [arrival for position, record in records for arrival in self._passing(position, record)]

    def poll_newest(self, max_bytes: int) -> list[Arrival | Skipped]:
        """As `poll`, but never falls behind: what is past `max_bytes` is counted and skipped."""
        arrivals = self.poll(max_bytes)
        skipped = sum(1 for stream in list_streams(self._log) for _ in self._next_records(stream, _EVERYTHING))
        return [*arrivals, Skipped(skipped)] if skipped else arrivals

    def _records_before_end(self, stream: str, last: int) -> list[tuple[Position, Record | Damage]]:
        # Two files are enough: the one being written may have just begun.
        files = list_files(self._log / stream)[-2:] if last else list_files(self._log / stream)[-1:]
        self._ends[stream] = (files[0].number, 0) if files else (0, 0)
        return list(deque(self._next_records(stream, _EVERYTHING), maxlen=min(last, 1) * _LOOK_BACK_RECORDS))

    def _next_records(self, stream: str, max_bytes: int) -> Iterator[tuple[Position, Record | Damage]]:
        file, offset = self._ends.get(stream, (0, 0))
        for position, end, record in read_records(self._log, stream, file, offset, max_bytes):
            self._ends[stream] = (position.file, end)
            yield position, record

    def _passing(self, position: Position, record: Record | Damage) -> list[Arrival]:
        if isinstance(record, Damage):
            damaged = Arrival(position, record.received_at_us, refuse_damage(record))
            return [damaged] if self._filter.passes(damaged) else []
        found = decode(record, self._settings)
        whats: list[Message | Reject] = sorted([*found.messages, *found.rejects], key=lambda each: each.index)
        arrivals = [Arrival(position._replace(message_index=each.index), record.received_at_us, each) for each in whats]
        if record.act is not None and not found.rejects:
            arrivals.append(Arrival(position, record.received_at_us, record.act))
        return [arrival for arrival in arrivals if self._filter.passes(arrival)]


def _order(found: tuple[Position, Record | Damage]) -> tuple[int, Position]:
    position, record = found
    return record.received_at_us, position
