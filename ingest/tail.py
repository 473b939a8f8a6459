"""The tail of the log: what arrives, decoded, in the order of arrival.

Reads the log alone, so it works while no server runs and never slows the collector. What is refused, by the plan in
force too, stands in its place with its reason; nothing is skipped without being counted.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any

from ingest.decode import decode, refuse_damage
from ingest.log.files import Entry, entry_bytes, last_end, list_files, list_streams, read_records
from ingest.message import Message, Reject
from ingest.plan.history import PlanHistory
from ingest.plan.judge import Violation
from ingest.plan.plan import SET_PLAN
from ingest.plan.sifting import Sifted, sift
from ingest.record import OPERATOR_STREAM, Act, Damage, Position, Record
from ingest.settings import DecodeSettings

POLL_S = 0.2
_EVERYTHING = 1 << 62
# How many records the start looks back through for the last messages that pass the filter.
_LOOK_BACK_RECORDS = 10_000
# ... unless they are so large that reading them would keep whoever watches waiting.
_LOOK_BACK_BYTES = 256 << 20
_MAX_READ_BYTES = 4 << 20

Found = tuple[Position, Record | Damage]


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message, reject or operator's act, and where it stands in the log.

    `set_aside` holds what the plan lets stand beside the properties of a message, `violations` what is not as it says.
    """

    position: Position
    received_at_us: int
    what: Message | Reject | Act
    set_aside: dict[str, Any] = field(default_factory=dict)
    violations: tuple[Violation, ...] = ()


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
    return {identity.value for identity in message.identities} | {each.account_id for each in message.accounts}


def _rejects_about(reject: Reject, wanted: str | None) -> bool:
    return wanted is None or wanted == reject.event_name or wanted.encode() in reject.original


class Tail:
    """Follows every stream of a log, each from where its end stood at the start; new streams from their beginning."""

    def __init__(self, log: Path, settings: DecodeSettings, passes: TailFilter | None = None) -> None:
        self._log = log
        self._settings = settings
        self._filter = passes or TailFilter()
        self._ends: dict[str, tuple[int, int]] = {}
        self._plans = PlanHistory(())
        self._plans_end = (0, 0)

    def start(self, last: int = 0) -> list[Arrival]:
        """Go to the end of every stream; returns the last arrivals that pass, oldest first, at most `last`."""
        records = [record for stream in list_streams(self._log) for record in self._records_before_end(stream, last)]
        records.sort(key=_order)
        self._learn_plans()
        found: deque[Arrival] = deque(maxlen=last)
        for position, record in reversed(records):
            if len(found) == last:
                break
            passing = self._passing(position, record)
            found.extendleft(reversed(passing[len(found) - last :]))
        return list(found)

    def poll(self, max_bytes: int = _MAX_READ_BYTES) -> list[Arrival | Skipped]:
        """What arrived since, about `max_bytes` of each stream; the rest comes with the next call."""
        return self._arrivals(
            [record for stream in list_streams(self._log) for record in self._next_records(stream, max_bytes)]
        )

    def poll_newest(self, max_bytes: int) -> list[Arrival | Skipped]:
        """As `poll`, but never falls behind: what is past `max_bytes` is counted and skipped."""
        records: list[Found] = []
        skipped = 0
        for stream in list_streams(self._log):
            bytes_left = max_bytes
            # In one reading: what arrives while it is shown is not behind anything, and comes with the next call.
            for entry in self._next_entries(stream, _EVERYTHING):
                if bytes_left > 0:
                    records.append((entry[0], entry[2]))
                else:
                    skipped += 1
                bytes_left -= entry_bytes(entry)
        return [*self._arrivals(records), *([Skipped(skipped)] if skipped else [])]

    def _arrivals(self, records: list[Found]) -> list[Arrival | Skipped]:
        records.sort(key=_order)
        self._learn_plans()
        return [arrival for position, record in records for arrival in self._passing(position, record)]

    def _records_before_end(self, stream: str, last: int) -> list[Found]:
        files = list_files(self._log / stream)
        if files and not last:  # nothing of it is shown: its end is found without reading it all
            self._ends[stream] = (files[-1].number, last_end(files[-1]))
            return []
        self._ends[stream] = (files[-1].number, 0) if files else (0, 0)
        newest = self._next_records(stream, _EVERYTHING)
        records = list(deque(newest, maxlen=min(last, 1) * _LOOK_BACK_RECORDS))
        byte_count = 0
        # Each restart begins a file, so there may be many small ones, or such without any record.
        for file, following in reversed(list(pairwise(files))):
            if not last or len(records) >= _LOOK_BACK_RECORDS or byte_count >= _LOOK_BACK_BYTES:
                break
            records[:0] = self._records_between(stream, file.number, following.number)
            byte_count += file.path.stat().st_size
        return records

    def _records_between(self, stream: str, file: int, following: int) -> list[Found]:
        """The last of what stands in one file, and what is said of files that are gone behind it."""
        entries = read_records(self._log, stream, file, 0, _EVERYTHING)
        here = takewhile(lambda entry: entry[0].file < following, entries)
        return list(deque(((position, record) for position, _, record in here), maxlen=_LOOK_BACK_RECORDS))

    def _next_records(self, stream: str, max_bytes: int) -> Iterator[Found]:
        for position, _, record in self._next_entries(stream, max_bytes):
            yield position, record

    def _next_entries(self, stream: str, max_bytes: int) -> Iterator[Entry]:
        file, offset = self._ends.get(stream, (0, 0))
        for entry in read_records(self._log, stream, file, offset, max_bytes):
            position, end, _ = entry
            self._ends[stream] = (position.file, end)
            yield entry

    def _passing(self, position: Position, record: Record | Damage) -> list[Arrival]:
        if isinstance(record, Damage):
            damaged = Arrival(position, record.received_at_us, refuse_damage(record))
            return [damaged] if self._filter.passes(damaged) else []
        sifted = self._sifted(record)
        found = sifted.decoded
        whats: list[Message | Reject] = sorted([*found.messages, *found.rejects], key=lambda each: each.index)
        arrivals = [_arrival(position, record, each, sifted) for each in whats]
        if record.act is not None and not found.rejects:
            arrivals.append(Arrival(position, record.received_at_us, record.act))
        return [arrival for arrival in arrivals if self._filter.passes(arrival)]

    def _sifted(self, record: Record) -> Sifted:
        decoded = decode(record, self._settings)
        judge = self._plans.judge_at(record.received_at_us)
        return Sifted(decoded) if judge is None else sift(judge, record, decoded, self._settings)

    def _learn_plans(self) -> None:
        """Read on in the operators' stream, which is small: a plan may be much older than what is shown.

        Called when the records to judge have been read: an act that bears on them is in the log by then.
        """
        for position, end, record in read_records(self._log, OPERATOR_STREAM, *self._plans_end, _EVERYTHING):
            self._plans_end = (position.file, end)
            if isinstance(record, Damage) or record.act is None or record.act.act != SET_PLAN:
                continue
            if not decode(record, self._settings).rejects:
                self._plans.add(record.received_at_us, record.act.details)


def _arrival(position: Position, record: Record, what: Message | Reject, sifted: Sifted) -> Arrival:
    position = position._replace(message_index=what.index)
    if isinstance(what, Reject):
        return Arrival(position, record.received_at_us, what)
    violations = tuple(violation for index, violation in sifted.violations if index == what.index)
    set_aside = sifted.set_aside.get(what.index, {})
    return Arrival(position, record.received_at_us, what, set_aside, violations)


def _order(found: Found) -> tuple[int, Position]:
    position, record = found
    return record.received_at_us, position
