"""A project: what its numbers depend on beside the events, from the first day on."""

import re
from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


@dataclass(frozen=True)
class Project:
    """Settings of one project. `salt` keys the public person ids: another salt gives other ids for the same persons."""

    name: str
    salt: str
    timezone: str = "Asia/Shanghai"
    week_start: Literal["monday", "sunday"] = "monday"
    currency: str = "CNY"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", self.name):
            raise ValueError(f"name is {self.name!r}; use letters, digits, dashes and underscores")
        if not re.fullmatch(r"[A-Z]{3}", self.currency):
            raise ValueError(f"currency is {self.currency!r}; write three capital letters, such as CNY")
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(
                f"timezone {self.timezone!r} is no IANA time zone; write one such as 'Asia/Shanghai'"
            ) from error
        if self.week_start not in ("monday", "sunday"):
            raise ValueError(f"week_start is {self.week_start!r}; write 'monday' or 'sunday'")
        if not 16 <= len(self.salt.encode()) <= 64:
            raise ValueError("salt must have 16 to 64 bytes; leave it out to have one made")
