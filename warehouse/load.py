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
import numpy as np
import numpy.typing as npt

from ingest.erasure.deletions import DELETE_PERSON, Deletions
from ingest.identity.rules import SET_IDENTITY_RULES
from ingest.log.files import LogExtent, log_extent
from ingest.settings import DecodeSettings
from warehouse.batch import BatchRequest, DecodedBatch, decode_batch
from warehouse.chosen import ChosenRecord, choose_orders
from warehouse.duplicates import Content, RecentContents, find_duplicates
from warehouse.frames import registered
from warehouse.latecomers import (
    Judged,
    forget_displaced_keys,
    judge_latecomers,
    remember_contents,
    remove_displaced,
)
from warehouse.memberships import store_memberships, touch_histories
from warehouse.one_id.pairs import pairs_of_acts
from warehouse.one_id.persons import Persons, Placed
from warehouse.one_id.refolding import refold
from warehouse.pinning import pin_incarnations, read_acts_of_deletion
from warehouse.plans import read_applied_plans
from warehouse.rejects import limit_originals
from warehouse.statements import read_statement
from warehouse.storing import (
    add_columns,
    next_load_id,
    store_account,
    store_acts,
    store_watermark,
)
from warehouse.surviving import Decoder, SurvivingDecoder
from warehouse.warehouse import Warehouse, create_views
from warehouse.watermark import read_watermark

