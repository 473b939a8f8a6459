"""Work on the folder while no server runs."""

from collections.abc import Iterator
from contextlib import contextmanager

from api.serving import refresh_project
from api.settings import Settings
from warehouse.decoder import DecoderProcess
from warehouse.load import Loader, LoadReport
from warehouse.warehouse import Warehouse


@contextmanager
def open_offline(settings: Settings) -> Iterator[Warehouse]:
    """The warehouse of the folder. Raises `WarehouseInUse` while a server runs."""
    settings.data.mkdir(parents=True, exist_ok=True)
    warehouse = Warehouse(settings.warehouse_path, settings.project.project, settings.warehouse)
    try:
        yield warehouse
    finally:
        warehouse.close()


def load_once(settings: Settings) -> list[LoadReport]:
    """Load what the log holds and refresh the marts."""
    decoder = DecoderProcess()
    try:
        with open_offline(settings) as warehouse:
            reports = Loader(warehouse, settings.log_folder, settings.decode, decode=decoder).load_all()
            refresh_project(warehouse, settings)
            return reports
    finally:
        decoder.close()
