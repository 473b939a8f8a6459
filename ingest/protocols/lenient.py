"""One message: JSON as real clients write it, which is not always JSON."""

import json
import math
from typing import Any, TypeVar

import msgspec

from ingest.errors import Unreadable
from ingest.protocols.splitting import Item

S = TypeVar("S", bound=msgspec.Struct)


def read_struct(item: Item, form: "msgspec.json.Decoder[S]") -> S:
    """One JSON object as `form` reads it. Raises `Unreadable` saying what is wrong and where."""
    try:
        return form.decode(item)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return msgspec.convert(lenient_json(bytes(item)), form.type)
    except msgspec.ValidationError as error:
        raise Unreadable("unreadable_message", str(error)) from error


def lenient_json(raw: bytes) -> Any:
    """JSON as real clients write it: NaN is read as null, and emoji sent as two surrogates (CESU-8) are joined again.

    A number too large for a double is read as null too: it could not be written as JSON again.
    """
    try:
        value = json.loads(
            raw.decode("utf-8", "surrogatepass"), parse_constant=lambda _name: None, parse_float=_finite_float
        )
        return _join_surrogates(value)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise Unreadable("unreadable_message", f"not JSON: {error}") from error


def _finite_float(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _join_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_join_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_join_surrogates(key): _join_surrogates(item) for key, item in value.items()}
    return value
