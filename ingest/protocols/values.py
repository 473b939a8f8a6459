"""Values: ids, times and properties of a message, as the senders of all families write them."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from ingest.errors import RejectReason, Unreadable
from ingest.message import PLATFORM_PROPERTY, SOURCES, Identity, Source

_EPOCH = datetime.fromtimestamp(0, UTC)
_MICROSECOND = timedelta(microseconds=1)
# Numbers between these are milliseconds (read_time).
_LEAST_MILLIS, _MOST_MILLIS = 10_000_000_000, 250_000_000_000_000
# The widest span that a TIMESTAMP column and a Python datetime both hold without trouble.
_EARLIEST_US, _LATEST_US = -62_000_000_000_000_000, 250_000_000_000_000_000


def id_text(value: Any) -> str | None:
    """An id as text; None for what is no id (absent, empty, not a text or whole number)."""
    if isinstance(value, str):
        return value.strip() or None
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, int) else None


def unique_identities(pairs: Iterable[tuple[str, Any]]) -> tuple[Identity, ...]:
    """The pairs that carry an id, in the order given, each once."""
    found: list[Identity] = []
    for key, value in pairs:
        if value is not None and (text := id_text(value)) is not None:
            identity = Identity(key, text)
            if not found or identity not in found:
                found.append(identity)
    return tuple(found)


def source_of(properties: dict[str, Any], by_sdk: Source | None) -> Source | None:
    """Where an event came from: what its `platform` says, else what its SDK implies."""
    platform = properties.get(PLATFORM_PROPERTY)
    return SOURCES.get(platform, by_sdk) if isinstance(platform, str) else by_sdk


def with_ip(properties: dict[str, Any], source: Source | None, device_ip: str | None) -> dict[str, Any]:
    """The properties of an event, with the address it came from unless it names one; a server's own says nothing."""
    if device_ip is not None and source is not None and source != "server":
        properties.setdefault("$ip", device_ip)
    return properties


def without_nulls(properties: dict[str, Any] | None) -> dict[str, Any]:
    """The properties that have a value."""
    if not properties:
        return {}
    if None not in properties.values():
        return properties
    return {name: value for name, value in properties.items() if value is not None}


def read_time(value: Any, what: str) -> int | None:
    """Microseconds since 1970 UTC from ISO 8601 text (without a zone: UTC), or a number of seconds or milliseconds.

    Numbers of up to ten digits before the point are seconds. None when absent; raises `Unreadable` on anything else.
    """
    if value is None:
        return None
    if type(value) is int and _LEAST_MILLIS < value < _MOST_MILLIS:
        return value * 1000
    if type(value) is str and len(value) == 24 and (micros := _read_zulu_millis(value)) is not None:
        return micros
    return _read_any_time(value, what)


def time_text(moment_us: int) -> str:
    """A moment for people; survives times outside the calendar of Python."""
    try:
        return datetime.fromtimestamp(moment_us / 1_000_000, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return f"{moment_us} microseconds since 1970"


def _read_zulu_millis(text: str) -> int | None:
    # `2026-06-01T08:00:00.123Z`: nearly every time that a client writes, at a third of the cost.
    millis = text[20:23]
    if text[19] != "." or text[23] != "Z" or not (text.isascii() and millis.isdigit()):
        return None
    second_us = _second_us(text[:19])
    return second_us + int(millis) * 1000 if second_us is not None else None


@lru_cache(maxsize=8192)
def _second_us(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None
    micros = (moment - _EPOCH) // _MICROSECOND
    return micros if _EARLIEST_US < micros < _LATEST_US else None


def _read_any_time(value: Any, what: str) -> int:
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value.strip())
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
            micros = (moment - _EPOCH) // _MICROSECOND
            if not _EARLIEST_US < micros < _LATEST_US:
                reason: RejectReason = "time_too_old" if micros < 0 else "time_too_far_ahead"
                raise Unreadable(reason, f"{what} {value!r} is beyond what is kept")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            micros = round(value * 1_000_000) if abs(value) < 10_000_000_000 else round(value * 1_000)
        else:
            raise ValueError("send ISO 8601 or milliseconds since 1970")
        if _EARLIEST_US < micros < _LATEST_US:
            return micros
    except (ValueError, OverflowError) as error:
        raise Unreadable("unreadable_message", f"{what} {value!r} is not a time: {error}") from error
    raise Unreadable("unreadable_message", f"{what} {value!r} is not a time of this calendar")
