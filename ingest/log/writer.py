"""The log writer: appends records to one stream and says when they are on disk.

Group commit without a timer: while one batch is being synced the next one forms, so an idle log answers at once and a
busy one shares each sync. Nothing is reported durable before its sync returned; what is refused is counted by reason
and never shows up in the log.
"""

import asyncio
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ingest.errors import LogUnavailable, RefusalReason
from ingest.log.loaded import measure_backlog_bytes
from ingest.log.reserve import is_short_of_space
from ingest.log.status import LogState, LogStatus, ReserveState, WriterLimits
from ingest.log.stream import LogStream, WriteStage
from ingest.record import Act, Position, Record, Request, encode_record

__all__ = ["LogWriter", "WriteStage", "system_clock_us"]

logger = logging.getLogger("onepath.log")

# How often the writer looks after its stream: measures the backlog, takes the reserve again, tries a broken disk.
TEND_EVERY_S = 1.0

_SyncFuture = Future[Position]
_LoopFuture = asyncio.Future[Position]
_Waiting = tuple[bytes, _SyncFuture | _LoopFuture]


def system_clock_us() -> int:
    """Now, in microseconds since 1970 UTC."""
    return time.time_ns() // 1000


class _Problem(NamedTuple):
    reason: RefusalReason
    detail: str


