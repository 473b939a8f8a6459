"""`webhooks/NAME.yaml` in the data folder: what `POST /webhook/NAME` makes of the JSON of another system.

A file that cannot be followed stops the start with one sentence: which file, which field, what would be right; of
paths, every wrong one.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from api.errors import SettingsError
from ingest.errors import MappingError
from ingest.message import SOURCES
from ingest.protocols.mapping import Condition, Constant, MessageMapping, Path, Signature, Value, Webhook

FOLDER_NAME = "webhooks"
_LINE = re.compile(r"line (\d+)")
_IS_PATH = re.compile(r"[$@]($|[.\[])")
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_RECORD_TYPES = ("track", "identify", "group")
_ALGORITHMS = ("hmac-sha256", "hmac-sha1", "plain")
_SIGNATURE_FIELDS = ("header", "algorithm", "encoding", "prefix", "secret", "secret_env")
_MESSAGE_FIELDS = (
    *("record_type", "event_name", "items", "when", "event_at", "timezone", "identities", "account_id", "accounts"),
    *("dedupe_key", "properties", "properties_from", "source"),
)


class _Fault(Exception):
    """What is wrong, beginning with the place in the file."""


def read_webhooks(data: FilePath, environment: Mapping[str, str] | None = None) -> tuple[Webhook, ...]:
    """Every mapping of the folder, by name. Raises `SettingsError`."""
    environment = os.environ if environment is None else environment
    return tuple(_read_file(path, environment) for path in sorted((data / FOLDER_NAME).glob("*.y*ml")))


def require_secrets(webhooks: tuple[Webhook, ...]) -> None:
    """Raise `SettingsError` for a secret that is to come from the environment and does not; the collector's need."""
    for hook in webhooks:
        if hook.signature is not None and hook.signature.secret is None:
            raise SettingsError(
                f"{FOLDER_NAME}/{hook.name}.yaml: signature.secret_env: the environment variable "
                f"{hook.signature.secret_env} is not set; set it to the secret that the sender signs with"
            )


