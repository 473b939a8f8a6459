"""The log stream on disk: its folder's lock, its open file, its reserve.

A batch is written and synced as a whole, or nothing of it stays. A full disk is met with the reserve; after any failure
the stream goes on in a new file as soon as it can, without a restart.
"""

import fcntl
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Literal, TypeVar

from ingest.errors import LogInUse
from ingest.log.files import list_files, sync_folder
from ingest.log.frame import FrameKind, encode_frame
from ingest.log.loaded import read_loaded
from ingest.log.open_file import OpenFile, is_same_file
from ingest.log.repair import repair_tail, survey_file
from ingest.log.reserve import Reserve, is_short_of_space
from ingest.record import Position

logger = logging.getLogger("onepath.log")

# Whoever wants the open file sealed puts a file of this name into the stream's folder (`ingest.log.sealing`).
ROLL_NAME = "roll"

WriteStage = Literal["written", "synced"]
T = TypeVar("T")


class LogStream:
    """Owns one stream's folder. Not for several threads: its writer's alone.

    Raises `LogInUse` when another process has it, OSError when the folder cannot be made or read. A disk that is merely
    full does not keep it from starting: then `write` raises until there is room.
    """

    def __init__(
        self, log: Path, name: str, max_file_bytes: int, reserved_bytes: int, observe: Callable[[WriteStage], None]
    ) -> None:
        self.name = name
        self.folder = log / name
        self.folder.mkdir(parents=True, exist_ok=True)
        for parent in (log, log.parent):  # a synced file is only as durable as the names that lead to it
            sync_folder(parent)
        self.sync_s = self.last_sync_s = 0.0
        self._max_file_bytes = max_file_bytes
        self._observe = observe
        self._file: OpenFile | None = None
        self._is_sound = False
        self._next_number = 1
        self._lock_file = lock_stream(self.folder)
        try:
            self.last_received_at_us = _last_arrival_us(self.folder)
            self.reserve = Reserve(self.folder, reserved_bytes)
            self._begin()
        except BaseException:
            self._lock_file.close()
            raise

    def write(self, payloads: list[bytes]) -> list[Position]:
        """Put records on disk, all or none; returns their positions once they are synced. Raises OSError."""
        return self._with_reserve(lambda: self._write(payloads), sum(map(len, payloads)))

    def mend(self) -> None:
        """Take the reserve again if there is room, and leave a file that failed, or that somebody wants sealed.

        Raises OSError.
        """
        self.reserve.restore()
        if (self.folder / ROLL_NAME).exists():
            self._with_reserve(self._leave_file)
            (self.folder / ROLL_NAME).unlink(missing_ok=True)
        self._with_reserve(self._make_writable)

    def close(self) -> None:
        """Seal the file and free the stream; what cannot be sealed now is repaired by the next start."""
        with suppress(OSError):
            self._with_reserve(self._leave_file)
        if self._file is not None:
            self._file.close()
        self._lock_file.close()

    def _begin(self) -> None:
        try:
            self._with_reserve(self._repair)
            self._with_reserve(self._make_writable)
        except OSError as error:
            if not is_short_of_space(error):
                raise
            logger.error("%s: the disk is full, and nothing is taken until it is not", self.folder)

    def _with_reserve(self, act: Callable[[], T], needed_bytes: int = 0) -> T:
        while True:
            try:
                return act()
            except BaseException as error:
                self._is_sound = False
                if self._file is not None:
                    self._file.take_back()
                if not (is_short_of_space(error) and self.reserve.give_up(needed_bytes)):
                    raise
            logger.warning("%s: the disk is full; %d reserved bytes are left", self.folder, self.reserve.held_bytes)

    def _write(self, payloads: list[bytes]) -> list[Position]:
        file = self._make_writable()
        if file.end >= self._max_file_bytes and file.record_count:
            self._leave_file()
            file = self._make_writable()
        frames = [encode_frame(FrameKind.RECORD, payload, file.marker) for payload in payloads]
        positions, at = [], file.end
        for frame in frames:
            positions.append(Position(self.name, file.number, at))
            at += len(frame)
        file.write(b"".join(frames))
        self._observe("written")
        started = time.perf_counter()
        file.sync()
        self.last_sync_s = time.perf_counter() - started
        self.sync_s += self.last_sync_s
        self._observe("synced")
        file.acknowledge(at - file.end, len(frames))
        return positions

    def _make_writable(self) -> OpenFile:
        # After a failed write or sync the kernel's view of a file is unknown (a later sync may succeed although pages
        # were dropped), and a reader may have seen what was taken back: the stream goes on in a new file.
        if self._file is not None and self._is_sound:
            return self._file
        if not is_same_file(self.folder / "lock", self._lock_file.fileno()):
            self._take_folder_again()
        self._leave_file()
        self._file = OpenFile(self.folder, self.name, self._next_number, self.last_received_at_us)
        self._next_number += 1
        self._is_sound = True
        return self._file

    def _leave_file(self) -> None:
        if self._file is None:
            return
        if self._file.is_gone():
            logger.error("log file %d of %s is gone, with %d records", *self._file_facts())
            self._file.close()
        else:
            self._file.seal(self.last_received_at_us)
        self._file = None

    def _file_facts(self) -> tuple[int, Path, int]:
        assert self._file is not None
        return self._file.number, self.folder, self._file.record_count

    def _take_folder_again(self) -> None:
        """The folder was taken away and came back, or another came in its place: it is locked and repaired anew."""
        lock_file = lock_stream(self.folder)
        self._lock_file.close()
        self._lock_file = lock_file
        self._leave_file()
        self._repair()

    def _repair(self) -> None:
        """Seal what a crash left open; the next file comes after all that are there, and all that ever were loaded."""
        # A number that is used twice would be taken by the loader for a file that it knows.
        loaded = read_loaded(self.folder.parent).get(self.name)
        self._next_number = max(self._next_number, loaded.file + 1 if loaded else 1)
        for log_file in list_files(self.folder):
            if not log_file.is_sealed:
                repair_tail(log_file.path)
            self._next_number = max(self._next_number, log_file.number + 1)


def lock_stream(folder: Path) -> BinaryIO:
    """Be the one process that writes the stream, until the result is closed. Raises `LogInUse`."""
    lock_file = (folder / "lock").open("ab")
    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock_file.close()
        raise LogInUse(
            f"the log stream {folder} is being written by another process; stop it or use another stream"
        ) from error
    return lock_file


def _last_arrival_us(folder: Path) -> int:
    """The last arrival in the stream, 0 if none: the clock may stand before it."""
    # A crash while a file was begun leaves one without any arrival: look further back.
    arrivals = (survey_file(log_file.path).last_received_at_us for log_file in reversed(list_files(folder)))
    return next(filter(None, arrivals), 0)
