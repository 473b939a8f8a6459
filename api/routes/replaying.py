"""Rejects in kinds, their originals out of the log, and sending them through again: the endpoints.

A replay works on the running server, between two loads, as it does on a folder that nobody has open.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from fastapi import APIRouter, Depends, HTTPException

from api.routes.endpoints import ServerParts, rows_of
from api.routes.projects import known_project
from ingest.decode import decode
from ingest.record import Record
from ingest.settings import DecodeSettings
from warehouse.chosen import ChosenRecord, choose_orders, read_chosen
from warehouse.load import Loader
from warehouse.replay import RejectChoice, ReplayReport, replay_rejects


class ReplayParts(ServerParts, Protocol):
    """What these endpoints need of the server."""

    @property
    def loader(self) -> Loader: ...


@dataclass(frozen=True)
class ReplayRequest:
    """Which rejects to send through again (without any of these, all), and whether only to say what would happen."""

    reason: str | None = None
    event_name: str | None = None
    protocol: str | None = None
    since: datetime | None = None
    is_dry_run: bool = False


@dataclass(frozen=True)
class RejectOriginal:
    """What was refused, read from the log; `is_whole_body` when only its request can be told apart there."""

    log_order: str
    original: str
    is_whole_body: bool


def create_replaying(server: ReplayParts) -> APIRouter:
    """The routes for rejects beyond their list."""
    settings = server.settings

    router = APIRouter(prefix="/api/v1/projects/{project}", dependencies=[Depends(known_project(settings))])

    @router.get("/rejects/summary")
    def summary(
        reason: str | None = None, event_name: str | None = None, protocol: str | None = None
    ) -> list[dict[str, Any]]:
        """What was refused, in kinds: how many of each reason, protocol and event name, when, and an example."""
        with server.warehouse.snapshot() as snapshot:
            table = snapshot.reject_summary(reason, event_name, protocol)
            return [dict(zip(table.column_names, row, strict=True)) for row in rows_of(table)]

    @router.get("/rejects/original")
    def original(log_order: str) -> RejectOriginal:
        """What was refused at this place, as long as its log file is there."""
        try:
            [chosen] = choose_orders([log_order])
        except ValueError as error:
            raise HTTPException(422, f"{log_order!r} is no log_order; take one from a reject") from error
        found = read_original(settings.log_folder, chosen, settings.decode)
        if found is None:
            raise HTTPException(404, f"the log file of {log_order!r} is gone, and the original with it")
        return RejectOriginal(log_order, found[0].decode("utf-8", "replace"), found[1])

    @router.post("/replay")
    def replay(request: ReplayRequest) -> ReplayReport:
        """Send rejects through again, after what refused them was mended."""
        since = request.since
        if since is not None and since.tzinfo is None:
            since = since.replace(tzinfo=UTC)
        choice = RejectChoice(request.reason, request.event_name, request.protocol, since)
        report = replay_rejects(server.warehouse, server.loader, choice, is_dry_run=request.is_dry_run)
        if report.events or report.calls:
            server.refresh()
        return report

    return router


def read_original(log: Path, chosen: ChosenRecord, settings: DecodeSettings) -> tuple[bytes, bool] | None:
    """The bytes that were refused, and whether they are the whole body; None when the log has them no more."""
    [(_, record)] = read_chosen(log, [chosen])
    if record is None:
        return None
    refused = [reject.original for reject in decode(record, settings).rejects if reject.index in chosen.indexes]
    if refused:
        return refused[0], False
    return _body_of(record), True


def _body_of(record: Record) -> bytes:
    return record.request.body if record.request is not None else repr(record.act).encode()
