"""Frames: how records lie in a log file, so that a torn or flipped byte is noticed.

A file is a sequence of frames: format version (1 byte), kind (1), payload length (4), CRC-32 (4), payload. The checksum
covers the fields before it and the payload. Integers are little-endian.
"""

import struct
import zlib
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

from ingest.errors import LogError

FORMAT_VERSION = 1

_HEAD = struct.Struct("<BBI")
_CRC = struct.Struct("<I")
FRAME_OVERHEAD = _HEAD.size + _CRC.size


class FrameKind(IntEnum):
    OPENING = 1
    RECORD = 2
    SEAL = 3


_KINDS = frozenset(FrameKind)
_KIND_BYTES = frozenset(bytes([kind]) for kind in FrameKind)


class Frame(NamedTuple):
    """A whole frame: its first byte's offset in the file, the offset after it, and what it holds."""

    offset: int
    end: int
    kind: FrameKind
    payload: bytes


class UnknownFormat(LogError):
    """A frame written by a later version of the format; final until Onepath is upgraded."""


def encode_frame(kind: FrameKind, payload: bytes) -> bytes:
    """One frame, ready to be appended."""
    head = _HEAD.pack(FORMAT_VERSION, kind, len(payload))
    return head + _CRC.pack(zlib.crc32(payload, zlib.crc32(head))) + payload


def read_frames(data: bytes, base: int = 0) -> Iterator[Frame]:
    """The whole frames at the start of `data`, which stands at offset `base` of its file.

    Stops silently before the first frame that is incomplete or fails its checksum: whether that is a write in flight, a
    torn tail or damage is for the caller to say. Raises `UnknownFormat` on a whole frame of a later format.
    """
    at = 0
    while (frame := _frame_at(data, at, base)) is not None:
        yield frame
        at = frame.end - base


def _frame_at(data: bytes, at: int, base: int) -> Frame | None:
    if at + FRAME_OVERHEAD > len(data):
        return None
    version, kind, length = _HEAD.unpack_from(data, at)
    start = at + FRAME_OVERHEAD
    end = start + length
    if end > len(data):
        return None
    payload = data[start:end]
    (crc,) = _CRC.unpack_from(data, at + _HEAD.size)
    if crc != zlib.crc32(payload, zlib.crc32(data[at : at + _HEAD.size])):
        return None
    if version != FORMAT_VERSION or kind not in _KINDS:
        raise UnknownFormat(
            f"log format {version} (frame kind {kind}) at offset {base + at}: this reads format {FORMAT_VERSION}"
        )
    return Frame(base + at, base + end, FrameKind(kind), payload)


def has_whole_frame(data: bytes) -> bool:
    """Whether a whole frame starts anywhere in `data`: the sign that what stands before it was damaged, not torn.

    A write in flight or torn by a crash leaves nothing behind its broken frame.
    """
    first_byte = bytes([FORMAT_VERSION])
    at = data.find(first_byte)
    while at >= 0:
        if data[at + 1 : at + 2] in _KIND_BYTES and _frame_at(data, at, 0) is not None:
            return True
        at = data.find(first_byte, at + 1)
    return False
