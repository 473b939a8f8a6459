"""Asking as of a moment: the two query parameters that questions share."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Query

from warehouse.one_id.worlds import World

KnownAt = Annotated[
    datetime | None,
    Query(description="Answer with what had arrived before this moment (ISO 8601; in the project's time zone)."),
]
HappenedAt = Annotated[
    datetime | None, Query(description="Answer with what had happened before this moment, told with all that is known.")
]


def as_of_parameters(timezone: str) -> Callable[[KnownAt, HappenedAt], World | None]:
    """A dependency that reads the world a question is asked in; None for the present one."""
    zone = ZoneInfo(timezone)

    def world_of(known_at: KnownAt = None, happened_at: HappenedAt = None) -> World | None:
        if known_at is None and happened_at is None:
            return None
        return World(_aware(known_at, zone), _aware(happened_at, zone))

    return world_of


def _aware(moment: datetime | None, zone: ZoneInfo) -> datetime | None:
    return moment if moment is None or moment.tzinfo is not None else moment.replace(tzinfo=zone)
