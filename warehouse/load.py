"""Loading: from the log into the tables, one transaction per batch.

Idempotent: the watermark commits with the rows, so a load that was killed leaves nothing behind and the next one
starts where the last commit ended.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import duckdb
import msgspec
import numpy as np
import pyarrow as pa
from sqlglot import exp

from ingest.log.files import LogExtent, log_extent
from ingest.settings import DecodeSettings
from warehouse.batch import BatchRequest, DecodedBatch, decode_batch
from warehouse.chosen import ChosenRecord, choose_orders
from warehouse.duplicates import Content, RecentContents, find_duplicates
from warehouse.frames import registered, table_of
from warehouse.identities import AppliedLink, Identities, batch_links, has_retracted, unseen_links
from warehouse.interning import Interned, intern_pairs
from warehouse.latecomers import forget_displaced_keys, judge_latecomers, remember_contents, remove_displaced
from warehouse.memberships import store_memberships, touch_histories
from warehouse.misfits import counted_misfits
from warehouse.plans import read_applied_plans
from warehouse.properties import DUCKDB_TYPES, PropertyType
from warehouse.rejects import limit_originals
from warehouse.statements import read_statement
from warehouse.surviving import Decoder, SurvivingDecoder
from warehouse.warehouse import Warehouse
from warehouse.watermark import read_watermark

LoadStage = Literal["begun", "stored", "committed"]

_UNBOUND = {"identity_id": pa.uint32(), "row": pa.uint32()}
_NEW_LINKS = {
    "left_identity_id": pa.uint32(),
    "right_identity_id": pa.uint32(),
    "link_kind": pa.string(),
    "row": pa.uint32(),
    "outcome": pa.string(),
}
_MISFITS = {"load_id": pa.uint64(), "name": pa.string(), "reason": pa.string(), "value_count": pa.uint64()}


@dataclass(frozen=True)
class LoadReport:
    """What one load took from the log."""

    records: int
    messages: int
    duplicates: int
    rejects: int


class Loader:
    """Loads one project's warehouse from a log; the only caller of its steps, so the caches here stay true.

    `decode` runs where the owner wants it (a child process in the server); `observe` is told of the stages of each
    load: the seam for fault tests. By `clock` (microseconds since 1970 UTC) what has just come waits a moment, so that
    several streams are loaded in their common order; without one, everything is loaded at once.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        log: Path,
        decode_settings: DecodeSettings,
        *,
        decode: Decoder = decode_batch,
        observe: Callable[[LoadStage], None] = lambda _stage: None,
        clock: Callable[[], int] | None = None,
    ) -> None:
        self._warehouse = warehouse
        self._log = log
        self._decode_settings = decode_settings
        self._decode = SurvivingDecoder(decode)
        self._observe = observe
        self._clock = clock
        self._window_us = warehouse.settings.duplicate_window_s * 1_000_000
        self._identities = Identities(warehouse.project.salt)
        self._recent = RecentContents(0)
        self._is_stale = True
        self._seen_extent: LogExtent | None = None
        self._turn = threading.Lock()

    def load_next(self) -> LoadReport | None:
        """Load the next batch; None when the log holds nothing new. What the log or DuckDB raise loses nothing."""
        with self._turn:
            return self._load_next()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing is loaded while the block runs; it may change the tables, for the caches are read anew after it."""
        with self._turn:
            self._is_stale = True
            yield

    def decode_again(self, connection: duckdb.DuckDBPyConnection, chosen: tuple[ChosenRecord, ...]) -> DecodedBatch:
        """Decode records that were loaded before, as they would be decoded now. Only inside `paused`, or a load."""
        return self._decode(replace(self._request(connection), chosen=chosen))

    def contents_at(self, connection: duckdb.DuckDBPyConnection, orders: list[str]) -> dict[str, Content]:
        """What the log holds at these places (texts of log_order), of messages without a key."""
        rest, contents = choose_orders(orders), dict[str, Content]()
        while rest:
            batch = self.decode_again(connection, rest)
            columns = batch.messages.select(["log_order", "content_hash", "occurrence"]).columns
            for order, content_hash, occurrence in zip(*(column.to_pylist() for column in columns), strict=True):
                if content_hash is not None:
                    contents[order] = (content_hash, occurrence)
            rest = rest[batch.record_count :]
        return contents

    def store_again(self, connection: duckdb.DuckDBPyConnection, batch: DecodedBatch, duplicates: set[int]) -> None:
        """Store a batch out of its turn: the ledger is folded anew, the watermark stays. Only inside `paused`.

        `messages` and `rejects` of the batch are registered already.
        """
        load_id = _next_load_id(connection)
        _add_columns(connection, batch.added_columns)
        self._store_rows(connection, batch, duplicates, load_id, must_rebuild=True)
        _store_account(connection, batch, load_id)

    def _load_next(self) -> LoadReport | None:
        extent = log_extent(self._log)
        if extent == self._seen_extent:
            return None
        with self._warehouse.write() as connection:
            self._restore_caches(connection)
            request = self._request(connection)
        batch = self._decode(request)
        if not batch.record_count:
            self._seen_extent = None if batch.is_holding else extent
            return None
        self._is_stale = True  # until this load is committed
        with self._warehouse.write() as connection:
            self._observe("begun")
            report = self._store(connection, batch, request)
            self._observe("stored")
        self._is_stale = False
        self._observe("committed")
        return report

    def load_all(self) -> list[LoadReport]:
        """Load until the log holds nothing new."""
        reports = []
        while report := self.load_next():
            reports.append(report)
        return reports

    def _restore_caches(self, connection: duckdb.DuckDBPyConnection) -> None:
        if self._is_stale:
            self._identities.restore(connection)
            self._recent = RecentContents.restore(connection, self._window_us)
            self._is_stale = False

    def _request(self, connection: duckdb.DuckDBPyConnection) -> BatchRequest:
        settings = self._warehouse.settings
        return BatchRequest(
            log=self._log,
            watermark=read_watermark(connection),
            known_columns=connection.execute("select name, type from store.property_columns").fetchall(),
            max_bytes=settings.load_max_bytes,
            max_messages=settings.load_max_messages,
            max_plain_bytes=settings.load_max_plain_bytes,
            max_property_columns=settings.max_property_columns,
            settings=self._decode_settings,
            plans=read_applied_plans(connection),
            held=self._held(),
        )

    def _held(self) -> tuple[int, int] | None:
        if self._clock is None:
            return None
        now_us = self._clock()
        return now_us - round(self._warehouse.settings.stream_hold_ms * 1000), now_us

    def _store(self, connection: duckdb.DuckDBPyConnection, batch: DecodedBatch, request: BatchRequest) -> LoadReport:
        load_id = _next_load_id(connection)
        is_late = any(mark.received_at_us >= batch.first_received_at_us for mark in request.watermark.values())
        _add_columns(connection, batch.added_columns)
        with registered(connection, "messages", batch.messages), registered(connection, "rejects", batch.rejects):
            if is_late:
                duplicates = self._store_late(connection, batch, load_id)
            else:
                duplicates, new_contents = find_duplicates(connection, batch.messages, self._recent)
                self._store_rows(connection, batch, duplicates, load_id, must_rebuild=bool(batch.acts))
                self._recent.store(connection, new_contents, _last_arrival_us(batch))
                _store_watermark(connection, batch)
        _store_account(connection, batch, load_id)
        messages = batch.messages.num_rows
        return LoadReport(batch.record_count, messages, len(duplicates), batch.rejects.num_rows)

    def _store_late(self, connection: duckdb.DuckDBPyConnection, batch: DecodedBatch, load_id: int) -> set[int]:
        """Store what should have come before something that is loaded already; returns the rows that are duplicates."""
        window_us = self._window_us
        judged = judge_latecomers(connection, batch.messages, window_us, partial(self.contents_at, connection))
        forget_displaced_keys(connection, judged)
        self._store_rows(connection, batch, judged.duplicates, load_id, must_rebuild=True)
        remove_displaced(connection, judged, self._warehouse.project.timezone)
        _store_watermark(connection, batch)
        remember_contents(connection, judged, window_us)
        self._recent = RecentContents.restore(connection, window_us)
        self._recent.store(connection, [], _last_arrival_us(batch))
        return judged.duplicates

    def _store_rows(
        self,
        connection: duckdb.DuckDBPyConnection,
        batch: DecodedBatch,
        duplicates: set[int],
        load_id: int,
        *,
        must_rebuild: bool,
    ) -> None:
        interned = intern_pairs(connection, batch, duplicates)
        _store_acts(connection, batch)
        changed = self._store_identities(connection, batch, interned, must_rebuild=must_rebuild)
        with registered(connection, "accepted", _accepted_rows(batch, duplicates, interned)):
            self._store_messages(connection, load_id, changed)
            if batch.violations.num_rows:
                with registered(connection, "violations", batch.violations):
                    connection.execute(read_statement("load/insert_plan_violations"), {"load_id": load_id})
        if batch.rejects.num_rows:
            limit_originals(connection, self._warehouse.settings.max_rejects_bytes)

    def _store_identities(
        self, connection: duckdb.DuckDBPyConnection, batch: DecodedBatch, interned: Interned, *, must_rebuild: bool
    ) -> set[int]:
        """Write identities and links; returns the identities whose person changed."""
        all_links = batch_links(interned, batch.unbind_rows)
        links = unseen_links(connection, all_links)
        with registered(connection, "sightings", _sightings(interned)):
            # A table of its own: joined to Arrow inside an UPDATE, DuckDB takes ten times as long.
            seen = connection.sql(read_statement("load/seen_identities")).to_arrow_table()
        with (
            registered(connection, "seen_identities", seen),
            registered(connection, "new_identities", self._identities.rows_of(interned.new)),
        ):
            connection.execute(read_statement("load/see_identities"))
            connection.execute(read_statement("load/insert_identities"))
        with registered(connection, "unbound", table_of(interned.unbound, _UNBOUND)):
            connection.execute(read_statement("load/unbind_identities"))
        if must_rebuild or has_retracted(connection, links):
            _store_links(connection, [AppliedLink(link, "confirmed") for link in links])
            _advance_links(connection, all_links)
            changed = self._identities.rebuild(connection)
        else:
            applied, changed = self._identities.apply(interned, links, batch.messages["log_order"].to_pylist())
            _store_links(connection, applied)
            self._identities.store_founders(connection, changed)
        return changed

    def _store_messages(self, connection: duckdb.DuckDBPyConnection, load_id: int, changed: set[int]) -> None:
        for name in ("insert_events", "insert_calls", "insert_arrivals"):
            connection.execute(read_statement(f"load/{name}"), {"load_id": load_id})
        connection.execute(read_statement("load/insert_rejects"), {"load_id": load_id})
        connection.execute(read_statement("load/insert_keyed_messages"))
        timezone = {"timezone": self._warehouse.project.timezone}
        changed = changed | store_memberships(connection, changed, **timezone)
        connection.execute(read_statement("load/touch_events"), timezone)
        connection.execute(read_statement("load/touch_accounts"), timezone)
        if changed:
            touch_histories(connection, changed, **timezone)


def _last_arrival_us(batch: DecodedBatch) -> int:
    return max(mark.received_at_us for mark in batch.watermark.values())


def _store_watermark(connection: duckdb.DuckDBPyConnection, batch: DecodedBatch) -> None:
    connection.execute("delete from store.watermark")
    rows = [(stream, *mark) for stream, mark in sorted(batch.watermark.items())]
    connection.executemany("insert into store.watermark values (?, ?, ?, ?)", rows)


def _store_account(connection: duckdb.DuckDBPyConnection, batch: DecodedBatch, load_id: int) -> None:
    if batch.misfits:
        rows = [(load_id, *each) for each in counted_misfits(batch.misfits)]
        with registered(connection, "new_misfits", table_of(rows, _MISFITS)):
            connection.execute("insert into store.misfits by name select * from new_misfits")
    connection.execute("delete from store.settings where name = 'last_load_id'")
    connection.execute("insert into store.settings values ('last_load_id', ?)", [str(load_id)])


def _next_load_id(connection: duckdb.DuckDBPyConnection) -> int:
    rows = connection.execute("select value from store.settings where name = 'last_load_id'").fetchall()
    return int(rows[0][0]) + 1 if rows else 1


def _add_columns(connection: duckdb.DuckDBPyConnection, added: list[tuple[str, PropertyType]]) -> None:
    """Give the properties that are new their columns: all at once, because each change of the struct rewrites it."""
    if not added:
        return
    connection.executemany("insert into store.property_columns values (?, ?)", [list(each) for each in added])
    ((struct,),) = connection.execute(read_statement("load/property_struct")).fetchall()
    fields = (
        f"{exp.to_identifier(name, quoted=True).sql(dialect='duckdb')} {DUCKDB_TYPES[kind]}" for name, kind in added
    )
    connection.execute(
        f"alter table store.events alter column properties set data type {struct[:-1]}, {', '.join(fields)})"
    )


def _sightings(interned: Interned) -> pa.Table:
    return pa.table(
        {
            "row": pa.array(interned.row, pa.uint32()),
            "identity_id": pa.array(interned.identity_id, pa.uint32()),
            "place": pa.array(interned.place, pa.uint32()),
        }
    )


def _accepted_rows(batch: DecodedBatch, duplicates: set[int], interned: Interned) -> pa.Table:
    """The rows that are no duplicates, each with the identity it belongs to, if any."""
    is_accepted = np.ones(batch.messages.num_rows, dtype=bool)
    is_accepted[list(duplicates)] = False
    owner = np.full(batch.messages.num_rows, -1, dtype=np.int64)
    owner[interned.row[interned.place == 0]] = interned.identity_id[interned.place == 0]
    rows = np.flatnonzero(is_accepted)
    identity_id = pa.array(owner[rows], mask=owner[rows] < 0)
    return pa.table({"row": pa.array(rows, pa.uint32()), "identity_id": identity_id.cast(pa.uint32())})


def _store_acts(connection: duckdb.DuckDBPyConnection, batch: DecodedBatch) -> None:
    for order, act, received_at_us in batch.acts:
        details = msgspec.json.encode(act.details).decode()
        connection.execute(
            "insert into store.acts values (?, ?, ?, make_timestamp(?), ?)",
            [act.act, act.operator, details, received_at_us, order],
        )


def _store_links(connection: duckdb.DuckDBPyConnection, applied: list[AppliedLink]) -> None:
    rows = [(*each.link, each.outcome) for each in applied]
    with registered(connection, "new_links", table_of(rows, _NEW_LINKS)):
        connection.execute(read_statement("load/insert_links"))


def _advance_links(connection: duckdb.DuckDBPyConnection, links: pa.Table) -> None:
    with registered(connection, "new_links", links):
        connection.execute(read_statement("load/advance_links"))
