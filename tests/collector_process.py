"""`onepath collect` as a real process, for tests that point real clients at it."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from ingest.decode import decode
from ingest.log.files import list_streams, read_records
from ingest.record import Record
from ingest.settings import DecodeSettings
from tests.fault_services import free_port
from tests.waiting import DEADLINE_S, until


@dataclass
class CollectorProcess:
    """A running collector and the log it writes."""

    data: Path
    url: str
    process: "subprocess.Popen[bytes]"

    def told(self, path: str = "/health") -> dict[str, Any]:
        answer: dict[str, Any] = httpx.get(self.url + path, timeout=5).json()
        return answer

    def answers(self) -> bool:
        assert self.process.poll() is None, "the collector ended by itself"
        try:
            return httpx.get(f"{self.url}/health", timeout=5).is_success
        except httpx.HTTPError:
            return False

    def event_names(self) -> Counter[str]:
        """How often each event stands in the log, all streams together."""
        names: Counter[str] = Counter()
        for stream in list_streams(self.data / "log"):
            for _, _, entry in read_records(self.data / "log", stream, 0, 0, 1 << 30):
                assert isinstance(entry, Record), entry
                names.update(str(each.event_name) for each in decode(entry, DecodeSettings()).messages)
        return names


@contextmanager
def collecting(data: Path, *options: str, **settings: float) -> Iterator[CollectorProcess]:
    """The collector on `data`, ended by SIGTERM; `settings` are those of the section `collector`."""
    port = free_port()
    environment = {f"ONEPATH_COLLECTOR__{name.upper()}": str(value) for name, value in settings.items()}
    command = [sys.executable, "-P", "-m", "api.cli", "collect", "--data", str(data), "--collector-port", str(port)]
    process = subprocess.Popen([*command, *options], env={**os.environ, **environment})
    collector = CollectorProcess(data, f"http://127.0.0.1:{port}", process)
    try:
        until(collector.answers, "the collector answers")
        yield collector
    finally:
        process.terminate()
        process.wait(DEADLINE_S)
