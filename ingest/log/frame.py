"""Frames: how records lie in a log file, so that a torn or flipped byte is noticed and reading finds its way behind it.

A frame is CRC-32 of all that follows (4 bytes), format version (1), kind (1), the file's marker (8), payload length
(4), payload; integers are little-endian. A frame begins only where the marker stands, and no sender knows the marker:
nothing that came in a body can pass for a frame.
"""

import struct
import zlib
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

from ingest.errors import LogError

FORMAT_VERSION = 2

_CRC = struct.Struct("<I")
_HEAD = struct.Struct("<BB8sI")
_FRAME = struct.Struct("<IBB8sI")
FRAME_OVERHEAD = _FRAME.size
MARKER_BYTES = 8
MARKER_OFFSET = 6

_FORMAT_1 = struct.Struct("<BBII")
_FORMAT_1_MAX_OPENING_BYTES = 1024


class FrameKind(IntEnum):
    OPENING = 1
    RECORD = 2
    SEAL = 3
    REWRITTEN = 4
    MOVED = 5


_KINDS = {int(kind): kind for kind in FrameKind}


class Frame(NamedTuple):
    """A whole frame: its first byte's offset in the file, the offset after it, and what it holds."""

    offset: int
    end: int
    kind: FrameKind
    payload: memoryview


class UnknownFormat(LogError):
    """A frame written by another version of the format; final until that version of Onepath reads it."""


def encode_frame(kind: FrameKind, payload: bytes, marker: bytes) -> bytes:
    """One frame, ready to be appended to the file with this marker."""
    head = _HEAD.pack(FORMAT_VERSION, kind, marker, len(payload))
    return _CRC.pack(zlib.crc32(payload, zlib.crc32(head))) + head + payload


def read_frames(data: bytes, base: int, marker: bytes) -> Iterator[Frame]:
    """The whole frames at the start of `data`, which stands at offset `base` of its file.

    Stops silently before the first frame that is incomplete or fails its checksum: whether that is a write in flight, a
    torn tail or damage is for the caller to say. Raises `UnknownFormat` on a whole frame of another format.
    """
    view, at, last_start = memoryview(data), 0, len(data) - FRAME_OVERHEAD
    while at <= last_start:
        crc, version, kind, found, length = _FRAME.unpack_from(view, at)
        start = at + FRAME_OVERHEAD
        end = start + length
        if found != marker or end > len(data) or crc != zlib.crc32(view[at + _CRC.size : end]):
            return
        if version != FORMAT_VERSION or kind not in _KINDS:
            raise UnknownFormat(
                f"log format {version} (frame kind {kind}) at offset {base + at}: this reads format {FORMAT_VERSION}"
            )
        yield Frame(base + at, base + end, _KINDS[kind], view[start:end])
        at = end


def frame_length(head: bytes) -> int:
    """How long the frame is that begins with these bytes; 0 when they are too few to say."""
    return FRAME_OVERHEAD + int(_FRAME.unpack_from(head)[4]) if len(head) >= FRAME_OVERHEAD else 0


def refuse_format_1(data: bytes, path: str) -> None:
    """Raise `UnknownFormat` when a file begins as one of format 1: it is not damaged, this version cannot read it."""
    if len(data) < _FORMAT_1.size:
        return
    version, kind, length, crc = _FORMAT_1.unpack_from(data)
    head, payload = data[:6], data[_FORMAT_1.size : _FORMAT_1.size + min(length, _FORMAT_1_MAX_OPENING_BYTES)]
    if version == 1 and kind == FrameKind.OPENING and crc == zlib.crc32(payload, zlib.crc32(head)):
        raise UnknownFormat(
            f"{path} is of log format 1, which no released Onepath wrote: this reads format {FORMAT_VERSION}; move the "
            "log folder away to begin a new one"
        )
