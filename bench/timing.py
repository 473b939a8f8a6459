"""Timing side by side: contenders take turns, several rounds, and the medians are compared."""

import os
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

ROUNDS = 5
out = Console(width=120)


def take_turns(contenders: Mapping[str, Callable[[], float]], rounds: int = ROUNDS) -> dict[str, float]:
    """The median figure of each contender over interleaved rounds, so that noise meets all of them alike."""
    figures: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            figures[name].append(run())
    return {name: median(found) for name, found in figures.items()}


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU seconds that this thread spends on `work`."""
    began = time.thread_time()
    work()
    return time.thread_time() - began


def fsync_ms(folder: Path | None = None, syncs: int = 200) -> tuple[float, float]:
    """Milliseconds of an fdatasync after appending 4 KB: the median and the 99th percentile."""
    with tempfile.TemporaryFile(dir=folder) as file:
        taken = []
        for _ in range(syncs):
            file.write(b"x" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - began) * 1000)
    taken.sort()
    return median(taken), taken[int(len(taken) * 0.99)]


def show(title: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Print a table of figures, the first column to the left."""
    table = Table(title=title, title_justify="left")
    for place, column in enumerate(columns):
        table.add_column(column, justify="left" if place == 0 else "right")
    for row in rows:
        table.add_row(*row)
    out.print(table)


def show_disk(folder: Path | None = None) -> None:
    """Print how long the disk takes to make an append durable."""
    middle, late = fsync_ms(folder)
    out.print(f"fdatasync of 4 KB here: median {middle:.2f} ms, p99 {late:.2f} ms", highlight=False)
