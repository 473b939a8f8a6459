"""One-ID: folding many links at once, a batch onto a large graph, and a funnel right after many merges.

The peers are reading and interning alone, the same batch on a tenth of the graph, and the same funnel before the
merges.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from statistics import median
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bench.bulk import show_bulk
from bench.linked import (
    PROJECT,
    daily_links,
    decoded,
    fill_identities,
    merging_links,
    open_warehouse,
    write_links,
)
from bench.timing import out, show
from ingest.settings import DecodeSettings
from models.asking import Answer, ask
from models.calendar import Calendar
from models.funnel import FUNNEL, FunnelQuestion, FunnelStep
from warehouse.batch import DecodedBatch
from warehouse.frames import registered
from warehouse.load import Loader
from warehouse.one_id.persons import Persons
from warehouse.warehouse import Warehouse

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Sizes:
    """How much of everything; `graphs` are identities."""

    persons: int = 1_000_000
    links: int = 3_000_000
    graphs: tuple[int, int] = (1_000_000, 10_000_000)
    batch_links: int = 10_000
    event_identities: int = 1_500_000
    events: int = 20_000_000
    merges: int = 500_000
    rounds: int = 3
    memory_limit_mb: int = 4096


FULL = Sizes()


def run(sizes: Sizes = FULL) -> None:
    """Print the three tables."""
    with tempfile.TemporaryDirectory() as folder:
        show_bulk(Path(folder), sizes.persons, sizes.links, sizes.rounds)
    show_batches(sizes)
    show_funnel(sizes)


class Taken(NamedTuple):
    """Seconds by the clock, and of all cores together."""

    wall_s: float
    cpu_s: float


class BatchFigures(NamedTuple):
    """A batch placed and committed, and loaded from the log; restoring the graph; bytes in memory, and RSS."""

    place: Taken
    load: Taken
    restore_s: float
    graph_bytes: int
    peak_rss_mb: float


def show_batches(sizes: Sizes) -> None:
    """The same batch on a small graph and a large one."""
    found = [measure_batches(identities, sizes) for identities in sizes.graphs]
    rows = [
        (
            f"{identities:,}",
            *(f"{seconds:.3f}" for seconds in (*each.place, *each.load)),
            f"{each.restore_s:.2f}",
            f"{each.graph_bytes / 1e6:,.0f}",
            f"{each.peak_rss_mb:,.0f}",
        )
        for identities, each in zip(sizes.graphs, found, strict=True)
    ]
    small, large = found
    pairs = zip((*large.place, *large.load), (*small.place, *small.load), strict=True)
    rows.append(("ratio", *(f"{more / less:.2f} x" for more, less in pairs), "", "", ""))
    columns = ("identities", "place s", "CPU s", "load s", "CPU s", "restore s", "graph MB", "peak RSS MB")
    show(f"A batch of {sizes.batch_links:,} links, committed", columns, rows)


def measure_batches(identities: int, sizes: Sizes) -> BatchFigures:
    """Place and load batches on a warehouse of `identities`."""
    with tempfile.TemporaryDirectory() as name, open_warehouse(Path(name), sizes.memory_limit_mb) as warehouse:
        folder = Path(name)
        fill_identities(warehouse, identities)
        persons = Persons(PROJECT.salt)
        began = time.perf_counter()
        with warehouse.write() as connection:
            persons.restore(connection)
        restore_s = time.perf_counter() - began
        placing = list[Taken]()
        for number in range(sizes.rounds + 1):
            write_links(folder / f"log-{number}", daily_links(identities // 2, sizes.batch_links, number))
            batch = decoded(folder / f"log-{number}")
            placing.append(place(warehouse, persons, batch))
        graph_bytes = persons.graph.byte_count + persons.pairs.byte_count
        del persons
        loading = list[Taken]()
        loader = Loader(warehouse, folder / "log", DecodeSettings())
        for number in range(sizes.rounds + 1, 2 * sizes.rounds + 2):
            write_links(folder / "log", daily_links(identities // 2, sizes.batch_links, number))
            loading.append(taken(loader.load_all))
        peak = getrusage(RUSAGE_SELF).ru_maxrss / 1024
        return BatchFigures(_medians(placing[1:]), _medians(loading[1:]), restore_s, graph_bytes, peak)


def taken(work: Callable[[], object]) -> Taken:
    """What a piece of work takes."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Taken(time.perf_counter() - wall, time.process_time() - cpu)


