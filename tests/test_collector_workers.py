"""Several workers behind one port: each writes a stream of its own, and one that dies costs nothing acknowledged."""

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import httpx

from api.settings import read_settings
from ingest.log.writer import LogWriter
from tests.collector_process import CollectorProcess, collecting
from tests.fault_services import free_port
from tests.waiting import DEADLINE_S, until

CLIENTS = 4


def worker_pids(collector: CollectorProcess) -> list[int]:
    """The processes of the workers, in no order."""
    children = Path(f"/proc/{collector.process.pid}/task/{collector.process.pid}/children").read_text().split()
    return [int(pid) for pid in children]


class Teachers:
    """Clients that send one event after the other, each again until it is acknowledged; new connections each time."""

    def __init__(self, url: str) -> None:
        self.acknowledged: Counter[str] = Counter()
        self._url = url
        self._enough = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(number,)) for number in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._enough.set()
        for thread in self._threads:
            thread.join(DEADLINE_S)
            assert not thread.is_alive()

    def _send(self, client: int) -> None:
        number = 0
        while not self._enough.is_set():
            name = f"client {client} event {number}"
            event = {"event_name": name, "identities": {"$identity_login_id": f"teacher-{client}"}}
            try:
                answer = httpx.post(f"{self._url}/events", json=event, timeout=5)
            except httpx.TransportError:
                continue  # the same event again
            if answer.status_code == 200:
                self.acknowledged[name] += 1
                number += 1


def test_two_workers_keep_everything_acknowledged_while_one_is_killed(tmp_path: Path) -> None:
    with collecting(tmp_path / "data", "--workers", "2") as collector:
        until(lambda: len(worker_pids(collector)) == 2, "both workers run")
        teachers = Teachers(collector.url)
        until(lambda: teachers.acknowledged.total() > 50, "events are acknowledged")
        victim = worker_pids(collector)[0]
        os.kill(victim, signal.SIGKILL)
        until(lambda: len(set(worker_pids(collector)) - {victim}) == 2, "another worker takes its place")
        so_far = teachers.acknowledged.total()
        until(lambda: teachers.acknowledged.total() > so_far + 50, "more events are acknowledged")
        teachers.stop()
    assert collector.process.returncode == 0
    streams = sorted(path.name for path in (tmp_path / "data" / "log").iterdir() if path.is_dir())
    assert streams == ["collector", "collector-2"]
    found = collector.event_names()
    # A worker killed between writing and answering leaves an event whose sender comes again: at most one a client.
    assert set(teachers.acknowledged) <= set(found)
    assert found.total() - teachers.acknowledged.total() <= CLIENTS


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    with collecting(tmp_path / "data", "--workers", "2") as collector:
        until(lambda: len(worker_pids(collector)) == 2, "both workers run")
        pids = worker_pids(collector)
        collector.process.kill()
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), "the workers are gone")


def test_stream_that_another_process_writes_is_a_clear_error(tmp_path: Path) -> None:
    read_settings(tmp_path / "data", environment={})  # makes the folder, as an earlier start did
    other = LogWriter(tmp_path / "data" / "log", "collector-2")
    command = [sys.executable, "-P", "-m", "api.cli", "collect", "--data", str(tmp_path / "data"), "--workers", "2"]
    ended = subprocess.run(
        [*command, "--collector-port", str(free_port())],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    other.close()
    assert ended.returncode == 1
    assert "collector-2 is being written by another process; stop it or use another stream" in ended.stderr
    assert "worker 2 of `onepath collect` did not start; its reason stands above" in " ".join(ended.stderr.split())