LoadStage = Literal["begun", "stored", "committed"]


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
        self._persons = Persons(warehouse.project.salt)
        self._deletions = Deletions((), warehouse.project.salt)
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

    def store_again(self, connection: duckdb.DuckDBPyConnection, batch: DecodedBatch, judged: Judged) -> None:
        """Store a batch out of its turn; the watermark stays. Only inside `paused`.

        `messages` and `rejects` of the batch are registered already.
        """
        self._persons.restore(connection)
        load_id = next_load_id(connection)
        add_columns(connection, batch.added_columns)
        self._store_late_rows(connection, batch, judged, load_id)
        store_account(connection, batch, load_id)

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
            self._persons.restore(connection)
            self._deletions = read_acts_of_deletion(connection, self._warehouse.project.salt)
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
            identity_rules=self._persons.history.applied,
            held=self._held(),
        )

    def _held(self) -> tuple[int, int] | None:
        if self._clock is None:
            return None
        now_us = self._clock()
        return now_us - round(self._warehouse.settings.stream_hold_ms * 1000), now_us

    def _store(self, connection: duckdb.DuckDBPyConnection, batch: DecodedBatch, request: BatchRequest) -> LoadReport:
        load_id = next_load_id(connection)
        is_late = any(mark.received_at_us >= batch.first_received_at_us for mark in request.watermark.values())
        add_columns(connection, batch.added_columns)
        with registered(connection, "messages", batch.messages), registered(connection, "rejects", batch.rejects):
            if is_late:
                duplicates = self._store_late(connection, batch, load_id)
            else:
                duplicates, new_contents = find_duplicates(connection, batch.messages, self._recent)
                self._store_rows(connection, batch, duplicates, load_id)
                self._recent.store(connection, new_contents, _last_arrival_us(batch))
                store_watermark(connection, batch)
        store_account(connection, batch, load_id)
        messages = batch.messages.num_rows
        return LoadReport(batch.record_count, messages, len(duplicates), batch.rejects.num_rows)

    def _store_late(self, connection: duckdb.DuckDBPyConnection, batch: DecodedBatch, load_id: int) -> set[int]:
        """Store what should have come before something that is loaded already; returns the rows that are duplicates."""
        window_us = self._window_us
        judged = judge_latecomers(connection, batch.messages, window_us, partial(self.contents_at, connection))
        self._store_late_rows(connection, batch, judged, load_id)
        store_watermark(connection, batch)
        self._recent = RecentContents.restore(connection, window_us)
        self._recent.store(connection, [], _last_arrival_us(batch))
        return judged.duplicates

    def _store_late_rows(
        self, connection: duckdb.DuckDBPyConnection, batch: DecodedBatch, judged: Judged, load_id: int
    ) -> None:
        forget_displaced_keys(connection, judged)
        self._store_acts(connection, batch)
        accepted = _accepted(batch, judged.duplicates)
        placed, pair_ids = self._persons.place_for_now(connection, batch, accepted)
        self._store_messages(connection, batch, placed, accepted, load_id, set())
        remove_displaced(connection, judged, self._warehouse.project.timezone)
        self._refold(connection, batch, pair_ids)
        self._number(connection, batch)
        remember_contents(connection, judged, self._window_us)

    def _store_rows(
        self, connection: duckdb.DuckDBPyConnection, batch: DecodedBatch, duplicates: set[int], load_id: int
    ) -> None:
        self._store_acts(connection, batch)
        accepted = _accepted(batch, duplicates)
        placed, changed = self._persons.place(connection, batch, accepted)
        self._store_messages(connection, batch, placed, accepted, load_id, changed)
        self._refold(connection, batch, [])
        self._number(connection, batch)

    def _store_acts(self, connection: duckdb.DuckDBPyConnection, batch: DecodedBatch) -> None:
        if batch.acts:
            store_acts(connection, batch)
            self._persons.restore_acts(connection)
            self._deletions = read_acts_of_deletion(connection, self._warehouse.project.salt)
        if any(act.act == SET_IDENTITY_RULES for _, act, _ in batch.acts):
            create_views(connection, self._warehouse.project)

    def _number(self, connection: duckdb.DuckDBPyConnection, batch: DecodedBatch) -> None:
        """Give the identities that were written their public numbers, which count erased incarnations too."""
        written, self._persons.unnumbered = self._persons.unnumbered, set()
        if self._deletions.has_ended:
            has_more = any(act.act == DELETE_PERSON for _, act, _ in batch.acts)
            salt = self._warehouse.project.salt
            pin_incarnations(connection, salt, self._deletions, None if has_more else written)

    def _refold(self, connection: duckdb.DuckDBPyConnection, batch: DecodedBatch, late_pair_ids: list[int]) -> None:
        acts = [(act.act, act.details) for _, act, _ in batch.acts]
        if pair_ids := pairs_of_acts(connection, self._persons.salt, acts).union(late_pair_ids):
            changed = refold(connection, self._persons, pair_ids)
            if changed:
                touch_histories(connection, changed, self._warehouse.project.timezone)

    def _store_messages(
        self,
        connection: duckdb.DuckDBPyConnection,
        batch: DecodedBatch,
        placed: Placed,
        accepted: npt.NDArray[np.bool_],
        load_id: int,
        changed: set[int],
    ) -> None:
        timezone = {"timezone": self._warehouse.project.timezone}
        with registered(connection, "accepted", placed.accepted_rows(accepted)):
            for name in ("insert_events", "insert_calls", "insert_arrivals"):
                connection.execute(read_statement(f"load/{name}"), {"load_id": load_id})
            connection.execute(read_statement("load/insert_rejects"), {"load_id": load_id})
            connection.execute(read_statement("load/insert_keyed_messages"))
            changed = changed | store_memberships(connection, changed, **timezone)
            connection.execute(read_statement("load/touch_events"), timezone)
            connection.execute(read_statement("load/touch_accounts"), timezone)
            if changed:
                touch_histories(connection, changed, **timezone)
            if batch.violations.num_rows:
                with registered(connection, "violations", batch.violations):
                    connection.execute(read_statement("load/insert_plan_violations"), {"load_id": load_id})
        if batch.rejects.num_rows:
            limit_originals(connection, self._warehouse.settings.max_rejects_bytes)


def _accepted(batch: DecodedBatch, duplicates: set[int]) -> npt.NDArray[np.bool_]:
    """By row, whether a message is no duplicate."""
    is_accepted = np.ones(batch.messages.num_rows, dtype=np.bool_)
    is_accepted[list(duplicates)] = False
    return is_accepted


def _last_arrival_us(batch: DecodedBatch) -> int:
    return max(mark.received_at_us for mark in batch.watermark.values())
