"""Replay: what was refused is sent through again, after what refused it was mended.

What is good now stands where it would have come in its turn; what is not stays, with its reason of today. One
transaction per batch: a replay that was killed is simply run again.
"""

import contextlib
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

import duckdb
import pyarrow as pa

from warehouse.batch import DecodedBatch
from warehouse.chosen import ChosenRecord, choose_record
from warehouse.frames import registered, table_of
from warehouse.latecomers import Judged, judge_latecomers, withdraw
from warehouse.load import Loader
from warehouse.statements import read_statement
from warehouse.warehouse import Warehouse

MAX_RECORDS = 20_000
"""Records chosen for one batch; how many of them are decoded, the limits of a load say."""

_ORDERS = {"log_order": pa.string()}


@dataclass(frozen=True)
class RejectChoice:
    """Which rejects to send through again; without any of these, all."""

    reason: str | None = None
    event_name: str | None = None
    protocol: str | None = None
    since: datetime | None = None


@dataclass
class ReplayReport:
    """What became of the chosen rejects.

    `resends` were accepted meanwhile and now count as duplicates of what came back. `gone` are rejects whose log file
    is no longer there.
    """

    is_dry_run: bool = False
    tried: int = 0
    events: int = 0
    calls: int = 0
    duplicates: int = 0
    resends: int = 0
    gone: int = 0
    still_rejected: dict[str, int] = field(default_factory=dict)


class _DryRunEnds(Exception):
    """Undoes the transaction of a dry run."""


def replay_rejects(
    warehouse: Warehouse, loader: Loader, choice: RejectChoice, *, is_dry_run: bool = False
) -> ReplayReport:
    """Send the chosen rejects through again; with `is_dry_run` say what would become of them, and change nothing."""
    replay = _Replay(warehouse, loader, choice, ReplayReport(is_dry_run))
    if is_dry_run:
        with contextlib.suppress(_DryRunEnds), loader.paused(), warehouse.write() as connection:
            while replay.next_batch(connection):
                pass
            raise _DryRunEnds
        return replay.report
    while True:
        with loader.paused(), warehouse.write() as connection:
            if not replay.next_batch(connection):
                return replay.report


class _Replay:
    """One pass over the chosen rejects, in canonical order, up to the last that was there when it began."""

    def __init__(self, warehouse: Warehouse, loader: Loader, choice: RejectChoice, report: ReplayReport) -> None:
        self._window_us = warehouse.settings.duplicate_window_s * 1_000_000
        self._loader = loader
        self._choice = choice
        self._after = ""
        self._until: str | None = None
        self.report = report

    def next_batch(self, connection: duckdb.DuckDBPyConnection) -> bool:
        """Replay the next records; false when there are none left."""
        chosen = self._choose(connection)
        if not chosen:
            return False
        batch = self._loader.decode_again(connection, chosen)
        done = chosen[: batch.record_count]
        self._after = done[-1].record_order
        gone = set(batch.gone)
        present = tuple(each for each in done if each not in gone)
        self.report.tried += sum(len(each.indexes) for each in done)
        self.report.gone += sum(len(each.indexes) for each in gone)
        self._store(connection, present, batch)
        return True

    def _choose(self, connection: duckdb.DuckDBPyConnection) -> tuple[ChosenRecord, ...]:
        if self._until is None:
            [(last,)] = connection.execute("select coalesce(max(log_order), '') from store.rejects").fetchall()
            self._until = last
        since = self._choice.since
        parameters = {
            "reason": self._choice.reason,
            "event_name": self._choice.event_name,
            "protocol": self._choice.protocol,
            "since": since.astimezone(UTC).replace(tzinfo=None) if since is not None else None,
            "after": self._after,
            "until": self._until,
            "limit": MAX_RECORDS,
        }
        found = connection.execute(read_statement("replay/chosen_records"), parameters).fetchall()
        return tuple(choose_record(*each) for each in found)

    def _store(
        self, connection: duckdb.DuckDBPyConnection, present: tuple[ChosenRecord, ...], batch: DecodedBatch
    ) -> None:
        refused = Counter(batch.rejects["reason"].to_pylist())
        self.report.still_rejected = dict(Counter(self.report.still_rejected) + refused)
        unchanged = _unchanged_rejects(connection, batch)
        batch = replace(batch, rejects=batch.rejects.filter(_is_not_in(batch.rejects["log_order"], unchanged)))
        replaced = [order for each in present for order in each.orders() if order not in unchanged]
        if not (replaced or batch.messages.num_rows or batch.rejects.num_rows):
            return
        with registered(connection, "messages", batch.messages), registered(connection, "rejects", batch.rejects):
            judged = judge_latecomers(
                connection, batch.messages, self._window_us, partial(self._loader.contents_at, connection)
            )
            self._count(batch, judged)
            _remove_rejects(connection, replaced)
            self._loader.store_again(connection, batch, judged)

    def _count(self, batch: DecodedBatch, judged: Judged) -> None:
        names = enumerate(batch.messages["event_name"].to_pylist())
        accepted = [name for row, name in names if row not in judged.duplicates]
        self.report.events += sum(name is not None for name in accepted)
        self.report.calls += sum(name is None for name in accepted)
        self.report.duplicates += len(judged.duplicates)
        self.report.resends += len(judged.displaced)


def _unchanged_rejects(connection: duckdb.DuckDBPyConnection, batch: DecodedBatch) -> set[str]:
    """The places of rejects that are refused as before: their rows stay."""
    with registered(connection, "rejects", batch.rejects):
        return {order for (order,) in connection.execute(read_statement("replay/unchanged_rejects")).fetchall()}


def _is_not_in(orders: pa.ChunkedArray, unwanted: set[str]) -> pa.Array:
    return pa.array([order not in unwanted for order in orders.to_pylist()], pa.bool_())


def _remove_rejects(connection: duckdb.DuckDBPyConnection, orders: list[str]) -> None:
    """The rejects at these places go, and no longer count."""
    with registered(connection, "replaced", table_of([(order,) for order in orders], _ORDERS)):
        withdraw(connection, connection.sql(read_statement("replay/withdraw_rejects")).to_arrow_table())
        connection.execute("delete from store.rejects where log_order in (select log_order from replaced)")
