"""The log on disk: one folder per stream, numbered files in it, the last one open.

`LOG/STREAM/000000000001.log` is sealed and never changes again; `.open` is being written; `.torn` keeps the bytes of an
unfinished write that a restart cut off (they were never acknowledged).
"""

import contextlib
import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ingest.errors import LogDamaged
from ingest.frame import FrameKind, encode_frame, has_whole_frame, read_frames
from ingest.record import Position, Record, decode_record

SEALED_SUFFIX = ".log"
OPEN_SUFFIX = ".open"
TORN_SUFFIX = ".torn"
_FILE_NAME = re.compile(r"\d{12}\.(open|log)")

logger = logging.getLogger("onepath.log")


class Opening(msgspec.Struct, array_like=True, frozen=True):
    """The first frame of a file: which stream and file it is, so that a misplaced file is noticed."""

    stream: str
    file: int
    opened_at_us: int


class Seal(msgspec.Struct, array_like=True, frozen=True):
    """The last frame of a sealed file."""

    record_count: int
    last_received_at_us: int


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


@dataclass(frozen=True)
class Survey:
    """What a whole log file holds: records, the last arrival, and where its whole frames end."""

    record_count: int
    last_received_at_us: int
    end: int
    size: int
    is_sealed: bool

    @property
    def torn_bytes(self) -> int:
        return self.size - self.end


def survey_file(path: Path) -> Survey:
    """Read every frame of a file once."""
    data = path.read_bytes()
    count, last, end, sealed = 0, 0, 0, False
    for frame in read_frames(data):
        end = frame.end
        if frame.kind is FrameKind.RECORD:
            count += 1
            last = decode_record(frame.payload).received_at_us
        elif frame.kind is FrameKind.OPENING:
            last = max(last, msgspec.msgpack.decode(frame.payload, type=Opening).opened_at_us)
        elif frame.kind is FrameKind.SEAL:
            last = max(last, msgspec.msgpack.decode(frame.payload, type=Seal).last_received_at_us)
            sealed = True
    return Survey(count, last, end, len(data), sealed)


def repair_tail(path: Path) -> Survey:
    """Cut an unfinished write off the end of an open file, keeping its bytes beside it, and seal the file.

    What is cut was never acknowledged: an answer is given only after the whole frame is on disk. A file with whole
    frames after a broken one was not torn but damaged; it is left as it is, and readers stop there with `LogDamaged`.
    """
    survey = survey_file(path)
    if survey.torn_bytes and has_whole_frame(path.read_bytes()[survey.end + 1 :]):
        logger.error("%s is damaged at offset %d; it is left as it is", path, survey.end)
        path.rename(path.with_suffix(SEALED_SUFFIX))
        sync_folder(path.parent)
        return survey
    with path.open("r+b") as file:
        if survey.torn_bytes:
            logger.warning("%s ends in %d bytes of an unfinished write; they are set aside", path, survey.torn_bytes)
            file.seek(survey.end)
            path.with_suffix(TORN_SUFFIX).write_bytes(file.read())
            file.truncate(survey.end)
        if not survey.is_sealed:
            file.seek(survey.end)
            seal = Seal(survey.record_count, survey.last_received_at_us)
            file.write(encode_frame(FrameKind.SEAL, msgspec.msgpack.encode(seal)))
        file.flush()
        os.fsync(file.fileno())
    path.rename(path.with_suffix(SEALED_SUFFIX))
    sync_folder(path.parent)
    return survey


def read_records(
    log: Path, stream: str, file: int, offset: int, max_bytes: int
) -> Iterator[tuple[Position, int, Record]]:
    """Records of a stream at or after `offset` of `file`, each with its position and the offset after it.

    Ends after about `max_bytes`, or where the log ends for now. Raises `LogDamaged` when a file stops making sense
    before its seal or before another whole frame: those bytes were acknowledged once, and skipping them in silence
    would be loss.
    """
    for log_file in list_files(log / stream):
        if log_file.number < file:
            continue
        start = end = offset if log_file.number == file else 0
        sealed, data = False, _read_from(log_file.path, start)
        for frame in read_frames(data, start):
            end, sealed = frame.end, frame.kind is FrameKind.SEAL
            if frame.kind is FrameKind.RECORD:
                yield Position(stream, log_file.number, frame.offset), end, decode_record(frame.payload)
                max_bytes -= frame.end - frame.offset
                if max_bytes <= 0:
                    return
        is_short = log_file.is_sealed and not sealed and not _was_taken_back(log_file, file, offset, end)
        if is_short or has_whole_frame(data[end - start + 1 :]):
            raise LogDamaged(f"{log_file.path} is damaged at offset {end}: restore this file from a backup")


def _was_taken_back(log_file: LogFile, file: int, offset: int, end: int) -> bool:
    # TRICKY: a reader may have seen a record that could not be synced. The writer refused it and cut it off, so the
    # reader stands past the end of a file that is whole in itself; its sender comes again.
    if log_file.number != file or end != offset:
        return False
    survey = survey_file(log_file.path)
    return survey.is_sealed and not survey.torn_bytes


def _read_from(path: Path, offset: int) -> bytes:
    # TRICKY: the collector may seal the file, which renames it, between our listing and our opening it.
    try:
        file = path.open("rb")
    except FileNotFoundError:
        file = path.with_suffix(SEALED_SUFFIX).open("rb")
    with file:
        file.seek(offset)
        return file.read()


LogExtent = tuple[tuple[str, str, int], ...]


def log_extent(log: Path) -> LogExtent:
    """How far the log reaches: each stream's last file and its size. It changes with every record."""
    extent = []
    for stream in list_streams(log):
        for log_file in list_files(log / stream)[-1:]:
            with contextlib.suppress(FileNotFoundError):  # sealed, and so renamed, a moment ago
                extent.append((stream, log_file.path.name, log_file.path.stat().st_size))
    return tuple(extent)