def _medians(found: list[Taken]) -> Taken:
    return Taken(*(median(column) for column in zip(*found, strict=True)))


def place(warehouse: Warehouse, persons: Persons, batch: DecodedBatch) -> Taken:
    """What it takes to place the messages of a batch and to commit."""

    def work() -> None:
        with warehouse.write() as connection, registered(connection, "messages", batch.messages):
            persons.place(connection, batch, np.ones(batch.messages.num_rows, np.bool_))

    return taken(work)


_EVENTS = """
insert into store.events by name
select
    cast(md5(cast(number as varchar)) as uuid) as event_id,
    'Event' || (hash(2 * number) % 40) as event_name,
    timestamp '2026-01-01' + to_milliseconds(400 * number) as event_at,
    event_at as received_at,
    event_at as original_event_at,
    hash(2 * number + 1) % $identities as identity_id,
    'native' as protocol,
    'track' as record_type,
    printf('%017d/bench/000000000001/%012d/000000', epoch_us(event_at), number) as log_order,
    1 as load_id,
from range($events) as numbers (number)
"""
STEPS = tuple(FunnelStep.of(f"Event{number}") for number in range(5))


def show_funnel(sizes: Sizes) -> None:
    """A funnel of five steps before and right after many merges."""
    with tempfile.TemporaryDirectory() as name, open_warehouse(Path(name), sizes.memory_limit_mb) as warehouse:
        fill_identities(warehouse, sizes.event_identities)
        with warehouse.write() as connection:
            given = {"identities": sizes.event_identities, "events": sizes.events}
            connection.execute(_EVENTS, given)
        warehouse.checkpoint()
        before, before_answer = funnel_s(warehouse, sizes.rounds)
        merging_s = merge(warehouse, Path(name), sizes.merges)
        after, after_answer = funnel_s(warehouse, sizes.rounds)
    rows = [
        ("before", f"{before:.2f}", "1.00 x", f"{_entered(before_answer):,}"),
        ("right after", f"{after:.2f}", f"{after / before:.2f} x", f"{_entered(after_answer):,}"),
    ]
    title = f"A funnel over {sizes.events:,} events of {sizes.event_identities:,} identities, {sizes.merges:,} merges"
    show(title, ("funnel", "s", "/ before", "persons in it"), rows)
    out.print(f"the merges took {merging_s:.1f} s, {sizes.merges / merging_s:,.0f} a second", highlight=False)


def funnel_s(warehouse: Warehouse, rounds: int) -> tuple[float, Answer]:
    """The median seconds of the funnel, each on a snapshot of its own, after one to warm up."""
    asking = list[float]()
    for _ in range(rounds + 1):
        with warehouse.snapshot(timeout_s=600) as snapshot:
            began = time.perf_counter()
            answer = ask(FUNNEL, FunnelQuestion(STEPS), snapshot, Calendar())
            asking.append(time.perf_counter() - began)
    return median(asking[1:]), answer


def merge(warehouse: Warehouse, folder: Path, count: int) -> float:
    """Merge persons by links, 50,000 a batch; the seconds that placing them took."""
    persons, links, placed_s = Persons(PROJECT.salt), list(merging_links(count)), 0.0
    with warehouse.write() as connection:
        persons.restore(connection)
    for begin in range(0, count, 50_000):
        log = folder / f"merges-{begin}"
        write_links(log, links[begin : begin + 50_000])
        placed_s += place(warehouse, persons, decoded(log)).wall_s
    return placed_s


def _entered(answer: Answer) -> int:
    entered: int = answer.rows[0].subject_count
    return entered
