"""The settings that a folder was last loaded with, kept beside its log.

A load with other settings would make another warehouse of the same log; whoever is about to judge messages by other
settings is told so, by name. Values only: of what may hold secrets a keyed hash stands there.
"""

import hashlib
import json
from dataclasses import asdict
from typing import Any

from api.settings import Settings, settable_fields
from ingest.settings import DecodeSettings

LOADED_SETTINGS_FILE = "loaded-settings.json"
# Of the warehouse's settings only these change what a load makes of the log.
_OF_WAREHOUSE = ("duplicate_window_s", "max_property_columns")


def write_loaded_settings(settings: Settings) -> None:
    """Leave what this load judges by in the data folder; nothing is written when it stands there already."""
    path = settings.data / LOADED_SETTINGS_FILE
    values = judging_values(settings)
    if _read(settings) == values:
        return
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    unfinished.replace(path)


def differing_settings(settings: Settings) -> list[str]:
    """One clause for each setting that is another here than when the folder was last loaded."""
    loaded = _read(settings)
    found = []
    for name, value in judging_values(settings).items():
        if name not in loaded or loaded[name] == value:
            continue
        if name in _SECRET:
            found.append(f"{_SECRET[name]} are others here than when this folder was last loaded")
        else:
            found.append(f"{name} is {value} here, {loaded[name]} when this folder was last loaded")
    return found


_SECRET = {
    "write_keys_hash": "write_keys (of onepath.toml)",
    "webhooks_hash": "the webhooks (of the folder webhooks/ and their secrets)",
}


def judging_values(settings: Settings) -> dict[str, Any]:
    """All that decides what becomes of a message, by name."""
    decode, salt = settings.decode, settings.project.project.salt
    values: dict[str, Any] = {each.name: getattr(decode, each.name) for each in settable_fields(DecodeSettings)}
    values |= {name: getattr(settings.warehouse, name) for name in _OF_WAREHOUSE}
    values["write_keys_hash"] = _hash(sorted(decode.write_keys), salt)
    values["webhooks_hash"] = _hash([asdict(webhook) for webhook in decode.webhooks], salt)
    return values


def _hash(value: Any, salt: str) -> str:
    key = salt.encode()
    text = json.dumps(value, sort_keys=True, default=repr)
    return hashlib.blake2b(text.encode(), key=key, digest_size=8).hexdigest()


def _read(settings: Settings) -> dict[str, Any]:
    try:
        found = json.loads((settings.data / LOADED_SETTINGS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
