"""The services under test: real processes on one data folder, started again and again, killed without goodbye."""

import atexit
import contextlib
import http.client
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path
from typing import Literal

import msgspec

from api.settings import Settings, read_settings
from tests.fault_launcher import Errand, Order
from tests.waiting import until

ServiceName = Literal["collect", "serve"]
LOOK_EVERY_S = 0.01


def free_port() -> int:
    """A port that stays free while its service is dead: below those that the kernel gives to outgoing connections.

    From among them, a client dialling a dead service could be given that very port, and speak with itself.
    """
    while True:
        port = random.SystemRandom().randrange(15_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@dataclass
class House:
    """A data folder, its two ports, and how its services are set."""

    data: Path
    overrides: dict[str, int | float | str] = field(default_factory=dict)
    clock: Path | None = None
    collector_port: int = field(default_factory=free_port)
    server_port: int = field(default_factory=free_port)

    @property
    def settings(self) -> Settings:
        """The settings that the services run with."""
        return read_settings(
            self.data, {**self.overrides, "collector.port": self.collector_port, "server.port": self.server_port}, {}
        )

    @contextmanager
    def running(self, name: ServiceName) -> "Iterator[Service]":
        """The service, alive and answering; killed at the end of the block."""
        service = Service(self, name)
        try:
            service.start()
            service.wait_until_healthy()
            yield service
        finally:
            service.kill()


class Service:
    """One service of a house, in as many lives as it takes."""

    def __init__(self, house: House, name: ServiceName) -> None:
        self.name = name
        self.port = house.collector_port if name == "collect" else house.server_port
        self._house = house
        self._order = house.data.with_name(f"{house.data.name}-{name}-order")
        self._trace = house.data.with_name(f"{house.data.name}-{name}-trace")
        self._numbers = count(1)
        self.pid = 0

    @property
    def is_alive(self) -> bool:
        # A killed process is gone when its last thread is; until then it still holds its port and its locks.
        return self.pid > 0 and _stat(self.pid) != []

    def start(self) -> None:
        """A new life, with no order to die."""
        self._order.unlink(missing_ok=True)
        self._trace.unlink(missing_ok=True)
        errand = Errand(
            service=self.name,
            data=str(self._house.data),
            collector_port=self._house.collector_port,
            server_port=self._house.server_port,
            order=str(self._order),
            trace=str(self._trace),
            clock=str(self._house.clock) if self._house.clock is not None else None,
            overrides=self._house.overrides,
        )
        self.pid = _launch(errand)

    def wait_until_healthy(self) -> None:
        """Return when it answers; it must not have died."""

        def answers() -> bool:
            assert self.is_alive, f"{self.name} ended by itself"
            return self.is_healthy()

        until(answers, f"{self.name} answers")

    def is_healthy(self) -> bool:
        """Whether `/health` answers 200 within some seconds."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def kill(self) -> None:
        """SIGKILL from outside; safe when it is dead already."""
        if self.is_alive:
            kill_process(self.pid)
            until(lambda: not self.is_alive, f"{self.name} is dead")

    def die_at(self, stage: str, times: int, within_s: float) -> str:
        """Let it kill itself at the n-th `stage` from now; returns where it died, "outside" when it was never there."""
        order = Order(next(self._numbers), stage, times)
        draft = self._order.with_suffix(".draft")
        draft.write_bytes(msgspec.json.encode(order))
        draft.rename(self._order)
        deadline = time.monotonic() + within_s
        while self.is_alive and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY_S)
        self.kill()
        return self._trace.read_text(encoding="utf-8") if self._trace.exists() else "outside"

    def decoder_pid(self) -> int | None:
        """The server's decoder child; None while there is none."""
        return next((pid for pid in _children(self.pid) if b"warehouse.decoder" in _command(pid)), None)


@cache
def _launcher() -> "subprocess.Popen[bytes]":
    """The process that all services are forked from, until this one ends."""
    launcher = subprocess.Popen(
        [sys.executable, "-m", "tests.fault_launcher"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )

    def end() -> None:
        launcher.communicate()

    atexit.register(end)
    return launcher


def _launch(errand: Errand) -> int:
    launcher = _launcher()
    assert launcher.stdin is not None
    assert launcher.stdout is not None
    launcher.stdin.write(msgspec.json.encode(errand) + b"\n")
    launcher.stdin.flush()
    return int(launcher.stdout.readline())


def is_working(pid: int) -> bool:
    """Whether a process computes right now, rather than waits."""
    return _stat(pid)[:1] == ["R"]


def kill_process(pid: int) -> None:
    """SIGKILL; a process that is gone already stays gone."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _children(parent: int) -> list[int]:
    """The living children of a process."""
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [pid for pid in pids if (stat := _stat(pid)) and stat[0] != "Z" and int(stat[1]) == parent]


def _stat(pid: int) -> list[str]:
    """State, parent and what follows in /proc/PID/stat; empty when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""
