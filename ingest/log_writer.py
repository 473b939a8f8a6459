"""The log writer: appends records to one stream and says when they are on disk.

Group commit without a timer: while one batch is being synced the next one forms, so an idle log answers at once and a
busy one shares each fsync. Nothing is reported durable before its fsync returned; after a failed write nothing
unreported stays behind in the file.
"""

import asyncio
import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

from ingest.errors import LogInUse, LogUnavailable
from ingest.frame import FrameKind, encode_frame
from ingest.log_files import (
    OPEN_SUFFIX,
    SEALED_SUFFIX,
    Opening,
    Seal,
    file_path,
    list_files,
    repair_tail,
    survey_file,
    sync_folder,
)
from ingest.record import Act, Position, Record, Request, encode_record

logger = logging.getLogger("onepath.log")

WriteStage = Literal["written", "synced"]
Settle = Callable[[Position | Exception], None]


def system_clock_us() -> int:
    """Now, in microseconds since 1970 UTC."""
    return time.time_ns() // 1000


class LogWriter:
    """Owns one stream's folder: its lock, its open file and the thread that writes it.

    `observe` is told of each batch when its bytes are written and when they are synced: the seam for fault tests.
    """

    def __init__(
        self,
        log: Path,
        stream: str,
        *,
        max_file_bytes: int = 64 << 20,
        clock_us: Callable[[], int] = system_clock_us,
        observe: Callable[[WriteStage], None] = lambda _stage: None,
    ) -> None:
        self.stream = stream
        self._folder = log / stream
        self._folder.mkdir(parents=True, exist_ok=True)
        for parent in (log, log.parent):  # a synced file is only as durable as the names that lead to it
            sync_folder(parent)
        self._lock_file = _lock_stream(self._folder)
        self._max_file_bytes = max_file_bytes
        self._clock_us = clock_us
        self._observe = observe
        self._last_received_at_us, next_number = _recover(self._folder)
        self._waiting: list[tuple[bytes, Settle]] = []
        self._wake = threading.Condition()
        self._closing = False
        self._is_broken = False
        self._open_file(next_number)
        self._thread = threading.Thread(target=self._run, name=f"log-writer-{stream}", daemon=True)
        self._thread.start()

    def now_us(self) -> int:
        """The writer's clock, for looking at a request before it is appended."""
        return self._clock_us()

    def append(self, entry: Request | Act) -> Position:
        """Append and wait until it is on disk. Raises `LogUnavailable` when it could not be kept."""
        future: Future[Position] = Future()

        def settle(outcome: Position | Exception) -> None:
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

        self._enqueue(entry, settle)
        return future.result()

    async def append_async(self, entry: Request | Act) -> Position:
        """As `append`, without blocking the event loop."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Position] = loop.create_future()

        def settle_in_loop(outcome: Position | Exception) -> None:
            if future.cancelled():
                return
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

        def settle(outcome: Position | Exception) -> None:
            loop.call_soon_threadsafe(settle_in_loop, outcome)

        self._enqueue(entry, settle)
        return await future

    def close(self) -> None:
        """Write what waits, seal the file and free the stream. Safe to call twice."""
        with self._wake:
            if self._closing:
                return
            self._closing = True
            self._wake.notify()
        self._thread.join()
        with suppress(OSError):  # what cannot be sealed now is repaired by the next start
            if not self._is_broken:
                self._seal_file()
            self._file.close()
        self._lock_file.close()

    def _enqueue(self, entry: Request | Act, settle: Settle) -> None:
        with self._wake:
            if self._closing:
                raise LogUnavailable(f"the log stream {self.stream!r} is closed")
            self._last_received_at_us = max(self._clock_us(), self._last_received_at_us + 1)
            request, act = (entry, None) if isinstance(entry, Request) else (None, entry)
            payload = encode_record(Record(self._last_received_at_us, request, act))
            self._waiting.append((encode_frame(FrameKind.RECORD, payload), settle))
            self._wake.notify()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._waiting and not self._closing:
                    self._wake.wait()
                if not self._waiting:
                    return
                batch, self._waiting = self._waiting, []
            for outcome, settle in self._commit(batch):
                settle(outcome)

    def _commit(self, batch: list[tuple[bytes, Settle]]) -> list[tuple[Position | Exception, Settle]]:
        try:
            if self._is_broken:
                self._replace_broken_file()
            elif self._end >= self._max_file_bytes:
                self._rotate()
            outcomes: list[tuple[Position | Exception, Settle]] = []
            at = self._end
            for frame, settle in batch:
                outcomes.append((Position(self.stream, self._number, at), settle))
                at += len(frame)
            self._write(b"".join(frame for frame, _ in batch))
        except Exception as error:  # whatever it was, nobody must wait for ever
            logger.exception("the log stream %s cannot be written", self.stream)
            self._is_broken = True
            self._take_back()
            refusal = LogUnavailable(f"{self._folder} cannot be written: {error}")
            return [(refusal, settle) for _, settle in batch]
        self._record_count += len(batch)
        return outcomes

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._file.fileno(), view) :]
        self._observe("written")
        os.fsync(self._file.fileno())
        self._observe("synced")
        self._end += len(data)

    def _take_back(self) -> None:
        # Soon, so that a reader has little time to see what was refused; surely before anything else is written.
        with suppress(OSError):
            os.truncate(file_path(self._folder, self._number, OPEN_SUFFIX), self._end)

    def _replace_broken_file(self) -> None:
        # After a failed write or fsync the kernel's view of the file is unknown (a later fsync may succeed although
        # pages were dropped), so what was not acknowledged is cut off and the stream goes on in a new file.
        self._file.close()
        path = file_path(self._folder, self._number, OPEN_SUFFIX)
        if path.exists():
            os.truncate(path, self._end)
            repair_tail(path)
        self._open_file(self._number + 1)
        self._is_broken = False

    def _open_file(self, number: int) -> None:
        path = file_path(self._folder, number, OPEN_SUFFIX)
        self._number, self._end, self._record_count = number, 0, 0
        self._file: BinaryIO = path.open("xb", buffering=0)
        opening = Opening(self.stream, number, self._last_received_at_us)
        frame = encode_frame(FrameKind.OPENING, msgspec.msgpack.encode(opening))
        self._file.write(frame)
        os.fsync(self._file.fileno())
        sync_folder(self._folder)
        self._end = len(frame)

    def _seal_file(self) -> None:
        seal = Seal(self._record_count, self._last_received_at_us)
        self._file.write(encode_frame(FrameKind.SEAL, msgspec.msgpack.encode(seal)))
        os.fsync(self._file.fileno())
        self._file.close()
        path = file_path(self._folder, self._number, OPEN_SUFFIX)
        path.rename(path.with_suffix(SEALED_SUFFIX))
        sync_folder(self._folder)

    def _rotate(self) -> None:
        self._seal_file()
        self._open_file(self._number + 1)


def _lock_stream(folder: Path) -> BinaryIO:
    lock_file = (folder / "lock").open("ab")
    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock_file.close()
        raise LogInUse(
            f"the log stream {folder} is being written by another process; stop it or use another stream"
        ) from error
    return lock_file


def _recover(folder: Path) -> tuple[int, int]:
    """Repair what a crash left; returns the last arrival in the stream (0 if none) and the next file's number."""
    for log_file in list_files(folder):
        if not log_file.is_sealed:
            repair_tail(log_file.path)
    files = list_files(folder)
    # A crash while a file was begun leaves one without any arrival: look further back.
    arrivals = (survey_file(log_file.path).last_received_at_us for log_file in reversed(files))
    return next(filter(None, arrivals), 0), files[-1].number + 1 if files else 1
