"""The loops of the server: loading the log as it grows, and refreshing the marts that loads touched."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from apscheduler.schedulers.background import BackgroundScheduler

from warehouse.load import Loader

logger = logging.getLogger("onepath.loading")

LoadingState = Literal["idle", "loading", "failing", "stopped"]


@dataclass(frozen=True)
class LoadingStatus:
    """What loading is doing; `problem` is the last failure while it lasts."""

    state: LoadingState
    problem: str | None = None


class LoadLoop:
    """A thread that loads whenever the log has grown. A failure is kept in `status`, and tried again."""

    def __init__(self, loader: Loader, poll_s: float) -> None:
        self._loader = loader
        self._poll_s = poll_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load-loop", daemon=True)
        self.status = LoadingStatus("idle")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End after the load under way."""
        self._stop.set()
        self._thread.join()
        self.status = LoadingStatus("stopped")

    def _run(self) -> None:
        while not self._stop.is_set():
            if not self._load_once():
                self._stop.wait(self._poll_s)

    def _load_once(self) -> bool:
        try:
            report = self._loader.load_next()
        except Exception as error:  # a loop that ends in silence would be worse than any failure
            if str(error) != self.status.problem:
                logger.exception("loading failed and is tried again")
            self.status = LoadingStatus("failing", str(error))
            return False
        self.status = LoadingStatus("loading" if report else "idle")
        return report is not None


def schedule_refresh(refresh: Callable[[], None], every_s: float) -> BackgroundScheduler:
    """Run `refresh` again and again; one that is still running is not started twice. Shut the result down."""
    scheduler = BackgroundScheduler(timezone="UTC")
    scheduler.add_job(refresh, "interval", seconds=every_s, max_instances=1, coalesce=True, misfire_grace_time=None)
    scheduler.start()
    return scheduler
