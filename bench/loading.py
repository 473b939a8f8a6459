"""Loading: from the log to the public views, everything included.

The peer is the decoder's own limit: msgspec reading the same bytes into structs. CPU seconds are those of the writer
and its decoder process together.
"""

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from statistics import median

from bench.decoding import read_typed
from bench.events import FAMILIES
from bench.timing import cpu_seconds, show
from ingest.log.writer import LogWriter
from ingest.record import Request
from ingest.settings import DecodeSettings
from warehouse.decoder import DecoderProcess
from warehouse.load import Loader
from warehouse.project import Project
from warehouse.settings import WarehouseSettings
from warehouse.warehouse import Warehouse

EVENTS, BATCH, ROUNDS = 100_000, 100, 3
PROJECT = Project("bench", "a salt for the benchmark only")
QUERY = "select event_name, count(*) as events, count(distinct person_id) as persons from events group by event_name"


def run() -> None:
    """Print events per CPU second and per second from log to views, idle and while queries run."""
    rows = []
    for family in FAMILIES:
        requests = FAMILIES[family](EVENTS, BATCH)
        idle = [load_once(requests, ask=False) for _ in range(ROUNDS)]
        busy = [load_once(requests, ask=True) for _ in range(ROUNDS)]
        peer = median(_read_typed_s(family, requests) for _ in range(ROUNDS))
        cpu_s, wall_s = (median(figure) for figure in zip(*idle, strict=True))
        busy_s = median(wall for _, wall in busy)
        rows.append(
            (
                family,
                f"{EVENTS / cpu_s:,.0f}",
                f"{EVENTS / wall_s:,.0f}",
                f"{EVENTS / busy_s:,.0f}",
                f"{wall_s / busy_s:.2f} x",
                f"{cpu_s / peer:.1f} x",
            )
        )
    columns = ("family", "events/CPU s", "events/s", "with queries", "busy / idle", "CPU / msgspec's")
    show(f"Log to views, {EVENTS:,} events of 20,000 persons in requests of {BATCH}", columns, rows)


def _read_typed_s(family: str, requests: list[Request]) -> float:
    return cpu_seconds(lambda: [read_typed(family, request) for request in requests])


def load_once(requests: list[Request], *, ask: bool) -> tuple[float, float]:
    """Load a log of these requests into an empty warehouse; CPU seconds and seconds."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        writer = LogWriter(log, "bench")
        for request in requests:
            writer.append(request)
        writer.close()
        warehouse = Warehouse(Path(folder) / "bench.duckdb", PROJECT, WarehouseSettings())
        decoder = DecoderProcess()
        loader = Loader(warehouse, log, DecodeSettings(), decode=decoder)
        with asking(warehouse, ask=ask):
            began, began_cpu = time.perf_counter(), getrusage(RUSAGE_SELF)
            loaded = sum(report.messages for report in loader.load_all())
            wall_s = time.perf_counter() - began
            spent = getrusage(RUSAGE_SELF)
        assert loaded == len(requests) * BATCH, f"{loaded} of {len(requests) * BATCH} events were loaded"
        decoder_before = getrusage(RUSAGE_CHILDREN)
        decoder.close()
        decoder_after = getrusage(RUSAGE_CHILDREN)
        warehouse.close()
    own = spent.ru_utime + spent.ru_stime - began_cpu.ru_utime - began_cpu.ru_stime
    child = decoder_after.ru_utime + decoder_after.ru_stime - decoder_before.ru_utime - decoder_before.ru_stime
    return own + child, wall_s


@contextmanager
def asking(warehouse: Warehouse, *, ask: bool) -> Iterator[None]:
    """With `ask`, one reader asks for counts again and again while the block runs."""
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            with warehouse.snapshot() as snapshot:
                snapshot.query(QUERY)

    reader = threading.Thread(target=read)
    if ask:
        reader.start()
    try:
        yield
    finally:
        stop.set()
        if ask:
            reader.join()
