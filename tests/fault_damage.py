"""Damage sampled over the files of a real log, loaded by the real loader: the rest goes on, and the damage is told.

A slow obvious oracle says which requests must still be there: those whose frame still stands, byte for byte, somewhere
in its file.
"""

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ingest.log.frame import FrameKind
from ingest.log.writer import LogWriter
from ingest.record import Damage, Request
from ingest.settings import DecodeSettings
from tests.fault_clients import AT_MS, client_post
from tests.log_damage import STREAM, WholeLog, Wound, read_all
from tests.stories import FixedClock, new_warehouse, rows
from warehouse.load import Loader

REQUESTS = 60
FILE_BYTES = 12_000
_KINDS: list[Literal["flip", "zero", "cut", "remove", "insert"]] = [
    *("flip", "flip", "flip", "zero", "cut", "remove", "insert"),
]
_LENGTHS = (1, 1, 1, 1, 2, 16, 200, 4_000)
_FOUND = "select properties.name as name from events where event_name like 'Lesson%'"
_TOLD = "select log_file, log_offset, original_length from rejects where reason = 'log_damaged'"


@dataclass
class DamageSweep:
    """What a sweep did and what it found; all is well when `findings` is empty."""

    seed: int
    counts: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    took_s: float = 0.0


def sweep_damage(
    folder: Path, samples: int, seed: int, told: Callable[[DamageSweep], None] = lambda _sweep: None
) -> DamageSweep:
    """Wound copies of a log and load each, as many times as said."""
    began, sweep, rng = time.monotonic(), DamageSweep(seed), random.Random(seed)
    whole = write_real_log(folder / "whole")
    for number in range(samples):
        wounds = [_any_wound(rng, whole) for _ in range(rng.choice((1, 1, 1, 2)))]
        _check_sample(whole, wounds, folder / str(number), sweep)
        told(sweep)
    sweep.took_s = time.monotonic() - began
    return sweep


def write_real_log(folder: Path) -> WholeLog:
    """What clients of all families send, in several sealed files and an open one."""
    writer = LogWriter(folder, STREAM, clock_us=FixedClock(AT_MS * 1000 + 60_000_000), max_file_bytes=FILE_BYTES)
    for number in range(REQUESTS):
        post = client_post(number % 4, number // 4)
        writer.append(Request("POST", post.path, "", post.headers, "127.0.0.1", post.pack(0)))
    whole = WholeLog.of(folder)
    writer.close()
    assert len(whole.frames) > 3
    return whole


def _any_wound(rng: random.Random, whole: WholeLog) -> Wound:
    file = rng.randrange(len(whole.frames))
    size = len(whole.files[list(whole.frames)[file]])
    return Wound(rng.choice(_KINDS), file, rng.randrange(size), rng.choice(_LENGTHS))


def _check_sample(whole: WholeLog, wounds: list[Wound], folder: Path, sweep: DamageSweep) -> None:
    files = whole.wounded(folder, wounds)
    records = [frame for frames in whole.frames.values() for frame in frames if frame[5] == FrameKind.RECORD]
    names = {frame: client_post(number % 4, number // 4).events for number, frame in enumerate(records)}
    standing = [frame for name, frames in whole.frames.items() for frame in frames if frame in files[name]]
    expected = Counter(name for frame in standing for name in names.get(frame, ()))
    damages = [(position, what) for position, _, what in read_all(folder) if isinstance(what, Damage)]
    found, rejects = _load(folder)
    sweep.counts += Counter(samples=1, damages=len(damages), events=found.total())
    sweep.counts["requests destroyed"] += len(records) - sum(frame in names for frame in standing)
    if found != expected:
        sweep.findings.append(f"{wounds}: {(expected - found).total()} lost, {(found - expected).total()} too many")
    if rejects != {(position.file, position.offset, what.length) for position, what in damages}:
        sweep.findings.append(f"{wounds}: damages {damages} are told as {rejects}")
    hurt = {int(name[:12]) for name in files if name.endswith(".log") and files[name] != whole.files[name]}
    if not hurt <= {position.file for position, _ in damages}:
        sweep.findings.append(f"{wounds}: a sealed file was damaged and nothing said so")


def _load(folder: Path) -> tuple[Counter[str], set[tuple[int, ...]]]:
    """The events that the loader finds, and where it says that the log is damaged."""
    warehouse = new_warehouse()
    Loader(warehouse, folder, DecodeSettings()).load_all()
    found, rejects = Counter(name for (name,) in rows(warehouse, _FOUND)), set(rows(warehouse, _TOLD))
    warehouse.close()
    return found, rejects
