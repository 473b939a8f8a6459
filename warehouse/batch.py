"""A decoded batch: what the decoder process hands to the writer, column by column.

Everything that costs Python time per message happens here, in the child; the writer works on whole columns.
"""

import json
import uuid
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from ingest.decode import decode
from ingest.log_files import list_streams, read_records
from ingest.message import Identity, Message, Reject, dedupe_day, message_id
from ingest.record import Act, Position, Record
from ingest.settings import DecodeSettings
from warehouse.chosen import ChosenRecord, read_chosen
from warehouse.identity import by_priority
from warehouse.properties import PropertyBatch, PropertyColumns, PropertyType
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
    chosen: tuple[ChosenRecord, ...] | None = None  # these records again, instead of what follows the watermark


@dataclass(frozen=True)
class DecodedBatch:
    """Messages, rejects and acts of a run of records, in canonical order.

    `sighting_row` and `sighting_pair` are parallel: message row and index into `pairs` for every identity a message
    carries, the one it belongs to first. Rows of `unbind_rows` say that their identities belong to nobody any more.
    """

    messages: pa.Table
    pairs: list[Identity]
    sighting_row: list[int]
    sighting_pair: list[int]
    unbind_rows: list[int]
    rejects: pa.Table
    acts: list[tuple[str, Act, int]]
    added_columns: list[tuple[str, PropertyType]]
    misfits: dict[tuple[str, str], int]
    watermark: Watermark
    first_received_at_us: int
    record_count: int
    gone: tuple[ChosenRecord, ...] = ()  # chosen records that the log does not hold any more


MESSAGE_SCHEMA = pa.schema(
    [
        ("row", pa.uint32()),
        ("message_id", pa.uuid()),
        ("log_order", pa.string()),
        ("received_at", pa.timestamp("us")),
        ("received_at_us", pa.int64()),
        ("event_name", pa.string()),
        ("message_at", pa.timestamp("us")),
        ("original_at", pa.timestamp("us")),
        ("sent_at", pa.timestamp("us")),
        ("distinct_id", pa.string()),
        ("dedupe_key", pa.string()),
        ("dedupe_date", pa.date32()),
        ("content_hash", pa.uuid()),
        ("occurrence", pa.uint32()),
        ("account_id", pa.string()),
        ("protocol", pa.string()),
        ("record_type", pa.string()),
        ("source", pa.string()),
        ("sdk", pa.string()),
        ("sdk_version", pa.string()),
        ("target", pa.string()),
        ("operation", pa.string()),
        ("item_type", pa.string()),
        ("item_id", pa.string()),
        ("changes", pa.string()),
    ]
)
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


def log_order(received_at_us: int, position: Position) -> str:
    """The canonical order as text that sorts: arrival, then stream, file, offset and message index."""
    _, file, offset, index = position
    return f"{received_at_us:017d}/{position.stream}/{file:012d}/{offset:012d}/{index:06d}"


def decode_batch(request: BatchRequest) -> DecodedBatch:
    """Read and decode what follows the watermark, about `max_bytes` of it. Pure but for reading the log."""
    if request.chosen is not None:
        return _decode_chosen(request, request.chosen)
    builder = _BatchBuilder(request)
    watermark = dict(request.watermark)
    found = _read_streams(request)
    for stream, (position, end, record) in found:
        if builder.is_full:
            break
        watermark[stream] = StreamMark(position.file, end, record.received_at_us)
        builder.add(position, record)
    first = found[0][1].record.received_at_us if found else 0
    return builder.build(watermark, first)


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
    record: Record


def _read_streams(request: BatchRequest) -> list[tuple[str, _Found]]:
    """What is new in every stream, in canonical order, as far as all streams are known."""
    by_stream: dict[str, list[_Found]] = {}
    horizon_us = None
    for stream in list_streams(request.log):
        mark = request.watermark.get(stream, StreamMark(0, 0, 0))
        found = [_Found(*each) for each in read_records(request.log, stream, mark.file, mark.offset, request.max_bytes)]
        by_stream[stream] = found
        if found and sum(each.end - each.position.offset for each in found) >= request.max_bytes:
            last_us = found[-1].record.received_at_us
            horizon_us = last_us if horizon_us is None else min(horizon_us, last_us)
    merged = [(stream, each) for stream, found in by_stream.items() for each in found]
    merged.sort(key=lambda pair: log_order(pair[1].record.received_at_us, pair[1].position))
    # Past the end of a stream that was cut short, another stream's records may not be next in canonical order.
    return [pair for pair in merged if horizon_us is None or pair[1].record.received_at_us <= horizon_us]


