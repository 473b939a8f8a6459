"""The log on disk: one folder per stream, numbered files in it, the last one open.

`LOG/STREAM/000000000001.log` is sealed and never changes again; `.open` is being written; `.torn` keeps the bytes of an
unfinished write that a restart cut off (they were never acknowledged).
"""

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ingest.errors import LogDamaged, LogUnreadable
from ingest.log.frame import Frame, FrameKind
from ingest.log.frame_file import CHUNK_BYTES, Broken, FrameFile
from ingest.log.rewritten import read_record, rewritten_arrival_us
from ingest.record import Damage, Position, Record, decode_arrival_us

SEALED_SUFFIX = ".log"
OPEN_SUFFIX = ".open"
TORN_SUFFIX = ".torn"
# An offset behind every byte: nothing more is read from this file. Damage that reaches to the end of a file ends here,
# so that it is reported once.
FILE_END = 1 << 40
_FIRST_BYTES = 4096
_FILE_NAME = re.compile(r"\d{12}\.(open|log)")
RECORD_KINDS = frozenset({FrameKind.RECORD, FrameKind.REWRITTEN})


class Opening(msgspec.Struct, array_like=True, frozen=True):
    """The first frame of a file: which stream and file it is, so that a misplaced file is noticed."""

    stream: str
    file: int
    opened_at_us: int


class Seal(msgspec.Struct, array_like=True, frozen=True):
    """The last frame of a sealed file."""

    record_count: int
    last_received_at_us: int


def arrival_us(frame: Frame) -> int:
    """The last arrival that a frame tells of; 0 when what it holds cannot be read."""
    try:
        if frame.kind is FrameKind.RECORD:
            return decode_arrival_us(frame.payload)
        if frame.kind is FrameKind.REWRITTEN:
            return rewritten_arrival_us(frame)
        if frame.kind is FrameKind.MOVED:
            return 0
        if frame.kind is FrameKind.OPENING:
            return msgspec.msgpack.decode(frame.payload, type=Opening).opened_at_us
        return msgspec.msgpack.decode(frame.payload, type=Seal).last_received_at_us
    except msgspec.DecodeError:
        return 0


@dataclass(frozen=True)
class LogFile:
    """One file of a stream."""

    stream: str
    number: int
    path: Path

    @property
    def is_sealed(self) -> bool:
        return self.path.suffix == SEALED_SUFFIX


def file_path(folder: Path, number: int, suffix: str) -> Path:
    return folder / f"{number:012d}{suffix}"


def list_files(folder: Path) -> list[LogFile]:
    """The stream's log files in order; `folder` is the stream's own."""
    if not folder.is_dir():
        return []
    found = {
        int(path.stem): LogFile(folder.name, int(path.stem), path)
        for path in sorted(folder.iterdir())
        if _FILE_NAME.fullmatch(path.name)
    }
    return [found[number] for number in sorted(found)]


def size_of(log_file: LogFile) -> int:
    """Bytes of a listed file, which the collector may have sealed (and so renamed) since; 0 of one that is gone."""
    for path in (log_file.path, log_file.path.with_suffix(SEALED_SUFFIX)):
        with contextlib.suppress(FileNotFoundError):
            return path.stat().st_size
    return 0


def list_streams(log: Path) -> list[str]:
    """The streams that have a folder below the log."""
    return sorted(path.name for path in log.iterdir() if path.is_dir()) if log.is_dir() else []


