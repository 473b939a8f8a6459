"""A decoded batch: what the decoder process hands to the writer, column by column.

Everything that costs Python time per message happens here, in the child; the writer works on whole columns.
"""

from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from ingest.decode import decode, refuse_damage, refuse_undecoded
from ingest.identity.history import RulesHistory, SetRules
from ingest.identity.refusing import refuse_unknown_keys
from ingest.identity.rules import SET_IDENTITY_RULES
from ingest.log.files import entry_bytes, list_streams, read_records
from ingest.message import Decoded, Identity, Reject
from ingest.plan.judge import Judge
from ingest.plan.plan import SET_PLAN
from ingest.plan.sifting import sift
from ingest.protocols.accounts import with_accounts
from ingest.record import Act, Damage, Position, Record
from ingest.settings import DecodeSettings
from warehouse.chosen import ChosenRecord, read_chosen
from warehouse.message_columns import MessageColumns, log_order
from warehouse.one_id.sightings import Sightings
from warehouse.plans import AppliedPlans, PlanHistory
from warehouse.properties import PropertyColumns, PropertyType
from warehouse.watermark import StreamMark, Watermark


@dataclass(frozen=True)
class BatchRequest:
    """What to decode next: everything the decoder needs to know, so that it keeps no state between batches."""

    log: Path
    watermark: Watermark
    known_columns: list[tuple[str, PropertyType]]
    max_bytes: int
    max_messages: int
    max_property_columns: int
    settings: DecodeSettings
    max_plain_bytes: int = 64 << 20
    max_records: int | None = None
    held: tuple[int, int] | None = None  # arrivals between these moments wait, when there are several streams
    is_undecodable: bool = False  # whoever decodes these records dies: they are kept as rejects, unread
    plans: AppliedPlans = ()
    identity_rules: SetRules = ()
    chosen: tuple[ChosenRecord, ...] | None = None  # these records again, instead of what follows the watermark


@dataclass(frozen=True)
class DecodedBatch:
    """Messages, rejects and acts of a run of records, in canonical order; `sightings` are places in `pairs`."""

    messages: pa.Table
    pairs: list[Identity]
    sightings: Sightings
    rejects: pa.Table
    violations: pa.Table  # of the tracking plan, by messages that are kept: VIOLATION_SCHEMA
    acts: list[tuple[str, Act, int]]
    added_columns: list[tuple[str, PropertyType]]
    misfits: dict[tuple[str, str], int]
    watermark: Watermark
    first_received_at_us: int
    record_count: int
    is_holding: bool = False  # there is more in the log already, for which it is too early
    gone: tuple[ChosenRecord, ...] = ()  # chosen records that the log does not hold any more


