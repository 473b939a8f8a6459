"""How much of the log is not loaded yet."""

from dataclasses import dataclass
from pathlib import Path

from ingest.log.files import entry_bytes, list_streams, read_records
from warehouse.watermark import StreamMark, Watermark


@dataclass(frozen=True)
class Backlog:
    """Requests and acts in the log after the watermark, and their bytes."""

    record_count: int
    byte_count: int


def measure_backlog(log: Path, watermark: Watermark) -> Backlog:
    """Read what follows the watermark and count it; the cost is that of reading those bytes."""
    records, size = 0, 0
    for stream in list_streams(log):
        mark = watermark.get(stream, StreamMark(0, 0, 0))
        for entry in read_records(log, stream, mark.file, mark.offset, 1 << 62):
            records += 1
            size += entry_bytes(entry)
    return Backlog(records, size)
