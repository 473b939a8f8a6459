"""Frames: how records lie in a log file, so that a torn or flipped byte is noticed.

A file is a sequence of frames: format version (1 byte), kind (1), payload length (4), CRC-32 (4), payload. The checksum
covers the fields before it and the payload. Integers are little-endian.
"""

import struct
import zlib
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

FORMAT_VERSION = 1

_HEAD = struct.Struct("<BBI")
_CRC = struct.Struct("<I")
FRAME_OVERHEAD = _HEAD.size + _CRC.size


class FrameKind(IntEnum):
    OPENING = 1
    RECORD = 2
    SEAL = 3


class Frame(NamedTuple):
    """A whole frame: its first byte's offset in the file, the offset after it, and what it holds."""

    offset: int
    end: int
    kind: FrameKind
    payload: bytes


class UnknownFormat(ValueError):
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
    while at + FRAME_OVERHEAD <= len(data):
        version, kind, length = _HEAD.unpack_from(data, at)
        start = at + FRAME_OVERHEAD
        end = start + length
        if end > len(data):
            return
        payload = data[start:end]
        (crc,) = _CRC.unpack_from(data, at + _HEAD.size)
        if crc != zlib.crc32(payload, zlib.crc32(data[at : at + _HEAD.size])):
            return
        if version != FORMAT_VERSION:
            raise UnknownFormat(
                f"log format {version} at offset {base + at}: this Onepath reads format {FORMAT_VERSION}; upgrade it"
            )
        yield Frame(base + at, base + end, FrameKind(kind), payload)
        at = end
