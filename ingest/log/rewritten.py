"""Rewritten records: what stands where a record stood of which something was erased, in exactly its bytes (ADR 0014).

The payload is arrival (8 bytes), length of the content (4), its place (8), the content and zeros. Without content the
whole record is gone. A content that did not fit stands in a frame of kind MOVED at its place, behind all records.
"""

import struct

import msgspec

from ingest.log.frame import Frame, FrameKind
from ingest.log.frame_file import FrameFile
from ingest.record import Erased, Record, decode_record, encode_record

_HEAD = struct.Struct("<qIQ")
_GONE = Erased()


def encode_rewritten(record: Record, length: int) -> bytes | None:
    """The payload of `length` bytes that stands for the record; None when it does not fit."""
    content = b"" if is_gone(record) else encode_record(record)
    head = _HEAD.pack(record.received_at_us, len(content), 0)
    return (head + content).ljust(length, b"\0") if len(head) + len(content) <= length else None


def encode_pointer(record: Record, place: int, length: int) -> bytes:
    """The payload of `length` bytes that says at which offset of the file the record's content stands."""
    return _HEAD.pack(record.received_at_us, 0, place).ljust(length, b"\0")


def is_gone(record: Record) -> bool:
    """Whether nothing is left of a record but its arrival."""
    return record.request is None and record.act is None and record.erased == _GONE


def read_record(frame: Frame, frames: FrameFile) -> Record:
    """The record of a frame of kind RECORD or REWRITTEN. Raises `msgspec.DecodeError` when it holds none."""
    if frame.kind is FrameKind.RECORD:
        return decode_record(frame.payload)
    received_at_us, length, place = _unpack(frame)
    if length:
        return decode_record(frame.payload[_HEAD.size : _HEAD.size + length])
    if not place:
        return Record(received_at_us, erased=_GONE)
    moved = frames.frame_at(place)
    if moved is None or moved.kind is not FrameKind.MOVED:
        raise msgspec.DecodeError(f"what was moved to offset {place} is not there")
    return decode_record(moved.payload)


def rewritten_arrival_us(frame: Frame) -> int:
    """The arrival of a rewritten record. Raises `msgspec.DecodeError`."""
    return _unpack(frame)[0]


def _unpack(frame: Frame) -> tuple[int, int, int]:
    try:
        received_at_us, length, place = _HEAD.unpack_from(frame.payload)
    except struct.error as error:
        raise msgspec.DecodeError("a rewritten record ends early") from error
    return received_at_us, length, place