class LogWriter:
    """Owns one stream and the thread that writes it.

    `observe` is told of each batch when its bytes are written and when they are synced: the seam for fault tests.
    """

    def __init__(
        self,
        log: Path,
        stream: str,
        *,
        max_file_bytes: int = 64 << 20,
        limits: WriterLimits | None = None,
        clock_us: Callable[[], int] = system_clock_us,
        observe: Callable[[WriteStage], None] = lambda _stage: None,
    ) -> None:
        self.stream = stream
        self._limits = limits or WriterLimits()
        self._log = log
        self._clock_us = clock_us
        self._stream = LogStream(log, stream, max_file_bytes, self._limits.reserved_bytes, observe)
        self._guard = threading.Lock()  # of the queue
        self._waiting: list[_Waiting] = []
        self._waiting_bytes = 0
        self._last_received_at_us = self._stream.last_received_at_us
        self._is_idle = False
        self._will_wake = False
        self._closing = False
        self._signal = threading.Lock()  # held, but for the moment in which it wakes the writer
        self._signal.acquire()
        self._requests_written = self._bytes_written = self._batches_written = self._last_batch_requests = 0
        self._backlog_bytes = 0
        self._refused: Counter[RefusalReason] = Counter()
        self._disk_problem: _Problem | None = None
        self._backlog_problem: _Problem | None = None
        self._tend()
        self._thread = threading.Thread(target=self._run, name=f"log-writer-{stream}", daemon=True)
        self._thread.start()

    def now_us(self) -> int:
        """The writer's clock, for looking at a request before it is appended."""
        return self._clock_us()

    def append(self, entry: Request | Act) -> Position:
        """Append and wait until it is on disk. Raises `LogUnavailable` when it could not be kept."""
        future: _SyncFuture = Future()
        self._enqueue(entry, future)
        self._wake_once()
        return future.result()

    async def append_async(self, entry: Request | Act) -> Position:
        """As `append`, without blocking the event loop. What is queued is written, even if the caller is cancelled."""
        return await self.append_soon(entry)[1]

    def append_soon(self, entry: Request | Act) -> tuple[int, "asyncio.Future[Position]"]:
        """Queue for the disk, in the event loop: when it arrived, and a future of its place once it is kept."""
        loop = asyncio.get_running_loop()
        future: _LoopFuture = loop.create_future()
        received_at_us = self._enqueue(entry, future)
        # The writer is woken when the loop has seen to all that came with this request: woken by the first of them, it
        # would fight the loop for the interpreter, and sync that one alone.
        if not self._will_wake:
            self._will_wake = True
            loop.call_soon(self._wake_once)
        return received_at_us, future

    @property
    def waiting_bytes(self) -> int:
        """Bytes of records that are not on the disk yet: they wait, or are being written."""
        return self._waiting_bytes

    def refusal(self, reason: RefusalReason, detail: str) -> LogUnavailable:
        """A refusal, counted; for the caller to raise."""
        self._refused[reason] += 1
        return LogUnavailable(reason, detail)

    def status(self) -> LogStatus:
        """How the stream stands now; cheap, for any thread."""
        problem, stream, reserve = self._disk_problem or self._backlog_problem, self._stream, self._reserve_state()
        state: LogState = "refusing" if problem else "short_of_space" if reserve in ("in use", "used up") else "ok"
        held = stream.reserve.held_bytes
        short = f"the disk is full; {held} of {stream.reserve.size} reserved bytes are left"
        return LogStatus(
            stream=self.stream,
            state=state,
            problem=problem.detail if problem else short if state == "short_of_space" else None,
            requests_written=self._requests_written,
            bytes_written=self._bytes_written,
            batches_written=self._batches_written,
            last_batch_requests=self._last_batch_requests,
            sync_s=stream.sync_s,
            last_sync_s=stream.last_sync_s,
            waiting_requests=len(self._waiting),
            waiting_bytes=self._waiting_bytes,
            refused=dict(self._refused),
            reserve=reserve,
            reserve_held_bytes=held,
            backlog_bytes=self._backlog_bytes,
        )

    def close(self) -> None:
        """Write what waits, seal the file and free the stream. Safe to call twice."""
        with self._guard:
            if self._closing:
                return
            self._closing = True
            self._wake()
        self._thread.join()
        self._stream.close()

    def _reserve_state(self) -> ReserveState:
        reserve = self._stream.reserve
        if not reserve.size:
            return "none"
        return "whole" if reserve.is_whole else "in use" if reserve.held_bytes else "used up"

    def _enqueue(self, entry: Request | Act, future: _SyncFuture | _LoopFuture) -> int:
        with self._guard:
            self._check_welcome()
            received_at_us = self._last_received_at_us = max(self._clock_us(), self._last_received_at_us + 1)
            request, act = (entry, None) if isinstance(entry, Request) else (None, entry)
            payload = encode_record(Record(received_at_us, request, act))
            self._waiting.append((payload, future))
            self._waiting_bytes += len(payload)
            return received_at_us

    def _check_welcome(self) -> None:
        if self._closing:
            raise self.refusal("shutting_down", f"the log stream {self.stream!r} is closed")
        if self._backlog_problem is not None:
            raise self.refusal(*self._backlog_problem)
        if self._waiting_bytes > self._limits.max_waiting_bytes > 0:
            raise self.refusal("memory_full", f"{self._waiting_bytes} bytes of requests wait for the disk already")

    def _wake_once(self) -> None:
        self._will_wake = False
        with self._guard:
            self._wake()

    def _wake(self) -> None:
        if self._is_idle:
            self._is_idle = False
            self._signal.release()

    # The writer's thread

    def _run(self) -> None:
        while True:
            self._sleep_until_needed()
            if self._limits.group_commit_wait_s and not self._closing:
                time.sleep(self._limits.group_commit_wait_s)
            with self._guard:
                batch, self._waiting, batch_bytes = self._waiting, [], self._waiting_bytes
                self._stream.last_received_at_us = self._last_received_at_us
                is_closing = self._closing
            if batch:
                outcomes = self._commit(batch)
                with self._guard:  # only now is their memory about to be free
                    self._waiting_bytes -= batch_bytes
                _settle(batch, outcomes)
            elif is_closing:
                return
            if time.monotonic() >= self._tend_again_at_s:
                self._tend()

    def _sleep_until_needed(self) -> None:
        with self._guard:
            if self._waiting or self._closing:
                return
            self._is_idle = True
        if self._signal.acquire(timeout=TEND_EVERY_S):
            return
        with self._guard:
            if not self._is_idle:  # woken between the end of the wait and here
                self._signal.acquire()
            self._is_idle = False

    def _commit(self, batch: list[_Waiting]) -> Sequence[Position | LogUnavailable]:
        payloads = [payload for payload, _ in batch]
        try:
            positions = self._stream.write(payloads)
        except Exception as error:  # noqa: BLE001  # whatever it was, nobody must wait for ever; it is told and logged
            problem = self._suffer(error)
            return [self.refusal(*problem) for _ in batch]
        self._recover()
        byte_count = sum(map(len, payloads))
        self._requests_written += len(batch)
        self._bytes_written += byte_count
        self._batches_written += 1
        self._last_batch_requests = len(batch)
        self._weigh_backlog(self._backlog_bytes + byte_count)
        return positions

    def _tend(self) -> None:
        self._tend_again_at_s = time.monotonic() + TEND_EVERY_S
        try:
            self._stream.mend()
        except Exception as error:  # noqa: BLE001  # the thread must live on, whatever became of the disk
            self._suffer(error)
        else:
            self._recover()
        with suppress(OSError):  # the folder may be away; what is written is added in any case
            self._weigh_backlog(measure_backlog_bytes(self._log))

    def _suffer(self, error: Exception) -> _Problem:
        reason: RefusalReason = "disk_full" if is_short_of_space(error) else "log_unwritable"
        # Anybody may read it in `/health`, where nobody is told how the folders of this machine are named.
        why = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        problem = _Problem(reason, f"the log stream {self.stream!r} cannot be written: {why}")
        if problem != self._disk_problem:
            folder = self._log / self.stream
            logger.error("%s cannot be written: %s; requests are refused until it can", folder, why, exc_info=error)
        self._disk_problem = problem
        return problem

    def _recover(self) -> None:
        if self._disk_problem is not None:
            logger.warning("%s can be written again", self._log / self.stream)
            self._disk_problem = None

    def _weigh_backlog(self, backlog_bytes: int) -> None:
        self._backlog_bytes = backlog_bytes
        limit = self._limits.max_backlog_bytes
        if not backlog_bytes > limit > 0:
            self._backlog_problem = None
        elif self._backlog_problem is None:
            detail = f"{backlog_bytes} bytes of the log are not loaded yet, more than {limit}; is the server running?"
            self._backlog_problem = _Problem("backlog_full", detail)
            logger.error("%s Requests are refused until it has caught up", detail)


def _settle(batch: list[_Waiting], outcomes: Sequence[Position | LogUnavailable]) -> None:
    """Tell everybody who waits; those of one event loop with one call, because each call wakes the loop."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[_LoopFuture, Position | LogUnavailable]]] = {}
    for (_, future), outcome in zip(batch, outcomes, strict=True):
        if isinstance(future, Future):
            _tell(future, outcome)
        else:
            loops.setdefault(future.get_loop(), []).append((future, outcome))
    for loop, pairs in loops.items():
        try:
            loop.call_soon_threadsafe(_tell_all, pairs)
        except RuntimeError:  # the loop is closed: those who waited are gone, what they sent is in the log
            logger.warning("%d requests were written, but their event loop is closed", len(pairs))


def _tell_all(pairs: list[tuple[_LoopFuture, Position | LogUnavailable]]) -> None:
    for future, outcome in pairs:
        _tell(future, outcome)


def _tell(future: _SyncFuture | _LoopFuture, outcome: Position | LogUnavailable) -> None:
    if future.done():  # cancelled meanwhile
        return
    if isinstance(outcome, LogUnavailable):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