REJECT_SCHEMA = pa.schema(
    [
        ("received_at", pa.timestamp("us")),
        ("protocol", pa.string()),
        ("record_type", pa.string()),
        ("event_name", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("original", pa.binary()),
        ("original_length", pa.uint64()),
        ("original_sha256", pa.string()),
        ("log_order", pa.string()),
        ("is_last", pa.bool_()),
    ]
)

VIOLATION_SCHEMA = pa.schema(
    [
        ("row", pa.uint32()),
        ("target", pa.string()),
        ("event_name", pa.string()),
        ("property", pa.string()),
        ("reason", pa.string()),
    ]
)


def decode_batch(request: BatchRequest) -> DecodedBatch:
    """Read and decode what follows the watermark, about `max_bytes` of it. Pure but for reading the log."""
    if request.chosen is not None:
        return _decode_chosen(request, request.chosen)
    builder = _BatchBuilder(request)
    watermark = dict(request.watermark)
    found, is_holding = _read_streams(request)
    for stream, each in found:
        if builder.is_full:
            break
        watermark[stream] = StreamMark(each.position.file, each.end, each.received_at_us)
        if isinstance(each.what, Damage):
            builder.add_damage(each.position, each.what, each.received_at_us)
        else:
            builder.add(each.position, each.what)
    first = found[0][1].received_at_us if found else 0
    return replace(builder.build(watermark, first), is_holding=is_holding)


def _decode_chosen(request: BatchRequest, chosen: tuple[ChosenRecord, ...]) -> DecodedBatch:
    """Decode the first of these records again, as many as make a batch; `record_count` says how many those are."""
    builder = _BatchBuilder(request)
    gone = list[ChosenRecord]()
    for each, record in read_chosen(request.log, chosen):
        if record is None:
            gone.append(each)
        else:
            builder.add(Position(each.stream, each.file, each.offset), record, each)
        if builder.is_full:
            break
    batch = builder.build(request.watermark, 0)
    return replace(batch, record_count=batch.record_count + len(gone), gone=tuple(gone))


class _Found(NamedTuple):
    position: Position
    end: int
    what: Record | Damage
    received_at_us: int
    byte_count: int


def _read_streams(request: BatchRequest) -> tuple[list[tuple[str, _Found]], bool]:
    """What is new in every stream, in canonical order, as far as all streams are known; and whether more waits."""
    by_stream: dict[str, list[_Found]] = {}
    horizon_us, is_holding = None, False
    streams = list_streams(request.log)
    for stream in streams:
        found = read = _read_stream(request, stream)
        if len(streams) > 1 and request.held is not None:
            found = _before_held(read, *request.held)
            is_holding = is_holding or len(found) < len(read)
        by_stream[stream] = found
        if found and sum(each.byte_count for each in found) >= request.max_bytes:
            last_us = found[-1].received_at_us
            horizon_us = last_us if horizon_us is None else min(horizon_us, last_us)
    merged = [(stream, each) for stream, found in by_stream.items() for each in found]
    merged.sort(key=lambda pair: log_order(pair[1].received_at_us, pair[1].position))
    # Past the end of a stream that was cut short, another stream's records may not be next in canonical order.
    return [pair for pair in merged if horizon_us is None or pair[1].received_at_us <= horizon_us], is_holding


def _before_held(found: list[_Found], from_us: int, until_us: int) -> list[_Found]:
    """What comes in a stream before the first record that is to wait: one that came later must not overtake it."""
    # What is newer than the clock came before the clock was set back: it would wait for as long as that was.
    return list(takewhile(lambda each: not from_us < each.received_at_us <= until_us, found))


def _read_stream(request: BatchRequest, stream: str) -> list[_Found]:
    file, offset, arrived_us = request.watermark.get(stream, StreamMark(0, 0, 0))
    found = list[_Found]()
    for entry in read_records(request.log, stream, file, offset, request.max_bytes):
        position, end, what = entry
        arrived_us = max(arrived_us, what.received_at_us)  # damage came no earlier than what was read before it
        found.append(_Found(position, end, what, arrived_us, entry_bytes(entry)))
    return found


class _BatchBuilder:
    def __init__(self, request: BatchRequest) -> None:
        self._settings = request.settings
        self._decode = refuse_undecoded if request.is_undecodable else decode
        self._limits = request
        self._record_count = 0
        self._plain_bytes = 0
        self._columns = PropertyColumns.of(request.known_columns, request.max_property_columns)
        self._messages = MessageColumns(self._columns)
        self._rejects: list[tuple[Any, ...]] = []
        self._plans = PlanHistory(request.plans)
        self._rules = RulesHistory(request.identity_rules)
        self._violations: list[tuple[Any, ...]] = []
        self._acts: list[tuple[str, Act, int]] = []

    def add(self, position: Position, record: Record, chosen: ChosenRecord | None = None) -> None:
        self._record_count += 1
        decoded = self._decode(record, self._settings)
        self._plain_bytes += decoded.plain_bytes
        indexes = [message.index for message in decoded.messages[-1:]] + [reject.index for reject in decoded.rejects]
        last_index = max(indexes, default=-1)
        if chosen is not None:
            decoded = chosen.only_wanted(decoded)
        if record.act is not None and not decoded.rejects:
            self._acts.append((log_order(record.received_at_us, position), record.act, record.received_at_us))
            if record.act.act == SET_PLAN:
                self._plans.add(record.received_at_us, record.act.details)
            elif record.act.act == SET_IDENTITY_RULES:
                self._rules.add(record.received_at_us, record.act.details)
        # What is sent through again is judged by the plan as it was mended.
        judge = self._plans.judge_at(record.received_at_us) if chosen is None else self._plans.latest()
        if judge is not None:
            decoded = self._apply_plan(judge, record, decoded)
        rules = self._rules.rules_at(record.received_at_us)
        # Whether a key is known, the latest rules say, too, of what is sent through again.
        knowing = rules if chosen is None else self._rules.latest()
        decoded = refuse_unknown_keys(knowing, record, decoded, self._settings)
        messages = with_accounts(decoded.messages, rules.account_types)
        self._messages.add(messages, record.received_at_us, position, rules)
        for reject in decoded.rejects:
            is_last = reject.index == last_index
            self._add_reject(position._replace(message_index=reject.index), record, reject, is_last=is_last)

    def add_damage(self, position: Position, damage: Damage, received_at_us: int) -> None:
        """Bytes of the log that cannot be read any more, as a reject in their place."""
        self._record_count += 1
        self._add_reject(position, Record(received_at_us), refuse_damage(damage), is_last=True)

    def _apply_plan(self, judge: Judge, record: Record, decoded: Decoded) -> Decoded:
        """What the plan leaves of a record; its messages are added next."""
        sifted = sift(judge, record, decoded, self._settings)
        if sifted.set_aside or sifted.violations:
            first_row, properties = len(self._messages), self._messages.properties
            by_index = {message.index: (first_row + n, message) for n, message in enumerate(sifted.decoded.messages)}
            for index, values in sifted.set_aside.items():
                row, message = by_index[index]
                for name, value in values.items():
                    if message.event_name is None:  # misfits are counted of event properties
                        properties.keep_beside(row, name, value)
                    else:
                        properties.set_aside(row, name, value, "undeclared")
            for index, each in sifted.violations:
                row, message = by_index[index]
                self._violations.append((row, each.target, message.event_name, each.property, each.reason))
        return sifted.decoded

    def _add_reject(self, position: Position, record: Record, reject: Reject, *, is_last: bool) -> None:
        self._rejects.append(
            (
                record.received_at_us,
                reject.protocol,
                reject.record_type,
                reject.event_name,
                reject.reason,
                reject.detail,
                reject.original,
                reject.original_length,
                reject.original_sha256,
                log_order(record.received_at_us, position),
                is_last,
            )
        )

    @property
    def is_full(self) -> bool:
        """Small requests can hold many messages, and much once decompressed: a batch is bounded by all of it."""
        limits = self._limits
        return (
            len(self._messages) + len(self._rejects) >= limits.max_messages
            or self._plain_bytes >= limits.max_plain_bytes
            or self._record_count == limits.max_records
        )

    def build(self, watermark: Watermark, first_received_at_us: int) -> DecodedBatch:
        return DecodedBatch(
            messages=self._messages.to_arrow(),
            pairs=self._messages.pairs,
            sightings=self._messages.sightings(),
            rejects=_table(self._rejects, REJECT_SCHEMA),
            violations=_table(self._violations, VIOLATION_SCHEMA),
            acts=self._acts,
            added_columns=self._columns.added,
            misfits=self._messages.properties.misfits,
            watermark=watermark,
            first_received_at_us=first_received_at_us,
            record_count=self._record_count,
        )


def _table(rows: list[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    return pa.Table.from_arrays(
        [pa.array(values, kind.type) for values, kind in zip(columns, schema, strict=True)], schema=schema
    )
