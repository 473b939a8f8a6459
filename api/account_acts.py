"""Operators' acts about accounts, from words of the command line into the log."""

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from api.errors import ApiError
from ingest.account_acts import check_account_act
from ingest.acts import append_act
from ingest.record import Act

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def write_account_act(log: Path, act: str, operator: str, details: dict[str, Any]) -> None:
    """Write an act into the log; the next load applies it. Raises `ApiError` for details that could not be followed."""
    fault = check_account_act(act, details)
    if fault is not None:
        raise ApiError(f"{fault}; nothing was written")
    append_act(log, Act(act, operator, details))


def identity_details(text: str) -> dict[str, str]:
    """The identity in `KEY=VALUE`."""
    key, equals, value = text.partition("=")
    if not (key and equals and value):
        raise ApiError(f"{text!r} names no identity: write KEY=VALUE, such as '$identity_login_id=teacher-17'")
    return {"identity_key": key, "identity_value": value}


def moment_details(text: str | None, timezone: str) -> dict[str, int]:
    """The moment of `--at`, ISO 8601; without a zone it is the project's local time."""
    if text is None:
        return {}
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ApiError(f"--at {text!r} is no time; write one such as 2026-09-01 or 2026-09-01T08:00+08:00") from error
    local = moment if moment.tzinfo is not None else moment.replace(tzinfo=ZoneInfo(timezone))
    elapsed = local - _EPOCH
    return {"at_us": (elapsed.days * 86_400 + elapsed.seconds) * 1_000_000 + elapsed.microseconds}
