"""The doctor: how a data folder and its services stand, in sentences."""

import httpx

from api.answering import answers
from api.asking import project_path, running_server
from api.errors import ApiError
from api.settings import Settings, local_url
from ingest.errors import IngestError
from ingest.log_files import list_files, list_streams
from warehouse.errors import WarehouseError


def examine(settings: Settings) -> list[tuple[str, str]]:
    """What was looked at, and how it stands."""
    return [
        ("Log", _log(settings)),
        ("Collector", _collector(settings)),
        ("Server", _server(settings)),
        ("Warehouse", _warehouse(settings)),
    ]


def _log(settings: Settings) -> str:
    streams = list_streams(settings.log_folder)
    if not streams:
        return f"none yet in {settings.log_folder}"
    files = [file for stream in streams for file in list_files(settings.log_folder / stream)]
    size = sum(file.path.stat().st_size for file in files)
    return f"{len(files)} files, {size:,} bytes, in streams {', '.join(streams)}"


def _collector(settings: Settings) -> str:
    url = local_url(settings.collector.host, settings.collector.port)
    try:
        health = httpx.get(f"{url}/health", timeout=2).json()
    except (httpx.HTTPError, ValueError):
        return f"nobody answers on {url}; `onepath up` starts it"
    return f"{health.get('status')} on {url}"


def _server(settings: Settings) -> str:
    url = running_server(settings)
    if url is None:
        return "none has this folder open; `onepath up` starts it"
    health = httpx.get(f"{url}/health", timeout=5).json()
    return f"{health['status']} on {url}, loading is {health['loading']}" + (
        f": {health['problem']}" if health["problem"] else ""
    )


def _warehouse(settings: Settings) -> str:
    if not settings.warehouse_path.exists():
        return f"none yet at {settings.warehouse_path}"
    try:
        with answers(settings) as (ask, backlog):
            counts = ask("POST", project_path(settings, "sql"), {"sql": _COUNTS}).json()["rows"][0]
    except (ApiError, IngestError, WarehouseError) as error:
        return str(error)
    text = "{:,} events, {:,} persons, {:,} accounts, {:,} rejects".format(*counts)
    return text + (f"; {backlog.record_count:,} requests of the log are not loaded yet" if backlog else "")


_COUNTS = """
select
    (select count(*) from events),
    (select count(*) from persons),
    (select count(*) from accounts),
    (select count(*) from rejects)
"""