class _BatchBuilder:
    def __init__(self, request: BatchRequest) -> None:
        self._settings = request.settings
        self._max_messages = request.max_messages
        self._record_count = 0
        self._columns = PropertyColumns.of(request.known_columns, request.max_property_columns)
        self._properties = PropertyBatch(self._columns)
        self._rows: list[tuple[Any, ...]] = []
        self._rejects: list[tuple[Any, ...]] = []
        self._pairs: dict[Identity, int] = {}
        self._sighting_row: list[int] = []
        self._sighting_pair: list[int] = []
        self._unbind_rows: list[int] = []
        self._acts: list[tuple[str, Act, int]] = []

    def add(self, position: Position, record: Record, chosen: ChosenRecord | None = None) -> None:
        self._record_count += 1
        decoded = decode(record, self._settings)
        last_read = max((message.index for message in decoded.messages), default=-1)
        if chosen is not None:
            decoded, last_read = chosen.only_wanted(decoded)
        if record.act is not None and not decoded.rejects:
            self._acts.append((log_order(record.received_at_us, position), record.act, record.received_at_us))
        for message in decoded.messages:
            self._add_message(position._replace(message_index=message.index), record, message)
        for reject in decoded.rejects:
            is_last = reject.index > last_read
            self._add_reject(position._replace(message_index=reject.index), record, reject, is_last=is_last)

    def _add_message(self, position: Position, record: Record, message: Message) -> None:
        row = len(self._rows)
        for identity in by_priority(message.identities):
            self._sighting_row.append(row)
            self._sighting_pair.append(self._pairs.setdefault(identity, len(self._pairs)))
        if message.is_unbind:
            self._unbind_rows.append(row)
        self._properties.add(row, message.properties)
        change = message.change
        item_type, item_id = change.item if change is not None and change.item is not None else (None, None)
        self._rows.append(
            (
                row,
                message_id(message, position),
                log_order(record.received_at_us, position),
                record.received_at_us,
                record.received_at_us,
                message.event_name,
                message.event_at_us,
                message.original_event_at_us,
                message.sent_at_us,
                message.distinct_id,
                message.dedupe_key,
                dedupe_day(message),
                uuid.UUID(bytes=message.content_hash) if message.content_hash is not None else None,
                message.occurrence,
                message.account_id,
                message.protocol,
                message.record_type,
                message.source,
                message.sdk,
                message.sdk_version,
                change.target if change is not None else None,
                change.operation if change is not None else None,
                item_type,
                item_id,
                json.dumps(change.properties, ensure_ascii=False, sort_keys=True) if change is not None else None,
            )
        )

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
        """Small requests can hold many messages: a batch is bounded by both."""
        return len(self._rows) + len(self._rejects) >= self._max_messages

    def build(self, watermark: Watermark, first_received_at_us: int) -> DecodedBatch:
        messages = _table(self._rows, MESSAGE_SCHEMA)
        properties, others = self._properties.to_arrow(len(self._rows))
        messages = messages.append_column("properties", properties).append_column("other_properties", others)
        return DecodedBatch(
            messages=messages,
            pairs=list(self._pairs),
            sighting_row=self._sighting_row,
            sighting_pair=self._sighting_pair,
            unbind_rows=self._unbind_rows,
            rejects=_table(self._rejects, REJECT_SCHEMA),
            acts=self._acts,
            added_columns=self._columns.added,
            misfits=dict(Counter(self._properties.misfits)),
            watermark=watermark,
            first_received_at_us=first_received_at_us,
            record_count=self._record_count,
        )


def _table(rows: list[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    return pa.Table.from_arrays(
        [_array(values, kind.type) for values, kind in zip(columns, schema, strict=True)], schema=schema
    )


def _array(values: tuple[Any, ...], kind: pa.DataType) -> pa.Array:
    if kind == pa.uuid():
        raw = pa.array([None if value is None else value.bytes for value in values], pa.binary(16))
        return pa.ExtensionArray.from_storage(kind, raw)
    return pa.array(values, kind)
