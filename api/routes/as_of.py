"""Asking as of a moment: the two query parameters that questions share."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Query, Request

from models.calendar import Calendar
from models.errors import QuestionError
from warehouse.one_id.worlds import World

KnownAt = Annotated[
    datetime | None,
    Query(description="Answer with what had arrived before this moment (ISO 8601; in the project's time zone)."),
]
HappenedAt = Annotated[
    datetime | None, Query(description="Answer with what had happened before this moment, told with all that is known.")
]


def _refuse_others(request: Request) -> None:
    for name in request.query_params:
        if name not in ("known_at", "happened_at"):
            raise QuestionError(
                f"There is no parameter {name!r}: known_at and happened_at say as of when, the body says all else."
            )


def as_of_parameters(calendar: Calendar) -> Callable[[KnownAt, HappenedAt], World | None]:
    """A dependency that reads the world a question is asked in; None for the present one.

    Another parameter raises QuestionError: misspelt, it would be answered with the numbers of today.
    """

    def world_of(
        known_at: KnownAt = None, happened_at: HappenedAt = None, _: Annotated[None, Depends(_refuse_others)] = None
    ) -> World | None:
        if known_at is None and happened_at is None:
            return None
        return World(_utc(known_at), _utc(happened_at))

    def _utc(moment: datetime | None) -> datetime | None:
        return None if moment is None else calendar.to_utc(moment).replace(tzinfo=UTC)

    return world_of