def sync_folder(folder: Path) -> None:
    """Make renames and new files in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


Entry = tuple[Position, int, Record | Damage]


def read_records(log: Path, stream: str, file: int, offset: int, max_bytes: int) -> Iterator[Entry]:
    """What a stream holds at or after `offset` of `file`: each entry with its position and where reading goes on.

    Ends after about `max_bytes`, or where the log ends for now: at a frame that is still being written, too. Bytes that
    make no sense in front of whole frames, or in a sealed file, are a `Damage` in their place, and so is a file that is
    gone; reading goes on behind it. Raises `LogUnreadable` when the disk refuses, `LogDamaged` when the log has no file
    as late as `file`.
    """
    next_number = max(file, 1) + (offset == FILE_END)
    log_files = list_files(log / stream)
    if log_files and log_files[-1].number < file:
        raise LogDamaged(
            f"{log / stream} ends with file {log_files[-1].number}, but was read up to file {file}: restore the files "
            "that are gone, or rebuild the warehouse from those that are there"
        )
    for log_file in log_files:
        if log_file.number < next_number:
            continue
        start = offset if log_file.number == file else 0
        with open_log_file(log_file) as frames:
            reader = _FileReader(log_file, frames)
            if log_file.number > next_number:
                yield reader.gap_before(next_number, offset if next_number == file else 0)
            for entry in reader.entries(start, min(CHUNK_BYTES, max_bytes)):
                yield entry
                max_bytes -= entry_bytes(entry)
                if max_bytes <= 0:
                    return
        if not reader.is_finished:
            return
        next_number = log_file.number + 1


def last_end(log_file: LogFile) -> int:
    """Where reading goes on behind the last record of a file; cheap however large it is. Raises `LogUnreadable`."""
    with open_log_file(log_file) as frames:
        return frames.last_end()


def entry_bytes(entry: Entry) -> int:
    """How much of the log an entry takes."""
    position, end, what = entry
    return what.length if isinstance(what, Damage) else end - position.offset


def first_arrival_us(log_file: LogFile) -> int | None:
    """When the first record of a file arrived; None when it holds none yet, 0 where damage comes before it."""
    with open_log_file(log_file) as frames:
        for found in frames.frames(0, _FIRST_BYTES):
            if isinstance(found, Broken):
                return 0 if found.following is not None or log_file.is_sealed else None
            if found.kind in RECORD_KINDS:
                return arrival_us(found)
    return None


class _FileReader:
    """Reads one file of a stream; `is_finished` once nothing more can come from it."""

    def __init__(self, log_file: LogFile, frames: FrameFile) -> None:
        self.is_finished = False
        self._stream, self._number, self._frames = log_file.stream, log_file.number, frames
        self._name = f"log file {log_file.stream}/{log_file.number:012d}"  # the same before and after it is sealed
        opening = frames.frame_at(0)
        self._arrived_us = arrival_us(opening) if opening else 0

    def gap_before(self, first: int, offset: int) -> Entry:
        """The files from `first` on that should come before this one; of the first, what is behind `offset`."""
        last = self._number - 1
        files = f"log file {first} is" if first == last else f"log files {first} to {last} are"
        rest = f"; {'it' if first == last else 'the first'} was read up to offset {offset}" if offset else ""
        damage = Damage(0, f"{files} gone from the stream {self._stream}{rest}", None, self._arrived_us)
        return Position(self._stream, last, offset if first == last else 0), FILE_END, damage

    def entries(self, start: int, chunk_bytes: int) -> Iterator[Entry]:
        """What stands at or after offset `start`."""
        end = start
        for found in self._frames.frames(start, chunk_bytes):
            if isinstance(found, Broken):
                if found.following is None:
                    break
                if not self._arrived_us and not start:  # nothing was read before: what comes next must tell
                    self._arrived_us = arrival_us(found.following) - (found.following.kind in RECORD_KINDS)
                yield self._broken(found)
            elif found.kind in RECORD_KINDS:
                yield self._record(found)
            elif found.kind is FrameKind.SEAL and found.end == self._frames.size:
                self.is_finished = True
                return
            end = found.end
        yield from self._rest(start, end)

    def _record(self, frame: Frame) -> Entry:
        position = Position(self._stream, self._number, frame.offset)
        try:
            record = read_record(frame, self._frames)
        except msgspec.DecodeError as error:
            why = f"{self._name}: the frame at offset {frame.offset} is whole, but holds no record: {error}"
            return position, frame.end, self._damage(frame.offset, frame.end, why)
        self._arrived_us = record.received_at_us
        return position, frame.end, record

    def _broken(self, found: Broken) -> Entry:
        why = f"{self._name}: {found.end - found.offset} bytes at offset {found.offset} fail their checksum"
        damage = self._damage(found.offset, found.end, f"{why}; reading goes on at offset {found.end}")
        return Position(self._stream, self._number, found.offset), found.end, damage

    def _rest(self, start: int, end: int) -> Iterator[Entry]:
        """What is wrong when a file ends at `end` without its seal. In an open file nothing is: it may still grow."""
        if self._frames.path.suffix == OPEN_SUFFIX:
            return
        self.is_finished = True
        # TRICKY: a reader may have seen a record that could not be synced. The writer refused it and cut it off, so the
        # reader stands past the end of a file that is whole in itself; its sender comes again.
        if start == end and self._frames.is_whole():
            return
        size = self._frames.size
        if end < size:
            why = f"{size - end} bytes from offset {end} to the end fail their checksum"
        else:
            why = f"it ends at offset {size} without a seal; what came behind offset {end} is gone"
        yield Position(self._stream, self._number, end), FILE_END, self._damage(end, size, f"{self._name}: {why}")

    def _damage(self, offset: int, end: int, detail: str) -> Damage:
        length = max(end - offset, 0)
        digest = hashlib.sha256()
        for at in range(offset, offset + length, CHUNK_BYTES):
            digest.update(self._frames.read(at, min(CHUNK_BYTES, offset + length - at)))
        return Damage(length, detail, digest.hexdigest(), self._arrived_us)


def open_log_file(log_file: LogFile) -> FrameFile:
    """A listed file, which the collector may have sealed (and so renamed) since. Raises `LogUnreadable`."""
    try:
        return FrameFile(log_file.path)
    except FileNotFoundError:
        try:
            return FrameFile(log_file.path.with_suffix(SEALED_SUFFIX))
        except FileNotFoundError as error:
            raise LogUnreadable(f"{log_file.path} was there a moment ago, and is gone") from error


LogExtent = tuple[tuple[str, str, int], ...]


def log_extent(log: Path) -> LogExtent:
    """How far the log reaches: each stream's last file and its size. It changes with every record."""
    last_files = (each for stream in list_streams(log) for each in list_files(log / stream)[-1:])
    return tuple((each.stream, each.path.name, size_of(each)) for each in last_files)
