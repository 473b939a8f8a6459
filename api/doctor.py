"""The doctor: how a data folder and its services stand, in sentences."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import httpx

from api.answering import answers
from api.asking import project_path, running_server
from api.counts import count_text
from api.errors import ApiError, SettingsError
from api.local_http import local_health
from api.project_file import FILE_NAME
from api.services.announcing import place_of_collector
from api.settings import DATA_VARIABLE, DEFAULT_DATA, PREFIX, Settings, read_settings
from ingest.errors import IngestError
from ingest.log.files import list_files, list_streams, size_of
from warehouse.errors import WarehouseError


class Reading(NamedTuple):
    """Settings, what was wrong with them, and whether those of the project are its own or stand-ins."""

    settings: Settings
    wrong: list[str]
    knows_project: bool


def read_bearably(
    data: Path | None, overrides: dict[str, int | None], environment: Mapping[str, str] | None = None
) -> "Reading":
    """The settings as far as they can be read, and a sentence for each that is wrong.

    What is wrong is left out, one after the other, until the rest makes sense: a doctor must not die of what it is
    called for.
    """
    environment = dict(os.environ if environment is None else environment)
    wrong: list[str] = []
    while True:
        try:
            return Reading(read_settings(data, overrides, environment, create=False), wrong, knows_project=True)
        except SettingsError as error:
            wrong.append(str(error))
            named = [variable for variable in environment if variable.startswith(PREFIX) and variable in str(error)]
            if not named:
                break
            for variable in named:
                del environment[variable]
    # What is left to be wrong is the project's file, or an option: look at the folder with neither.
    folder = data or Path(environment.get(DATA_VARIABLE) or DEFAULT_DATA)
    with TemporaryDirectory() as elsewhere:
        settings = read_settings(Path(elsewhere), {}, _only_ours(environment), create=False)
    return Reading(replace(settings, data=folder), wrong, knows_project=False)


def _only_ours(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(PREFIX) and name != DATA_VARIABLE}


def examine(reading: Reading) -> list[tuple[str, str]]:
    """What was looked at, and how it stands."""
    settings = reading.settings
    # Opened with another project's time zone or salt, the warehouse would change.
    warehouse = _warehouse(settings) if reading.knows_project else "not looked at before the settings are mended"
    return [
        *(("Wrong setting", sentence) for sentence in reading.wrong),
        ("Log", _log(settings)),
        ("Collector", _collector(settings)),
        ("Server", _server(settings)),
        ("Warehouse", warehouse),
        ("Project", _project(settings)),
    ]


def _project(settings: Settings) -> str:
    file = settings.data / FILE_NAME
    kept = f"its settings are in {file}" if file.exists() else f"the first start makes {file} for its settings"
    return f"{settings.project.project.name!r}; every write key and token lands in it, {kept}"


def _log(settings: Settings) -> str:
    streams = list_streams(settings.log_folder)
    if not streams:
        return f"none yet in {settings.log_folder}"
    files = [file for stream in streams for file in list_files(settings.log_folder / stream)]
    size = sum(size_of(file) for file in files)
    in_streams = f"{count_text(len(streams), 'stream')}: {', '.join(streams)}"
    return f"{count_text(len(files), 'file')}, {count_text(size, 'byte')}, in {in_streams}"


def _collector(settings: Settings) -> str:
    url = place_of_collector(settings)
    try:
        health = local_health(url, timeout_s=2).json()
        status, log_id = health["status"], health.get("log_id")
    except (httpx.HTTPError, httpx.InvalidURL):
        return f"nobody answers on {url}; `onepath up` starts it"
    except (ValueError, KeyError, TypeError):
        return f"something that is no collector answers on {url}; give this one another port"
    if log_id != settings.log_id:
        return (
            f"the one on {url} belongs to another data folder: what is sent there does not arrive in {settings.data}; "
            f"give this folder's another port with --collector-port"
        )
    problem = f": {health['problem']}" if health.get("problem") else ""
    return f"{status} on {url}{problem}"


def _server(settings: Settings) -> str:
    url = running_server(settings)
    if url is None:
        return "none has this folder open; `onepath up` starts it"
    health = local_health(url, timeout_s=5).json()
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
    text = ", ".join(map(count_text, counts, ("event", "person", "account", "reject")))
    if not backlog:
        return text
    return (
        f"{text}; {count_text(backlog.record_count, 'request of the log is', 'requests of the log are')} not loaded yet"
    )


_COUNTS = """
select
    (select count(*) from events),
    (select count(*) from persons),
    (select count(*) from accounts),
    (select count(*) from rejects)
"""
