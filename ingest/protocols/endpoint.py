"""Endpoints: what a receiving path takes, what is looked at before it is answered, and in which form.

Data only: the table of all families' endpoints stands in `ingest.decode`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ingest.message import Decoded, Protocol
from ingest.protocols.answers import Answer
from ingest.record import Position, Record, Request
from ingest.settings import DecodeSettings

RawHeaders = list[tuple[bytes, bytes]]
# What the answer depends on: all messages, or only whether the body opens.
Look = Callable[[Record, DecodeSettings], Decoded]
# `decoded` is None where nothing is looked at, `position` where nothing is kept.
AnswerForm = Callable[[Request, Decoded | None, Position | None], Answer]
# An answer to what is neither kept nor decoded, told by the request and all of its headers; None lets it in.
TurnAway = Callable[[Request, RawHeaders, DecodeSettings], Answer | None]

POST = frozenset({"POST"})
GET_OR_POST = frozenset({"GET", "POST"})


def _is_never(_request: Request) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One kind of receiving path. A dry run is decoded and answered, but not kept."""

    protocol: Protocol
    answer: AnswerForm
    methods: frozenset[str] = POST
    look: Look | None = None
    turn_away: TurnAway | None = None
    is_dry_run: Callable[[Request], bool] = _is_never
