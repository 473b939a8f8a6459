"""The collector's workers: several processes behind one port, each with a log stream of its own.

They share the listening socket, so that connections which wait while a worker dies are taken by the others. A worker
that dies is started again; they end in order, one after the other, while the rest go on receiving.
"""

import functools
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from api.services.announcing import say_where
from api.services.running import ServiceFailed, bind, end_by_signal, serve_on
from api.settings import Settings
from ingest.receiving.asgi import ASGIApp

logger = logging.getLogger("onepath.workers")

STOP_TIMEOUT_S = 30.0
# A worker that ends by itself sooner than this never worked: its reason would only come again.
_SETTLED_AFTER_S = 60.0
# One that keeps being killed is not started more often than this.
_RESTART_EVERY_S = 1.0
_POLL_S = 0.1
_BACKLOG = 2048


def worker_settings(settings: Settings, number: int) -> Settings:
    """The settings of the n-th worker; the streams are `collector`, `collector-2`, `collector-3` and so on."""
    if number == 1:
        return settings
    return replace(settings, collector=replace(settings.collector, stream=f"{settings.collector.stream}-{number}"))


def run_workers(settings: Settings) -> None:
    """Keep as many workers running as are set, until SIGINT or SIGTERM. Raises `ServiceFailed`."""
    signal.signal(signal.SIGTERM, end_by_signal)
    place = settings.collector
    with bind("collect", place.host, place.port) as listener:
        listener.listen(_BACKLOG)
        workers = [Worker(settings, number, listener) for number in range(1, place.workers + 1)]
        try:
            while True:
                for worker in workers:
                    worker.keep_running()
                time.sleep(_POLL_S)
        except KeyboardInterrupt:
            logger.info("stopping %d workers", len(workers))
        finally:
            for worker in workers:
                worker.stop()


class Worker:
    """One worker's process, started again when it dies."""

    def __init__(self, settings: Settings, number: int, listener: socket.socket) -> None:
        self._settings = settings
        self._number = number
        self._listener = listener
        self._process = self._start()

    def keep_running(self) -> None:
        """Start it again if it died. Raises `ServiceFailed` when it ended by itself before it could have worked."""
        status = self._process.poll()
        ran_s = time.monotonic() - self._started_at_s
        if status is None or (ran_s < _RESTART_EVERY_S and status < 0):
            return
        if status >= 0 and ran_s < _SETTLED_AFTER_S:
            raise ServiceFailed(f"worker {self._number} of `onepath collect` did not start; its reason stands above")
        logger.error("worker %d (process %d) ended with status %d", self._number, self._process.pid, status)
        self._close_pipe()
        self._process = self._start()

    def stop(self) -> None:
        """Let it end what it is at; kill it when that takes too long."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._close_pipe()

    def _start(self) -> "subprocess.Popen[bytes]":
        settings = self._settings
        descriptor = self._listener.fileno()
        arguments = [
            *(sys.executable, "-P", "-m", "api.cli", "collect", "--data", str(settings.data)),
            *("--collector-port", str(settings.collector.port), "--server-port", str(settings.server.port)),
            *("--worker", str(self._number), "--listener", str(descriptor)),
        ]
        self._started_at_s = time.monotonic()
        # A session of its own: Ctrl-C reaches the parent alone. The pipe tells the worker when the parent is gone.
        process = subprocess.Popen(arguments, start_new_session=True, stdin=subprocess.PIPE, pass_fds=[descriptor])
        logger.info("worker %d is process %d", self._number, process.pid)
        return process

    def _close_pipe(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()


def run_worker(settings: Settings, number: int, descriptor: int, create: Callable[[Settings], ASGIApp]) -> None:
    """Be the n-th worker, on the listening socket that was inherited, for as long as the parent lives."""
    threading.Thread(target=_end_with_parent, name="parent-watch", daemon=True).start()
    own = worker_settings(settings, number)
    say = functools.partial(say_where, own) if number == 1 else lambda: None
    with socket.socket(fileno=descriptor) as listener:
        serve_on(listener, "collect", lambda: create(own), own.collector.request_timeout_s, say)


def _end_with_parent() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
