"""Rebuilding a warehouse from the log alone: into a fresh file beside it, compared, then put in its place.

The old file stays as it is until the fresh one is whole; a rebuild that dies or runs out of disk leaves only the fresh
file, which the next one removes.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from ingest.log.files import list_files, list_streams, size_of, sync_folder
from ingest.settings import DecodeSettings
from warehouse.load import Loader, LoadReport
from warehouse.project import Project
from warehouse.settings import WarehouseSettings
from warehouse.surviving import Decoder
from warehouse.warehouse import Warehouse
from warehouse.watermark import Watermark

FRESH_SUFFIX = ".replaying"
KEPT_SUFFIX = ".before-replay"

Progress = Callable[[int, LoadReport], None]
"""Told after each load how many bytes of the log are behind it."""


def fresh_path(path: Path) -> Path:
    """Where the warehouse at `path` is rebuilt."""
    return path.with_name(path.name + FRESH_SUFFIX)


def kept_path(path: Path) -> Path:
    """Where the old warehouse is kept after a rebuild."""
    return path.with_name(path.name + KEPT_SUFFIX)


def remove_warehouse(path: Path) -> None:
    """Remove a warehouse file and what DuckDB puts beside it."""
    for each in (path, path.with_name(path.name + ".wal")):
        each.unlink(missing_ok=True)
    shutil.rmtree(path.with_name(path.name + ".tmp"), ignore_errors=True)


def build_fresh(
    path: Path,
    project: Project,
    settings: WarehouseSettings,
    log: Path,
    decode_settings: DecodeSettings,
    decode: Decoder,
    progress: Progress,
) -> Warehouse:
    """Load the whole log into a fresh file beside `path`. Close the result; what fails removes the file."""
    fresh = fresh_path(path)
    remove_warehouse(fresh)
    warehouse = Warehouse(fresh, project, settings)
    try:
        loader = Loader(warehouse, log, decode_settings, decode=decode)
        while report := loader.load_next():
            with warehouse.snapshot() as snapshot:
                progress(bytes_behind(log, snapshot.marks()), report)
    except BaseException:
        warehouse.close()
        remove_warehouse(fresh)
        raise
    return warehouse


def log_bytes(log: Path) -> int:
    """Bytes of all log files."""
    return sum(size_of(each) for stream in list_streams(log) for each in list_files(log / stream))


def bytes_behind(log: Path, watermark: Watermark) -> int:
    """Bytes of the log before the watermark."""
    behind = 0
    for stream, mark in watermark.items():
        for each in list_files(log / stream):
            if each.number < mark.file:
                behind += size_of(each)
            elif each.number == mark.file:
                behind += min(mark.offset, size_of(each))  # it may stand behind every byte: FILE_END
    return behind


def swap_in(path: Path, *, keep: bool) -> None:
    """Put the fresh file in the place of the old one, in one step; both are closed. `keep` keeps the old one beside."""
    kept = kept_path(path)
    if keep and path.exists():
        kept.unlink(missing_ok=True)
        os.link(path, kept)
    fresh_path(path).replace(path)
    sync_folder(path.parent)
