"""The loops of the server: loading the log as it grows, and refreshing the marts that loads touched."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from apscheduler.schedulers.background import BackgroundScheduler

from ingest.log.loaded import write_loaded
from warehouse.load import Loader, LoadReport
from warehouse.one_id.graph import compile_kernel
from warehouse.warehouse import Warehouse

logger = logging.getLogger("onepath.loading")

# How often the collector learns how far the log is loaded.
TELL_EVERY_S = 1.0

LoadingState = Literal["idle", "loading", "failing", "stopped"]


@dataclass(frozen=True)
class LoadingStatus:
    """What loading is doing; `problem` is the last failure while it lasts.

    It may quote what was sent: whoever knows no token is told its `kind` alone.
    """

    state: LoadingState
    problem: str | None = None
    kind: str | None = None


class LoadLoop:
    """A thread that loads whenever the log has grown. A failure is kept in `status`, and tried again.

    `loaded` is told of each load with its seconds, `failed` of each failure. `tell` makes known how far the log is
    loaded: soon after each load, but not more often than once a second.
    """

    def __init__(
        self,
        loader: Loader,
        poll_s: float,
        loaded: Callable[[LoadReport, float], None] = lambda _report, _seconds: None,
        failed: Callable[[], None] = lambda: None,
        tell: Callable[[], None] = lambda: None,
    ) -> None:
        self._loader = loader
        self._loaded = loaded
        self._failed = failed
        self._tell = tell
        self._is_untold = True
        self._tell_again_at_s = 0.0
        self._poll_s = poll_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load-loop", daemon=True)
        self.status = LoadingStatus("idle")

    def start(self) -> None:
        # Beside the loop, and left behind by `stop`: compiling for the first time takes longer than anyone waits.
        threading.Thread(target=compile_kernel, name="compile-kernel", daemon=True).start()
        self._thread.start()

    def stop(self) -> None:
        """End after the load under way."""
        self._stop.set()
        self._thread.join()
        self.status = LoadingStatus("stopped")

    def _run(self) -> None:
        while not self._stop.is_set():
            is_idle = not self._load_once()
            self._tell_at_times()
            if is_idle:
                self._stop.wait(self._poll_s)

    def _tell_at_times(self) -> None:
        if not self._is_untold or time.monotonic() < self._tell_again_at_s:
            return
        self._tell_again_at_s = time.monotonic() + TELL_EVERY_S
        try:
            self._tell()
            self._is_untold = False
        except Exception:  # the disk may be full; loading goes on, and the next try may succeed
            logger.exception("how far the log is loaded cannot be made known, and is tried again")

    def _load_once(self) -> bool:
        began_s = time.perf_counter()
        try:
            report = self._loader.load_next()
        except Exception as error:  # a loop that ends in silence would be worse than any failure
            if str(error) != self.status.problem:
                logger.exception("loading failed and is tried again")
            self.status = LoadingStatus("failing", str(error) or repr(error), type(error).__name__)
            self._failed()
            return False
        if report is not None:
            self._is_untold = True
            self._loaded(report, time.perf_counter() - began_s)
        self.status = LoadingStatus("loading" if report else "idle")
        return report is not None


def tell_loaded(warehouse: Warehouse, log: Path) -> None:
    """Write beside the log how far it is loaded; the collector's limit on the backlog counts from there."""
    with warehouse.snapshot() as snapshot:
        marks = snapshot.marks()
    if marks:
        write_loaded(log, {stream: (mark.file, mark.offset) for stream, mark in marks.items()})


def schedule_refresh(refresh: Callable[[], None], every_s: float) -> BackgroundScheduler:
    """Run `refresh` again and again; one that is still running is not started twice. Shut the result down."""
    scheduler = BackgroundScheduler(timezone="UTC")
    scheduler.add_job(refresh, "interval", seconds=every_s, max_instances=1, coalesce=True, misfire_grace_time=None)
    scheduler.start()
    return scheduler
