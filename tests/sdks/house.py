"""A house for the clients: a real collector, the drivers' processes, and the public views after loading."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from api.settings import read_settings
from tests.sdks.scenario import ZONE, Json, story
from tests.waiting import DEADLINE_S, until
from warehouse.load import Loader
from warehouse.warehouse import Warehouse

ROOT = Path(__file__).parents[2]
_EVENTS = "select * replace (cast(to_json(properties) as varchar) as properties) from events order by log_order"
DRIVER_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Run:
    """One client in one mode, which tells the story with people of its own; `alone`: in a process of its own."""

    client: str
    mode: str
    driver: tuple[str, ...]
    alone: bool = False

    @property
    def name(self) -> str:
        """A name for people and properties: letters, digits and dashes."""
        return "-".join(re.findall("[a-z0-9]+", f"{self.client} {self.mode}"))


@dataclass(frozen=True)
class Views:
    """The rows of the public views that the clients' content must stand in."""

    events: list[Json]
    calls: list[Json]
    persons: list[Json]
    accounts: list[Json]
    identities: list[Json]
    rejects: list[Json]


@contextmanager
def collecting(data: Path, **environment: str) -> Iterator[str]:
    """A real `onepath collect` on a free port; yields its address."""
    port = free_port()
    command = [sys.executable, "-m", "api.cli", "collect", "--data", str(data), "--collector-port", str(port)]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | environment) as child:
        try:
            until(lambda: _is_healthy(port, child), "the collector answers")
            yield f"http://127.0.0.1:{port}"
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(DEADLINE_S)


def drive(runs: Sequence[Run], url: str) -> dict[str, Json]:
    """Let every driver tell its stories, drivers side by side; what each run said it meant, by the run's name."""
    processes: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        processes.setdefault((*run.driver, run.mode if run.alone else ""), []).append(run)
    children = [(mine, _start_driver(mine, url)) for mine in processes.values()]
    said: dict[str, Json] = {}
    for mine, child in children:
        said |= _reports(mine, child)
    return said


def load(data: Path) -> Views:
    """Load the log the collector wrote, and read the views."""
    settings = read_settings(data)
    warehouse = Warehouse(settings.warehouse_path, settings.project.project, settings.warehouse)
    Loader(warehouse, settings.log_folder, settings.decode).load_all()
    with closing(warehouse), warehouse.snapshot() as snapshot:

        def rows(sql: str) -> list[Json]:
            found: list[Json] = snapshot.query(sql).to_pylist()
            return found

        return Views(
            events=[_unfolded(row) for row in rows(_EVENTS)],
            calls=rows("select * from calls order by log_order"),
            persons=rows("select * from persons"),
            accounts=rows("select * from accounts"),
            identities=rows("select * from identities order by incarnation"),
            rejects=rows("select * from rejects"),
        )


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _unfolded(row: Json) -> Json:
    """An event with its properties as they were sent, as far as a view keeps them."""
    return row | {name: json.loads(row[name] or "{}") for name in ("properties", "other_properties")}


def _start_driver(runs: Sequence[Run], url: str) -> subprocess.Popen[str]:
    plan = [{"story": story(run.name), "url": url, "mode": run.mode} for run in runs]
    child = subprocess.Popen(
        runs[0].driver,
        cwd=ROOT,
        env=os.environ | {"TZ": ZONE},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None
    child.stdin.write(json.dumps(plan))
    child.stdin.close()
    child.stdin = None
    return child


def _reports(runs: Sequence[Run], child: subprocess.Popen[str]) -> dict[str, Json]:
    output, _ = child.communicate(timeout=DRIVER_TIMEOUT_S)
    assert child.returncode == 0, f"{runs[0].driver} ended with {child.returncode}: {output[-2000:]}"
    reports: list[Any] = json.loads(output.strip().rsplit("\n", 1)[-1])  # splitlines() would cut at U+2028
    return {run.name: report for run, report in zip(runs, reports, strict=True)}


def _is_healthy(port: int, child: subprocess.Popen[bytes]) -> bool:
    assert child.poll() is None, "the collector ended at its start"
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health", timeout=2).is_success
    except httpx.HTTPError:
        return False
