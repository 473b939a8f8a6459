"""Rebuilding a project's warehouse from its log, with the old one held open meanwhile so that no server takes it.

The old file is touched only at the very end, and only by putting the fresh one in its place.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from api.asking import running_server
from api.erasing import erase_from_log
from api.errors import ApiError
from api.loaded_settings import write_loaded_settings
from api.rejudging import refused_again, send_through_again
from api.services.refreshing import refresh_project
from api.settings import Settings
from ingest.erasure.deletions import fingerprint, read_deletions
from warehouse.comparing import ViewComparison, compare_warehouses
from warehouse.decoder import DecoderProcess
from warehouse.forgetting import remember_deletions
from warehouse.rebuild import Progress, build_fresh, fresh_path, remove_warehouse, swap_in
from warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild gave: the comparison with the old warehouse (None: there was none), and the watermarks of both.

    `refused_again` messages were accepted by a replay under a later plan than the one a rebuild judges them by; after
    another `onepath replay` the comparison is `after_replay` (None: not tried).
    """

    comparisons: list[ViewComparison] | None
    old_watermark: str
    new_watermark: str
    refused_again: int = 0
    after_replay: list[ViewComparison] | None = None

    @property
    def is_equal(self) -> bool:
        return _is_equal(self.comparisons or [])

    @property
    def is_equal_after_replay(self) -> bool:
        """True when a replay makes the rebuilt warehouse equal the old one, or it is so without."""
        return self.is_equal or (self.after_replay is not None and _is_equal(self.after_replay))


def _is_equal(comparisons: list[ViewComparison]) -> bool:
    return all(not (each.only_old or each.only_new) for each in comparisons)


def rebuild_warehouse(
    settings: Settings,
    progress: Progress,
    *,
    is_check: bool,
    keep: bool,
    send_again: bool = False,
    views: Sequence[str] | None = None,
) -> Rebuilt:
    """Rebuild from the log and compare; then swap, unless it is only a check. Raises `ApiError` while a server runs.

    With `send_again` what came back under a later plan than its own comes back in the rebuilt warehouse, too. Compares
    all views when none are named.
    """
    url = running_server(settings)
    if url is not None:
        raise ApiError(f"the server at {url} has {settings.data} open; stop it, then replay the whole log")
    path = settings.warehouse_path
    with _old_warehouse(settings) as old:
        if old is not None:
            refresh_project(old, settings)
        if not is_check:
            erase_from_log(settings)
        deletions = read_deletions(settings.log_folder)
        fresh = _build(settings, progress)
        try:
            remember_deletions(fresh, fingerprint(deletions))
            refresh_project(fresh, settings)
            rebuilt = _compared(old, fresh, views)
            if (is_check or send_again) and old is not None and rebuilt.refused_again:
                rebuilt = _replayed(old, fresh, settings, rebuilt, views)
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


def _compared(old: Warehouse | None, fresh: Warehouse, views: Sequence[str] | None) -> Rebuilt:
    with fresh.snapshot() as snapshot:
        new_watermark = snapshot.watermark
    if old is None:
        return Rebuilt(None, "", new_watermark)
    with old.snapshot() as snapshot:
        old_watermark = snapshot.watermark
    comparisons = compare_warehouses(old, fresh, views)
    again = 0 if _is_equal(comparisons) else len(refused_again(old, fresh))
    return Rebuilt(comparisons, old_watermark, new_watermark, again)


def _replayed(
    old: Warehouse, fresh: Warehouse, settings: Settings, rebuilt: Rebuilt, views: Sequence[str] | None
) -> Rebuilt:
    """Compare once more after a replay in the fresh warehouse."""
    send_through_again(fresh, settings, refused_again(old, fresh))
    return replace(rebuilt, after_replay=compare_warehouses(old, fresh, views))


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
