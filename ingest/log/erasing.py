"""Rewriting a sealed log file: records lose what is to go, and every other byte stays where it stands (ADR 0014).

The new file is complete and synced before it takes the old one's name. Killed at any moment, the old one or the new one
is there whole; whoever reads the old one meanwhile reads on in it.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

import msgspec

from ingest.log.files import RECORD_KINDS, TORN_SUFFIX, LogFile, open_log_file, sync_folder
from ingest.log.frame import Frame, FrameKind, encode_frame
from ingest.log.frame_file import CHUNK_BYTES, Broken, FrameFile
from ingest.log.rewritten import encode_pointer, encode_rewritten, read_record, rewritten_arrival_us
from ingest.record import Erased, Position, Record, encode_record

ERASING_SUFFIX = ".erasing"

EraseStage = Literal["written", "renamed"]
RestOf = Callable[[Position, Record], Record]
"""What is left of a record; the same object when nothing of it goes."""
IsAbout = Callable[[bytes], bool]
"""Whether bytes that hold no record any more must go."""

# No frame stands there: for a content that was lost to damage before it could be moved once more.
_NOWHERE = 1


@dataclass
class FileChanges:
    """What is to change in a file: records by their offset, and stretches of damaged bytes that become zeros."""

    log_file: LogFile
    records: dict[int, Record] = field(default_factory=dict)
    zeroed: list[tuple[int, int]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.records or self.zeroed)


def find_changes(log_file: LogFile, rest_of: RestOf, is_about: IsAbout) -> FileChanges:
    """Read a sealed file once. Raises `LogUnreadable` when that is refused."""
    changes = FileChanges(log_file)
    for found in read_file(log_file):
        if isinstance(found, FoundRecord):
            rest = rest_of(found.position, found.record)
            if rest is not found.record:
                changes.records[found.position.offset] = rest
        elif is_about(found.data):
            changes.zeroed.append((found.offset, found.offset + len(found.data)))
    return changes


class FoundRecord(NamedTuple):
    """A record and where it stands."""

    position: Position
    record: Record


class FoundBytes(NamedTuple):
    """Bytes from `offset` on that hold no record any more."""

    offset: int
    data: bytes


def read_file(log_file: LogFile) -> Iterator[FoundRecord | FoundBytes]:
    """What one file holds; of an open one not the write that may be under way at its end. Raises `LogUnreadable`."""
    with open_log_file(log_file) as frames:
        for found in frames.frames():
            if isinstance(found, Broken):
                if found.following is None and not log_file.is_sealed:
                    return
                record = None
            elif found.kind in RECORD_KINDS:
                record = _read(found, frames)
            else:
                continue
            if record is not None:
                yield FoundRecord(Position(log_file.stream, log_file.number, found.offset), record)
            else:
                yield FoundBytes(found.offset, frames.read(found.offset, found.end - found.offset))


def write_changes(changes: FileChanges, observe: Callable[[EraseStage], None] = lambda _stage: None) -> None:
    """Put the changed file in the place of the old one. Raises OSError; then the old one is as it was."""
    path = changes.log_file.path
    fresh = path.with_suffix(ERASING_SUFFIX)
    try:
        with FrameFile(path) as frames, fresh.open("wb") as file:
            _Rewriting(frames, file).run(changes)
            file.flush()
            os.fsync(file.fileno())
        shutil.copymode(path, fresh)
        observe("written")
        fresh.replace(path)
        observe("renamed")
    except BaseException:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def clear_remains(folder: Path, is_about: IsAbout) -> int:
    """Remove what a killed rewriting left in a stream's folder, and torn writes that are to go; returns how many."""
    remains = list(folder.glob(f"*{ERASING_SUFFIX}"))
    # Nobody was ever told that these bytes were kept, so they are not cut into pieces.
    remains += [path for path in folder.glob(f"*{TORN_SUFFIX}") if is_about(path.read_bytes())]
    for path in remains:
        path.unlink()
    if remains:
        sync_folder(folder)
    return len(remains)


def _read(frame: Frame, frames: FrameFile) -> Record | None:
    """The record of a frame; None when it is whole but holds none."""
    try:
        return read_record(frame, frames)
    except msgspec.DecodeError:
        return None


class _Rewriting:
    """Writes one new file: the old bytes up to the last record, the changes over them, what was moved, the seal."""

    def __init__(self, frames: FrameFile, file: BinaryIO) -> None:
        self._frames = frames
        self._file = file
        self._marker = frames.marker or b""
        self._moved: list[bytes] = []

    def run(self, changes: FileChanges) -> None:
        records, seal, end = self._survey(changes)
        for at in range(0, end, CHUNK_BYTES):
            self._file.write(self._frames.read(at, min(CHUNK_BYTES, end - at)))
        for start, stop in changes.zeroed:
            self._put(start, bytes(min(stop, end) - start))
        self._moved_at = end
        for frame, record in records:
            self._put(frame.offset, self._frame_of(record, len(frame.payload)))
        self._file.seek(end)
        self._file.writelines([*self._moved, seal])

    def _survey(self, changes: FileChanges) -> tuple[list[tuple[Frame, Record]], bytes, int]:
        """The records to write (those that were moved earlier stand anew too), the seal, where the records end."""
        records, seal, end = list[tuple[Frame, Record]](), b"", self._frames.size
        for found in self._frames.frames():
            if isinstance(found, Broken):
                continue
            if found.kind in (FrameKind.MOVED, FrameKind.SEAL):
                end = min(end, found.offset)
            if found.kind is FrameKind.SEAL:
                seal = encode_frame(FrameKind.SEAL, bytes(found.payload), self._marker)
            elif found.offset in changes.records:
                records.append((found, changes.records[found.offset]))
            elif found.kind is FrameKind.REWRITTEN:
                lost = Record(rewritten_arrival_us(found), erased=_LOST)
                records.append((found, _read(found, self._frames) or lost))
        return records, seal, end

    def _frame_of(self, record: Record, length: int) -> bytes:
        payload = encode_rewritten(record, length)
        if record.erased is _LOST:
            payload = encode_pointer(record, _NOWHERE, length)
        elif payload is None:
            payload = encode_pointer(record, self._moved_at, length)
            moved = encode_frame(FrameKind.MOVED, encode_record(record), self._marker)
            self._moved.append(moved)
            self._moved_at += len(moved)
        return encode_frame(FrameKind.REWRITTEN, payload, self._marker)

    def _put(self, offset: int, data: bytes) -> None:
        self._file.seek(offset)
        self._file.write(data)


_LOST = Erased((0,))
