"""Rebuilding a project's warehouse from its log, with the old one held open meanwhile so that no server takes it.

The old file is touched only at the very end, and only by putting the fresh one in its place.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from api.asking import running_server
from api.errors import ApiError
from api.loaded_settings import write_loaded_settings
from api.services.refreshing import refresh_project
from api.settings import Settings
from warehouse.comparing import ViewComparison, compare_warehouses
from warehouse.decoder import DecoderProcess
from warehouse.rebuild import Progress, build_fresh, fresh_path, remove_warehouse, swap_in
from warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild gave: the comparison with the old warehouse (None: there was none), and the watermarks of both."""

    comparisons: list[ViewComparison] | None
    old_watermark: str
    new_watermark: str

    @property
    def is_equal(self) -> bool:
        return all(not (each.only_old or each.only_new) for each in self.comparisons or [])


def rebuild_warehouse(settings: Settings, progress: Progress, *, is_check: bool, keep: bool) -> Rebuilt:
    """Rebuild from the log and compare; then swap, unless it is only a check. Raises `ApiError` while a server runs."""
    url = running_server(settings)
    if url is not None:
        raise ApiError(f"the server at {url} has {settings.data} open; stop it, then replay the whole log")
    path = settings.warehouse_path
    with _old_warehouse(settings) as old:
        if old is not None:
            refresh_project(old, settings)
        fresh = _build(settings, progress)
        try:
            refresh_project(fresh, settings)
            rebuilt = _compared(old, fresh)
            fresh.checkpoint()
        except BaseException:
            fresh.close()
            remove_warehouse(fresh_path(path))
            raise
        fresh.close()
        if is_check:
            remove_warehouse(fresh_path(path))
        if old is not None:
            old.checkpoint()
    if not is_check:
        swap_in(path, keep=keep)
        write_loaded_settings(settings)
    return rebuilt


def _build(settings: Settings, progress: Progress) -> Warehouse:
    decoder = DecoderProcess()
    try:
        return build_fresh(
            settings.warehouse_path,
            settings.project.project,
            settings.warehouse,
            settings.log_folder,
            settings.decode,
            decoder,
            progress,
        )
    finally:
        decoder.close()


def _compared(old: Warehouse | None, fresh: Warehouse) -> Rebuilt:
    with fresh.snapshot() as snapshot:
        new_watermark = snapshot.watermark
    if old is None:
        return Rebuilt(None, "", new_watermark)
    with old.snapshot() as snapshot:
        old_watermark = snapshot.watermark
    return Rebuilt(compare_warehouses(old, fresh), old_watermark, new_watermark)


@contextlib.contextmanager
def _old_warehouse(settings: Settings) -> Iterator[Warehouse | None]:
    if not settings.warehouse_path.exists():
        yield None
        return
    old = Warehouse(settings.warehouse_path, settings.project.project, settings.warehouse)
    try:
        yield old
    finally:
        old.close()
