"""Meters: what the collector counts about itself, and the snapshot that others read.

Counting a request costs a microsecond or two: plain numbers, added by the event loop and the writer's thread.
Each collector leaves a snapshot in its stream's folder every second, so that whoever is asked can answer for all of
them.
"""

import resource
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from ingest.log.files import list_streams
from ingest.log.status import LogStatus
from ingest.log.stream import WriteStage

SNAPSHOT_NAME = "meters.json"
# Stands for the status of an answer where the connection was closed without one.
HUNG_UP = 0
# A stream whose snapshot is older has no collector.
LIVE_FOR_S = 10.0

_BODY_BYTES = (256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262144.0, 1048576.0, 4194304.0)
_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Histogram(msgspec.Struct):
    """How often a value fell up to each bound; `counts` has one more for those above the last."""

    bounds: tuple[float, ...]
    counts: list[int]
    total: float = 0.0

    @classmethod
    def of(cls, bounds: tuple[float, ...]) -> "Histogram":
        return cls(bounds, [0] * (len(bounds) + 1))

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class FamilyMeter(msgspec.Struct):
    """What one family of senders sent, and how it was answered.

    `statuses` counts requests by the status of their answer; `accepted` and `rejected` count the messages of those that
    are looked at before the answer. The body's bytes are those received, the answer's seconds begin when it is whole.
    """

    body_bytes: Histogram = msgspec.field(default_factory=lambda: Histogram.of(_BODY_BYTES))
    answer_s: Histogram = msgspec.field(default_factory=lambda: Histogram.of(_SECONDS))
    statuses: dict[int, int] = {}
    accepted: int = 0
    rejected: int = 0

    def count(self, status: int, body_bytes: int, answer_s: float) -> None:
        """One request was answered."""
        # Written out, because it runs once a request: calls would cost more than the counting.
        self.statuses[status] = self.statuses.get(status, 0) + 1
        bytes_, seconds = self.body_bytes, self.answer_s
        bytes_.counts[bisect_left(_BODY_BYTES, body_bytes)] += 1
        bytes_.total += body_bytes
        seconds.counts[bisect_left(_SECONDS, answer_s)] += 1
        seconds.total += answer_s


class StreamSnapshot(msgspec.Struct):
    """How one collector stands; counts are since its start."""

    written_at_s: float
    status: LogStatus
    families: dict[str, FamilyMeter]
    sync_s: Histogram
    cpu_s: float
    resident_bytes: int


class CollectorMeters:
    """What one collector counts. `families` belong to its event loop, `observe` to its writer's thread."""

    def __init__(self) -> None:
        self.families: defaultdict[str, FamilyMeter] = defaultdict(FamilyMeter)
        self._sync_s = Histogram.of(_SECONDS)
        self._sync_began_s = 0.0

    def observe(self, stage: WriteStage) -> None:
        """A batch was written, or synced: the log writer tells."""
        if stage == "written":
            self._sync_began_s = time.perf_counter()
        elif stage == "synced":
            self._sync_s.observe(time.perf_counter() - self._sync_began_s)

    def snapshot(self, status: LogStatus) -> StreamSnapshot:
        """Everything as it stands now."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        return StreamSnapshot(
            written_at_s=time.time(),
            status=status,
            families=dict(self.families),
            sync_s=self._sync_s,
            cpu_s=used.ru_utime + used.ru_stime,
            resident_bytes=_resident_bytes(),
        )


def write_snapshot(log: Path, snapshot: StreamSnapshot) -> None:
    """Leave the snapshot in the stream's folder; on a full disk the last one stays."""
    path = log / snapshot.status.stream / SNAPSHOT_NAME
    with suppress(OSError):
        path.with_suffix(".tmp").write_bytes(msgspec.json.encode(snapshot))
        path.with_suffix(".tmp").replace(path)


def remove_snapshot(log: Path, stream: str) -> None:
    """The collector ends in order."""
    with suppress(OSError):
        (log / stream / SNAPSHOT_NAME).unlink(missing_ok=True)


def read_snapshots(log: Path, now_s: float) -> Iterator[StreamSnapshot]:
    """The snapshots of all collectors that run."""
    for stream in list_streams(log):
        with suppress(OSError, msgspec.DecodeError):
            snapshot = msgspec.json.decode((log / stream / SNAPSHOT_NAME).read_bytes(), type=StreamSnapshot)
            if abs(now_s - snapshot.written_at_s) < LIVE_FOR_S:
                yield snapshot


def _resident_bytes() -> int:
    with suppress(OSError, ValueError, IndexError):  # only Linux has it
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * resource.getpagesize()
    return 0
