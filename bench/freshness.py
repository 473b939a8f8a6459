"""Freshness: from the answer to a request until a query sees its event, under a steady load, with real services.

A sender posts batches at a fixed rate; beside it a probe posts one event at a time and asks until it is there.
"""

import itertools
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from api.services.running import both_services
from api.settings import read_settings
from bench.collecting import free_port
from bench.events import native_requests
from bench.timing import out, show, show_disk

EVENTS_PER_S, BATCH = 5_000, 100
SECONDS = 30.0
GOAL_S = 2.0


def run() -> None:
    """Print the delay's median and 99th percentile while 5,000 events a second arrive."""
    with tempfile.TemporaryDirectory() as folder:
        ports = {"collector.port": free_port(), "server.port": free_port()}
        settings = read_settings(Path(folder) / "data", ports)
        collector, server = (f"http://127.0.0.1:{port}" for port in ports.values())
        show_disk(Path(folder))
        with both_services(settings) as services:
            services.wait_until_healthy()
            with SteadyLoad(collector) as load:
                delays = sorted(probe(collector, server, until_s=time.monotonic() + SECONDS))
    p99 = delays[min(len(delays) - 1, int(len(delays) * 0.99))]
    row = (
        f"{load.sent / SECONDS:,.0f}",
        f"{len(delays)}",
        f"{delays[len(delays) // 2]:.2f}",
        f"{p99:.2f}",
        f"{delays[-1]:.2f}",
        f"{p99 / GOAL_S:.2f} x",
    )
    columns = ("events/s", "probes", "median s", "p99 s", "worst s", f"p99 / {GOAL_S:g} s")
    show("Answer to queryable, collector and server on this machine", columns, [row])
    out.print()


class SteadyLoad:
    """Posts batches at the fixed rate in a thread of its own; `sent` counts the events that were answered."""

    def __init__(self, collector: str) -> None:
        self.sent = 0
        self._url = f"{collector}/events"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._post)

    def __enter__(self) -> "SteadyLoad":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _post(self) -> None:
        bodies = [request.body for request in native_requests(EVENTS_PER_S * 10, BATCH)]
        began = time.monotonic()
        with httpx.Client(timeout=30) as client:
            for number, body in enumerate(itertools.cycle(bodies)):
                if self._stop.wait(max(0.0, began + number * BATCH / EVENTS_PER_S - time.monotonic())):
                    return
                lap = number // len(bodies)  # keys of their own each time round, or all would be duplicates
                client.post(self._url, content=body.replace(b'"dedupe_key":"', b'"dedupe_key":"%d-' % lap))
                self.sent += BATCH


def probe(collector: str, server: str, *, until_s: float) -> Iterator[float]:
    """Seconds from the answer to one event until a query counts it, again and again."""
    with httpx.Client(timeout=30) as client:
        for number in itertools.count():
            if time.monotonic() > until_s:
                return
            name = f"Probe{number}"
            event = {"event_name": name, "identities": {"$identity_login_id": "probe"}}
            client.post(f"{collector}/events", json=event).raise_for_status()
            answered = time.monotonic()
            statement = {"sql": f"select count(*) from events where event_name = '{name}'"}
            while client.post(f"{server}/api/v1/projects/default/sql", json=statement).json()["rows"] != [[1]]:
                time.sleep(0.02)
            yield time.monotonic() - answered
