"""How far the log is loaded: the server writes it into `LOG/loaded.json`, the collector reads it.

The file never goes back: a warehouse that is being rebuilt loads again what had been loaded once, and that is no reason
to refuse anybody.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from ingest.log.files import list_files, list_streams, size_of

LOADED_NAME = "loaded.json"


class LoadedMark(msgspec.Struct, frozen=True, order=True):
    """The first byte of a stream that is not loaded yet."""

    file: int
    offset: int


Loaded = dict[str, LoadedMark]


def read_loaded(log: Path) -> Loaded:
    """How far each stream was loaded; empty when no server ever ran or the file is no longer readable."""
    try:
        return msgspec.json.decode((log / LOADED_NAME).read_bytes(), type=Loaded)
    except (OSError, msgspec.DecodeError):
        return {}


def write_loaded(log: Path, marks: Mapping[str, tuple[int, int]]) -> None:
    """Keep how far each stream is loaded, given as file and offset; what was loaded further before stays."""
    known = read_loaded(log)
    for stream, (file, offset) in marks.items():
        known[stream] = max(known.get(stream, LoadedMark(0, 0)), LoadedMark(file, offset))
    beside = log / f".{LOADED_NAME}.{os.getpid()}"
    beside.write_bytes(msgspec.json.encode(known))
    beside.replace(log / LOADED_NAME)


def measure_backlog_bytes(log: Path) -> int:
    """Bytes of the log, in all streams, that no server has loaded: from sizes alone, nothing is read."""
    loaded = read_loaded(log)
    total = 0
    for stream in list_streams(log):
        mark = loaded.get(stream, LoadedMark(0, 0))
        for log_file in list_files(log / stream):
            if log_file.number >= mark.file:
                size = size_of(log_file)
                total += max(size - mark.offset, 0) if log_file.number == mark.file else size
    return total
