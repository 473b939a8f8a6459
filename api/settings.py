"""Settings: read once, from the command line, the environment and `onepath.toml`, each value with its origin.

Environment names are `ONEPATH_<SECTION>__<FIELD>`, as in `ONEPATH_COLLECTOR__PORT`; the data folder is `ONEPATH_DATA`.
A start with an unknown, malformed or contradictory setting does not start.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, get_type_hints

from api.counts import count_text
from api.errors import ApiError, SettingsError
from api.project_file import PROJECT_FIELDS, ProjectFile, read_project_file
from api.webhook_files import read_webhooks
from ingest.errors import UntrustedProxies
from ingest.receiving.remote_address import TrustedProxies
from ingest.settings import CollectorSettings, DecodeSettings, setting
from warehouse.settings import WarehouseSettings

Origin = Literal["default", "environment", "command line", "onepath.toml", "made at first start"]
PREFIX = "ONEPATH_"
DATA_VARIABLE = "ONEPATH_DATA"
DEFAULT_DATA = Path("onepath-data")
# In the data folder while a server runs on it: its address, for the command line.
SERVER_FILE = "server.json"
# The same for a collector.
COLLECTOR_FILE = "collector.json"
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
MIN_TOKEN_CHARS = 16
LOG_FORMATS = ("auto", "json", "text")


@dataclass(frozen=True)
class ServerSettings:
    """The API and the board."""

    host: str = setting("127.0.0.1", "Address the server listens on; on any other than a local one it wants a token.")
    port: int = setting(8107, "Port the server listens on.")
    allowed_hosts: str = setting(
        "", "Comma-separated Host names to answer to beside local ones; empty: any, but on 127.0.0.1 local ones only."
    )
    token: str = setting("", "Secret that callers send as a bearer token or as the password of basic authentication.")
    max_tails: int = setting(8, "Most live views that are watched over HTTP at once.")
    ready_max_lag_s: float = setting(
        60.0, "The server is ready while the oldest request not yet loaded arrived at most this many seconds ago."
    )


@dataclass(frozen=True)
class LogsSettings:
    """What both services write about themselves to standard error."""

    format: str = setting("auto", "Form of the services' own log lines: json, text, or auto (text in a terminal).")


@dataclass(frozen=True)
class SettingLine:
    """One setting as `onepath doctor` shows it."""

    name: str
    value: str
    origin: Origin
    doc: str


@dataclass(frozen=True)
class Settings:
    """Everything that was set, resolved; `origins` tells where each value comes from, by section and field."""

    data: Path
    collector: CollectorSettings
    decode: DecodeSettings
    warehouse: WarehouseSettings
    server: ServerSettings
    logs: LogsSettings
    project: ProjectFile
    origins: Mapping[str, Origin] = field(default_factory=dict)

    @property
    def log_folder(self) -> Path:
        return self.data / "log"

    @property
    def log_id(self) -> str:
        """Which log this is, without telling where: equal in all services of one folder on one machine."""
        return hashlib.blake2b(str(self.log_folder.resolve()).encode(), digest_size=8).hexdigest()

    @property
    def warehouse_path(self) -> Path:
        return self.data / f"{self.project.project.name}.duckdb"

    def lines(self) -> Iterator[SettingLine]:
        """Every setting with its value and origin; the token's value is not shown."""
        yield SettingLine(
            DATA_VARIABLE, str(self.data), self.origins.get("data", "default"), "Folder of log and warehouse."
        )
        for section in SECTIONS:
            values = getattr(self, section)
            for each in settable_fields(SECTIONS[section]):
                value = getattr(values, each.name)
                shown = "(set)" if each.name == "token" and value else repr(value)
                origin = self.origins.get(f"{section}.{each.name}", "default")
                yield SettingLine(variable_name(section, each.name), shown, origin, each.metadata["doc"])
        for name, doc in PROJECT_FIELDS.items():
            if name == "write_keys":
                shown = count_text(len(self.project.write_keys), "key")
            else:
                shown = "(set)" if name == "salt" else repr(getattr(self.project.project, name))
            yield SettingLine(f"onepath.toml: project.{name}", shown, self.project.origin(name), doc)
        stages = ", ".join(stage.name for stage in self.project.stages)
        yield SettingLine(
            "onepath.toml: stages", stages, self.project.origin("stages"), "The stages of the sales path, in order."
        )


SECTIONS: dict[str, type] = {
    "collector": CollectorSettings,
    "decode": DecodeSettings,
    "warehouse": WarehouseSettings,
    "server": ServerSettings,
    "logs": LogsSettings,
}
T = TypeVar("T")


def settable_fields(form: type) -> "list[Field[Any]]":
    """The fields of a section that the environment sets; what comes from files beside it is none of them."""
    return [each for each in fields(form) if "doc" in each.metadata]


def variable_name(section: str, name: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX}{section}__{name}".upper()


