"""A log file open for reading: its whole frames in order, and the stretches of broken bytes between them.

Reads no more than it is asked for and one frame; what it says of healthy bytes costs one pass over them.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from ingest.errors import LogUnreadable
from ingest.log.frame import (
    FRAME_OVERHEAD,
    MARKER_BYTES,
    MARKER_OFFSET,
    Frame,
    FrameKind,
    frame_length,
    read_frames,
    refuse_format_1,
)
from ingest.log.marker import find_marker

CHUNK_BYTES = 256 << 10
_BEGINNING_BYTES = 1024


class Broken(NamedTuple):
    """Bytes that are no whole frame, up to the next one; without one they reach to the end of the file."""

    offset: int
    end: int
    following: Frame | None


class FrameFile:
    """Owns the descriptor of one log file, which may still grow: `size` is that of its opening. Close it.

    Raises `LogUnreadable` when the disk or the permissions refuse.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = _open(path)
        try:
            self.size = os.fstat(self._descriptor).st_size
            self.marker: bytes | None = None
            self.marker = self._learn_marker()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file. Safe to call twice."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    def frames(self, offset: int = 0, chunk_bytes: int = CHUNK_BYTES) -> Iterator[Frame | Broken]:
        """Everything from `offset` to the end: each byte belongs to exactly one frame or one broken stretch."""
        at = offset
        while at < self.size:
            for frame in read_frames(self.read(at, chunk_bytes), at, self.marker) if self.marker else ():
                yield frame
                at = frame.end
            if at >= self.size:
                return
            whole = self.frame_at(at)  # it may only have been longer than the chunk
            if whole is not None:
                yield whole
                at = whole.end
                continue
            following = self._find_frame(at + 1)
            yield Broken(at, following.offset if following else self.size, following)
            at = following.offset if following else self.size

    def frame_at(self, offset: int) -> Frame | None:
        """The whole frame that begins at `offset`, if one does."""
        if self.marker is None:
            return None
        length = frame_length(self.read(offset, FRAME_OVERHEAD))
        if not length or offset + length > self.size:
            return None
        return next(read_frames(self.read(offset, length), offset, self.marker), None)

    def read(self, offset: int, length: int) -> bytes:
        """These bytes, or what of them the file holds."""
        try:
            return os.pread(self._descriptor, max(min(length, self.size - offset), 0), offset)
        except OSError as error:
            raise LogUnreadable(f"{self.path} cannot be read at offset {offset}: {error.strerror}") from error

    def last_end(self) -> int:
        """Where the last whole frame before the seal ends: found from the end, so it costs the same in any file."""
        window = CHUNK_BYTES
        while True:
            end, begin = 0, max(self.size - window, 0)
            for frame in filter(None, map(self.frame_at, self._find_markers(begin))):
                end = frame.offset if frame.kind is FrameKind.SEAL else frame.end
            if end or not begin:
                return end
            window *= 8

    def is_whole(self) -> bool:
        """Whether the file goes from its first byte to its seal without a gap."""
        is_sealed = False
        for found in self.frames():
            if isinstance(found, Broken):
                return False
            is_sealed = found.kind is FrameKind.SEAL
        return is_sealed

    def _learn_marker(self) -> bytes | None:
        # TRICKY: only from where no sender can write: the stream's secret, or the file's first bytes. A marker searched
        # for in the rest of the file could be one that a sender put there, with a forged record behind it.
        derived = find_marker(self.path.parent, int(self.path.stem))
        for marker in (derived, self.read(MARKER_OFFSET, MARKER_BYTES)):
            if marker is not None and len(marker) == MARKER_BYTES:
                self.marker = marker
                if self.frame_at(0) or self._find_frame(0):
                    return marker
        refuse_format_1(self.read(0, _BEGINNING_BYTES), str(self.path))
        return None

    def _find_frame(self, offset: int) -> Frame | None:
        """The first whole frame at or after `offset`."""
        return next(filter(None, map(self.frame_at, self._find_markers(offset))), None)

    def _find_markers(self, offset: int) -> Iterator[int]:
        """Where frames at or after `offset` would begin by the markers that stand there."""
        if self.marker is None:
            return
        at, overlap = offset, MARKER_OFFSET + MARKER_BYTES - 1
        while len(data := self.read(at, CHUNK_BYTES)) > overlap:
            found = data.find(self.marker, MARKER_OFFSET)
            while found >= 0:
                yield at + found - MARKER_OFFSET
                found = data.find(self.marker, found + 1)
            at += len(data) - overlap


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise LogUnreadable(f"{path} cannot be opened: {error.strerror}; it may be readable later") from error
