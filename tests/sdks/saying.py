"""What a driver says on its last line of output: its client, whether that was content, and what it meant to send.

Each entry of `sent` is one message: the step it stands for, its record type, and what of the step went into it.
"""

import json
import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from tests.sdks.scenario import SHANGHAI, Json


class Saying:
    """Collects what one run of a driver meant; `failures` is what the client itself reported as failed."""

    def __init__(self, sdk: str, version: str) -> None:
        self.sdk = sdk
        self.version = version
        self.failures: list[str] = []
        self._started_ms = _now_ms()
        self._sent: list[Json] = []
        self._identities: list[list[str]] = []

    def sent(self, step: Json, record_type: str, properties: Json | None = None, **more: Any) -> None:
        """One message handed to the client."""
        kept = step.get("properties", {}) if properties is None else properties
        self._sent.append({"step": step["step"], "record_type": record_type, "properties": kept, **more})

    def knows(self, key: str, value: str) -> None:
        """An identity that the story's teacher was called by."""
        if [key, value] not in self._identities:
            self._identities.append([key, value])

    def report(self) -> Json:
        """What is printed."""
        return {
            "sdk": self.sdk,
            "version": self.version,
            "failures": self.failures,
            "sent": self._sent,
            "identities": self._identities,
            "started_ms": self._started_ms,
            "ended_ms": _now_ms(),
        }


def native_values(properties: Json, as_date: Callable[[int], datetime]) -> Json:
    """Properties as a Python program holds them: dates are datetimes."""
    return {
        name: as_date(value["$date_ms"]) if isinstance(value, dict) and "$date_ms" in value else value
        for name, value in properties.items()
    }


def without(properties: Json, leave_out: tuple[str, ...]) -> Json:
    """The properties a client takes."""
    return {name: value for name, value in properties.items() if name not in leave_out}


def wall_clock(moment_ms: int) -> datetime:
    """The moment on the wall of the story, without a zone: what most programs hand to a client."""
    return datetime.fromtimestamp(moment_ms / 1000, SHANGHAI).replace(tzinfo=None)


def tell(drive: Callable[[Json, str, str], Saying]) -> None:
    """The main of a Python driver: stories and modes on standard input, a report per story on the last line."""
    plan = json.load(sys.stdin)
    reports = [drive(each["story"], each["url"], each["mode"]).report() for each in plan]
    sys.stdout.write("\n" + json.dumps(reports) + "\n")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