def read_settings(
    data: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    *,
    create: bool = True,
) -> Settings:
    """Resolve all settings; `overrides` are the command line's, by `section.field`.

    With `create` the data folder and its `onepath.toml` are made when missing. Raises `SettingsError`.
    """
    environment = os.environ if environment is None else environment
    overrides = {name: value for name, value in (overrides or {}).items() if value is not None}
    origins: dict[str, Origin] = {}
    _refuse_unknown(environment)
    folder = _data_folder(data, environment, origins)
    sections: dict[str, Any] = {
        name: _section(name, form, environment, overrides, origins) for name, form in SECTIONS.items()
    }
    _check(**sections)
    project = read_project_file(folder, create=create)
    webhooks = read_webhooks(folder, environment)
    sections["decode"] = replace(sections["decode"], write_keys=project.write_keys, webhooks=webhooks)
    return Settings(data=folder, project=project, origins=origins, **sections)


def settings_to_ask(data: Path | None) -> Settings:
    """The settings of whoever only asks: no folder is made where there is none, which raises `ApiError`."""
    settings = read_settings(data, create=False)
    if not settings.data.exists():
        raise ApiError(
            f"there is nothing at {settings.data}; name a folder with --data, or start one with `onepath up`"
        )
    return settings


def _data_folder(data: Path | None, environment: Mapping[str, str], origins: dict[str, Origin]) -> Path:
    if data is not None:
        origins["data"] = "command line"
        return data
    if environment.get(DATA_VARIABLE):
        origins["data"] = "environment"
        return Path(environment[DATA_VARIABLE])
    return DEFAULT_DATA


def _section(
    section: str,
    form: type[T],
    environment: Mapping[str, str],
    overrides: Mapping[str, Any],
    origins: dict[str, Origin],
) -> T:
    values: dict[str, Any] = {}
    kinds = get_type_hints(form)
    for name in (each.name for each in settable_fields(form)):
        kind = kinds[name]
        variable, key = variable_name(section, name), f"{section}.{name}"
        if key in overrides:
            values[name], origins[key] = overrides[key], "command line"
        elif variable in environment:
            values[name], origins[key] = _parse(variable, environment[variable], kind), "environment"
    return form(**values)


def _parse(variable: str, text: str, kind: type) -> Any:
    if kind is str:
        return text
    try:
        value = kind(text)
    except ValueError as error:
        what = "a whole number" if kind is int else "a number"
        raise SettingsError(f"{variable} is {text!r}; it takes {what}") from error
    return value


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    known = {variable_name(section, each.name) for section, form in SECTIONS.items() for each in settable_fields(form)}
    for variable in environment:
        if variable.startswith(PREFIX) and variable not in known and variable != DATA_VARIABLE:
            raise SettingsError(f"{variable} is no setting of Onepath; `onepath doctor` lists them all")


def _check(
    collector: CollectorSettings,
    decode: DecodeSettings,
    warehouse: WarehouseSettings,
    server: ServerSettings,
    logs: LogsSettings,
) -> None:
    sections: dict[str, Any] = {"collector": collector, "decode": decode, "warehouse": warehouse, "server": server}
    for section, values in sections.items():
        for each in fields(values):
            value = getattr(values, each.name)
            if not isinstance(value, int | float) or (value == 0 and each.metadata.get("may_be_zero")):
                continue
            if not 0 < value < float("inf"):
                raise SettingsError(f"{variable_name(section, each.name)} is {value}; it must be more than 0")
    for section, port in (("collector", collector.port), ("server", server.port)):
        if port > 65_535:
            raise SettingsError(f"{variable_name(section, 'port')} is {port}; a port is at most 65535")
    if collector.port == server.port:
        raise SettingsError(f"collector and server cannot share port {server.port}; give them one each")
    if decode.max_decompressed_bytes < collector.max_body_bytes:
        smaller, larger = (
            variable_name("decode", "max_decompressed_bytes"),
            variable_name("collector", "max_body_bytes"),
        )
        raise SettingsError(f"{smaller} must not be less than {larger}")
    if not re.fullmatch(r"[A-Za-z0-9-]+", collector.stream):
        raise SettingsError(
            f"{variable_name('collector', 'stream')} is {collector.stream!r}; use letters, digits and dashes"
        )
    try:
        TrustedProxies(collector.trusted_proxies)
    except UntrustedProxies as error:
        raise SettingsError(f"{variable_name('collector', 'trusted_proxies')}: {error}") from error
    if logs.format not in LOG_FORMATS:
        raise SettingsError(
            f"{variable_name('logs', 'format')} is {logs.format!r}; use one of {', '.join(LOG_FORMATS)}"
        )
    _check_token(server)


def _check_token(server: ServerSettings) -> None:
    variable = variable_name("server", "token")
    if server.host not in LOOPBACK_HOSTS and not server.token:
        raise SettingsError(f"the server on {server.host} wants a token: set {variable}")
    if server.token and len(server.token) < MIN_TOKEN_CHARS:
        raise SettingsError(f"{variable} has {len(server.token)} characters; use at least {MIN_TOKEN_CHARS}")


def allowed_hosts(host: str, configured: str) -> frozenset[str] | None:
    """The Host names a service answers to, local ones always among them; None means any."""
    if configured:
        return LOOPBACK_HOSTS | {name.strip().lower() for name in configured.split(",") if name.strip()}
    return LOOPBACK_HOSTS if host in LOOPBACK_HOSTS else None


def local_url(host: str, port: int) -> str:
    """Where this machine itself reaches a service that listens on `host`."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"