def _read_file(path: FilePath, environment: Mapping[str, str]) -> Webhook:
    try:
        if not _NAME.fullmatch(path.stem):
            raise _Fault("its name: use letters, digits, dashes and underscores")
        if path.suffix != ".yaml":
            raise _Fault("its name: write .yaml, not .yml")
        return _webhook(path.stem, msgspec.yaml.decode(path.read_bytes()), environment)
    except (_Fault, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from error
    except msgspec.DecodeError as error:
        line = _LINE.search(str(error))
        problem = " ".join(part for part in str(error).splitlines() if not part.lstrip().startswith("in "))
        raise SettingsError(f"{path}: {f'line {line[1]}: ' if line else ''}not YAML: {problem}") from error


def _webhook(name: str, content: Any, environment: Mapping[str, str]) -> Webhook:
    fields = _fields(content, "the file", ("signature", "messages"))
    messages = fields.get("messages")
    if not isinstance(messages, list) or not messages:
        raise _Fault("messages: write a list with an entry for each kind of message")
    mappings = _Mappings()
    hook = Webhook(
        name,
        tuple(mappings.message(each, f"messages[{index}]") for index, each in enumerate(messages)),
        _signature(fields["signature"], environment) if "signature" in fields else None,
    )
    mappings.require_right_paths()
    return hook


def _signature(content: Any, environment: Mapping[str, str]) -> Signature:
    fields = _fields(content, "signature", _SIGNATURE_FIELDS)
    algorithm = _one_of(fields.get("algorithm", "hmac-sha256"), "signature.algorithm", _ALGORITHMS)
    encoding = _one_of(fields.get("encoding", "hex"), "signature.encoding", ("hex", "base64"))
    secret, variable = (_text(fields.get(name), f"signature.{name}") for name in ("secret", "secret_env"))
    if (secret is None) == (variable is None):
        raise _Fault("signature: write either secret, or secret_env with the name of an environment variable")
    if variable is not None:
        if variable.startswith("ONEPATH_"):
            raise _Fault("signature.secret_env: take a name without ONEPATH_, which is for settings of Onepath")
        secret = environment.get(variable)
    header = _text(fields.get("header"), "signature.header")
    if header is None:
        raise _Fault("signature.header: write the name of the header that carries the signature")
    prefix = _text(fields.get("prefix"), "signature.prefix") or ""
    key = secret.encode() if secret else None
    return Signature(header, key, algorithm, encoding, prefix, variable)


class _Mappings:
    """Reads the entries of `messages`; wrong paths are noted, so that one start names all of them."""

    def __init__(self) -> None:
        self._wrong_paths: list[str] = []

    def require_right_paths(self) -> None:
        """Raise `_Fault` with every wrong path that was seen."""
        if self._wrong_paths:
            raise _Fault("; ".join(self._wrong_paths))

    def message(self, content: Any, place: str) -> MessageMapping:
        """One entry of `messages`."""
        fields = _fields(content, place, _MESSAGE_FIELDS)
        record_type = _one_of(fields.get("record_type", "track"), f"{place}.record_type", _RECORD_TYPES)
        identities = self.mapped(fields.get("identities"), f"{place}.identities")
        if record_type == "track" and "event_name" not in fields:
            raise _Fault(f"{place}.event_name: write a name, or the path where it stands")
        if not identities and record_type != "group":
            raise _Fault(f"{place}.identities: write at least one, as in $identity_mobile: $.phone")
        if record_type == "group" and not {"account_id", "accounts"} & fields.keys():
            raise _Fault(f"{place}.account_id: a group message needs the path of its account")
        return MessageMapping(
            record_type=record_type,
            event_name=self.value(fields.get("event_name"), f"{place}.event_name"),
            items=self.path(fields.get("items"), f"{place}.items"),
            when=self.conditions(fields.get("when"), f"{place}.when"),
            event_at=self.path(fields.get("event_at"), f"{place}.event_at"),
            timezone=_timezone(fields.get("timezone", "UTC"), f"{place}.timezone"),
            identities=identities,
            account_id=self.value(fields.get("account_id"), f"{place}.account_id"),
            accounts=self.mapped(fields.get("accounts"), f"{place}.accounts"),
            dedupe_key=self.path(fields.get("dedupe_key"), f"{place}.dedupe_key"),
            properties=self.mapped(fields.get("properties"), f"{place}.properties"),
            properties_from=self.path(fields.get("properties_from"), f"{place}.properties_from"),
            source=_one_of(fields.get("source", "server"), f"{place}.source", tuple(SOURCES)),
        )

    def value(self, content: Any, place: str) -> Value | None:
        """A path, or a constant."""
        if content is None:
            return None
        if isinstance(content, str) and _IS_PATH.match(content):
            return self.path(content, place)
        if not isinstance(content, str | int | float | bool):
            raise _Fault(f"{place}: {content!r:.99} is neither a constant nor a path such as $.id")
        return Constant(content)

    def path(self, content: Any, place: str) -> Path | None:
        """A path; a wrong one is noted."""
        if content is None:
            return None
        if not isinstance(content, str) or not _IS_PATH.match(content):
            self._wrong_paths.append(
                f"{place}: {content!r:.99} is no path; write one such as $.id (of the body) or @.id (of the item)"
            )
            return None
        path = Path(content)
        try:
            path.check()
        except MappingError as error:
            self._wrong_paths.append(f"{place}: {error}")
        return path

    def mapped(self, content: Any, place: str) -> tuple[tuple[str, Value], ...]:
        """Names, and for each a path or a constant."""
        if content is None:
            return ()
        if not isinstance(content, dict):
            raise _Fault(f"{place}: write names and, for each, a path or a constant")
        pairs = ((str(name), self.value(value, f"{place}.{name}")) for name, value in content.items())
        return tuple((name, value) for name, value in pairs if value is not None)

    def conditions(self, content: Any, place: str) -> tuple[Condition, ...]:
        """Paths, and for each what must stand there."""
        if content is None:
            return ()
        if not isinstance(content, dict):
            raise _Fault(f"{place}: write paths and, for each, a value, a list of values, is_set or is_not_set")
        found = list[Condition]()
        for text, wanted in content.items():
            path = self.path(str(text), place)
            if path is None:
                continue
            if wanted in ("is_set", "is_not_set"):
                found.append(Condition(path, None, wanted == "is_set"))
            else:
                found.append(Condition(path, tuple(wanted) if isinstance(wanted, list) else (wanted,)))
        return tuple(found)


def _fields(content: Any, place: str, known: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise _Fault(f"{place}: write fields, of {', '.join(known)}")
    for name in content:
        if name not in known:
            raise _Fault(f"{place}: {name!r} is no field; there are {', '.join(known)}")
    return {name: value for name, value in content.items() if value is not None}


def _timezone(content: Any, place: str) -> str:
    try:
        return ZoneInfo(str(content)).key
    except (KeyError, ValueError, OSError) as error:
        raise _Fault(f"{place}: {content!r} is no time zone; write one such as Asia/Shanghai") from error


def _text(content: Any, place: str) -> str | None:
    if content is not None and not isinstance(content, str):
        raise _Fault(f"{place}: {content!r:.99} is no text; write it in quotes")
    return content


def _one_of(content: Any, place: str, allowed: tuple[str, ...]) -> Any:
    if content not in allowed:
        raise _Fault(f"{place}: {content!r:.99} is none of {', '.join(allowed)}")
    return content
