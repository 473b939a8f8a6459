"""A folder of Onepath: told a story, asked by the commands, and with both services on it where a test wants them."""

import contextlib
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import httpx

from api.cli import main
from api.commands.common import settings_of
from ingest.log.writer import LogWriter, system_clock_us
from ingest.record import Request
from tests.waiting import DEADLINE_S, until


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Done:
    """What a command printed, and its exit status."""

    returncode: int
    stdout: str
    stderr: str


class House:
    """Both services on a folder, started as `onepath up` does."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.ports = (free_port(), free_port())
        self.collector = f"http://127.0.0.1:{self.ports[0]}"
        self.server = f"http://127.0.0.1:{self.ports[1]}"
        self.project = f"{self.server}/api/v1/projects/default"

    def cli(self, *arguments: str, **environment: str) -> Done:
        """Run `onepath` on this folder, inside this process: its libraries are loaded already."""
        command = ["onepath", *arguments, "--data", str(self.data)]
        stdout, stderr, status = io.StringIO(), io.StringIO(), 0
        with (
            patch.object(sys, "argv", command),
            patch.dict(os.environ, {"COLUMNS": "100", **environment}),
            contextlib.redirect_stdout(stdout),
            contextlib.redirect_stderr(stderr),
        ):
            try:
                main()
            except SystemExit as end:
                status = int(end.code or 0)
        return Done(status, stdout.getvalue(), stderr.getvalue())

    @contextmanager
    def up(self) -> Iterator[None]:
        ports = ["--collector-port", str(self.ports[0]), "--server-port", str(self.ports[1])]
        command = [sys.executable, "-m", "api.cli", "up", "--data", str(self.data), *ports]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            self._wait(process)
            yield
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(DEADLINE_S) == 0

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        def answers() -> bool:
            assert process.poll() is None, "onepath up ended"
            with contextlib.suppress(httpx.HTTPError):
                return httpx.get(f"{self.server}/health").is_success
            return False

        until(answers, "the server answers", every_s=0.05)


def wait_for(house: House, sql: str) -> None:
    """Return when the statement's first value is true."""
    until(lambda: bool(httpx.post(f"{house.project}/sql", json={"sql": sql}).json()["rows"][0][0]), sql)


def keep(data: Path, *requests: Request, clock_us: Callable[[], int] = system_clock_us) -> None:
    """Write into the folder's log what a collector would have kept of these requests."""
    writer = LogWriter(data / "log", "collector", clock_us=clock_us)
    for request in requests:
        writer.append(request)
    writer.close()


def told_house(data: Path, *requests: Request, clock_us: Callable[[], int] = system_clock_us) -> House:
    """A new folder in which these requests are loaded, which came when the clock says."""
    settings_of(data)
    keep(data, *requests, clock_us=clock_us)
    house = House(data)
    assert house.cli("load", "--once").returncode == 0
    return house


def house_like(template: House, data: Path) -> House:
    """A folder of a test's own, with all that the template holds."""
    shutil.copytree(template.data, data)
    return House(data)
