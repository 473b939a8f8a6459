"""How far loading is behind the log: the oldest request that is not loaded yet, and about how many there are.

Reads at most so many bytes of what is not loaded; where there is more, what was read stands for the rest.
"""

from dataclasses import dataclass
from pathlib import Path

from ingest.log.files import entry_bytes, list_streams, read_records
from ingest.log.loaded import measure_backlog_bytes
from warehouse.watermark import StreamMark, Watermark

# Enough for an exact count in quiet times, and some ten milliseconds of reading at worst.
MEASURED_BYTES = 2 << 20
_AT_ONCE = 1


@dataclass(frozen=True)
class Lag:
    """`lag_s` is the age of the oldest request not yet loaded, 0 when all are."""

    lag_s: float
    requests: int
    byte_count: int


def measure_lag(log: Path, watermark: Watermark, now_us: int, max_bytes: int = MEASURED_BYTES) -> Lag:
    """What follows the watermark: exact up to `max_bytes` of each stream, estimated from their sizes beyond."""
    requests = size = 0
    oldest_us, is_whole = now_us, True
    for stream in list_streams(log):
        mark = watermark.get(stream, StreamMark(0, 0, 0))
        read = 0
        for entry in read_records(log, stream, mark.file, mark.offset, max_bytes):
            oldest_us = min(oldest_us, entry[2].received_at_us)
            requests += 1
            read += entry_bytes(entry)
        size += read
        is_whole = is_whole and read < max_bytes
    lag_s = (now_us - oldest_us) / 1_000_000
    if is_whole or not size:
        return Lag(lag_s, requests, size)
    estimate = max(measure_backlog_bytes(log), size)
    return Lag(lag_s, round(requests * estimate / size), estimate)


def measure_lag_s(log: Path, watermark: Watermark, now_us: int) -> float:
    """The age of the oldest request not yet loaded, in seconds; reads one record of each stream."""
    return measure_lag(log, watermark, now_us, _AT_ONCE).lag_s
