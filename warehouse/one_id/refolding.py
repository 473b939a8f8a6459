"""Refolding: what comes late, or changes the past, makes persons anew, but only where it may touch them."""

from collections.abc import Iterable

import duckdb
import numpy as np
import pyarrow as pa

from warehouse.frames import registered, uuids
from warehouse.memberships import recollect_evidence
from warehouse.one_id.batches import Ints, first_links, link_rows, move_rows
from warehouse.one_id.components import FoldedComponent, find_component, fold_component
from warehouse.one_id.graph import RELEASES
from warehouse.one_id.names import founder_digest
from warehouse.one_id.persons import Persons
from warehouse.statements import read_statement


def refold(connection: duckdb.DuckDBPyConnection, persons: Persons, pair_ids: Iterable[int]) -> set[int]:
    """Fold anew whatever may hang together with these pairs, and write it; `persons` is to be restored after it.

    Returns the identities concerned, if any of them changed.
    """
    component = find_component(connection, persons.salt, pair_ids)
    folded = fold_component(component, persons.salt, persons.voids, persons.history)
    writer = _Writer(connection, persons, folded)
    return writer.write()


class _Writer:
    """Writes a folded component in the place of what is stored of it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, persons: Persons, folded: FoldedComponent) -> None:
        self._connection = connection
        self._salt = persons.salt
        self._stored = folded.component.stored
        self._messages = folded.component.messages
        self._of = folded
        self._incarnation = folded.graph.incarnations(folded.folded.new[:, 0])
        self._identity_id = self._names(persons.graph.identity_count)

    def _names(self, next_id: int) -> Ints:
        """The stored identity id of each local one; a new number where there is none."""
        columns = (self._stored[name].to_pylist() for name in ("pair_id", "incarnation", "identity_id"))
        known = {(pair_id, number): identity_id for pair_id, number, identity_id in zip(*columns, strict=True)}
        next_id = max([next_id, *(identity_id + 1 for identity_id in known.values())])
        named = np.empty(len(self._incarnation), np.int64)
        pair_ids = self._of.component.pair_ids[self._of.folded.new[:, 1]]
        for local, name in enumerate(zip(pair_ids.tolist(), self._incarnation.tolist(), strict=True)):
            if name not in known:
                known[name], next_id = next_id, next_id + 1
            named[local] = known[name]
        return named

    def write(self) -> set[int]:
        before = self._fingerprint()
        rows = self._identity_rows()
        old = pa.table({"identity_id": self._stored["identity_id"]})
        with (
            registered(self._connection, "old_identities", old),
            registered(self._connection, "messages", self._messages.append_column("row", self._row_numbers())),
        ):
            for table, column in (
                ("identities", "identity_id"),
                ("identity_moves", "identity_id"),
                ("links", "left_identity_id"),
            ):
                self._connection.execute(
                    f"delete from store.{table} using old_identities as old where {table}.{column} = old.identity_id"
                )
            self._write(
                "folded_identities", rows, "insert into store.identities by name select * from folded_identities"
            )
            self._write("new_links", self._link_rows(), read_statement("one_id/insert_links"))
            self._write("new_moves", self._move_rows(), read_statement("one_id/insert_moves"))
        has_moved_messages = self._move_messages()
        concerned = set(self._identity_id.tolist())
        self._forget_gone(set(self._stored["identity_id"].to_pylist()) - concerned)
        changed = recollect_evidence(self._connection, concerned)
        return changed | concerned if has_moved_messages or before != self._fingerprint() else changed

    def _forget_gone(self, gone: set[int]) -> None:
        """What is kept by identity, of identities that are no more."""
        with registered(self._connection, "gone", pa.table({"identity_id": pa.array(sorted(gone), pa.uint32())})):
            for table, column in (
                ("account_evidence", "identity_id"),
                ("account_spans", "identity_id"),
                ("memberships", "founder_id"),
            ):
                self._connection.execute(f"delete from store.{table} where {column} in (select identity_id from gone)")

    def _write(self, name: str, rows: pa.Table, statement: str) -> None:
        if rows.num_rows:
            with registered(self._connection, name, rows):
                self._connection.execute(statement)

    def _fingerprint(self) -> list[tuple[int, int]]:
        """Whose the identities of these pairs are now."""
        ids = np.unique(np.r_[self._stored["identity_id"].to_numpy().astype(np.int64), self._identity_id])
        with registered(self._connection, "concerned", pa.table({"identity_id": pa.array(ids, pa.uint32())})):
            return self._connection.execute(
                "select identity_id, founder_id from store.identities semi join concerned using (identity_id) "
                "order by identity_id"
            ).fetchall()

    def _row_numbers(self) -> pa.Array:
        return pa.array(np.arange(self._messages.num_rows), pa.uint32())

    def _identity_rows(self) -> pa.Table:
        """The identities as they are now, a row each."""
        new, component = self._of.folded.new, self._of.component
        sightings, seen_by = self._of.sightings, self._of.folded.identity_id
        nth, count = sightings.nth(), len(self._identity_id)
        moments = self._messages["message_at"].cast(pa.int64()).to_numpy()[sightings.row]
        first, last = np.full(count, np.iinfo(np.int64).max), np.full(count, np.iinfo(np.int64).min)
        np.minimum.at(first, seen_by, moments)
        np.maximum.at(last, seen_by, moments)
        orders = self._messages["log_order"].to_pylist()
        named = [component.identities[place] for place in new[:, 1].tolist()]
        own = [founder_digest(self._salt, one, n) for one, n in zip(named, self._incarnation.tolist(), strict=True)]
        founders = self._of.founders()
        freed = {int(local): (orders[row], RELEASES[cause]) for local, row, cause in self._of.folded.released.tolist()}
        return pa.table(
            {
                "identity_id": pa.array(self._identity_id, pa.uint32()),
                "pair_id": pa.array(component.pair_ids[new[:, 1]], pa.uint32()),
                "identity_key": pa.array([each.key for each in named], pa.string()),
                "identity_value": pa.array([each.value for each in named], pa.string()),
                "incarnation": pa.array(self._incarnation, pa.uint32()),
                "unbound_order": pa.array([freed.get(n, (None,))[0] for n in range(count)], pa.string()),
                "unbound_because": pa.array([freed.get(n, (None, None))[1] for n in range(count)], pa.string()),
                "first_seen_at": pa.array(first).cast(pa.timestamp("us")),
                "last_seen_at": pa.array(last).cast(pa.timestamp("us")),
                "log_order": pa.array([f"{orders[sightings.row[at]]}/{nth[at]:06d}" for at in new[:, 2].tolist()]),
                "founder_id": pa.array(self._identity_id[founders], pa.uint32()),
                "own_person_id": uuids(own),
                "person_id": uuids([own[founder] for founder in founders.tolist()]),
            }
        )

    def _link_rows(self) -> pa.Table:
        links = first_links(self._of.folded.links).copy()
        ends = self._identity_id[links[:, :2]]
        links[:, 0], links[:, 1] = ends.min(axis=1, initial=1 << 40), ends.max(axis=1, initial=-1)
        return link_rows(links, self._of.graph.keys.names())

    def _move_rows(self) -> pa.Table:
        moves = self._of.folded.moves.copy()
        moves[:, :2] = self._identity_id[moves[:, :2]]
        return move_rows(moves)

    def _move_messages(self) -> bool:
        """Point messages to the incarnation that they are of now; whether there were any to move."""
        now = np.empty(self._messages.num_rows, np.int64)
        is_owner = self._of.sightings.nth() == 0
        now[self._of.sightings.row[is_owner]] = self._identity_id[self._of.folded.identity_id[is_owner]]
        is_moved = now != self._messages["identity_id"].to_numpy()
        if not is_moved.any():
            return False
        moved = pa.table(
            {
                "log_order": self._messages["log_order"].filter(pa.array(is_moved)),
                "identity_id": pa.array(now[is_moved], pa.uint32()),
            }
        )
        with registered(self._connection, "moved", moved):
            self._connection.execute("create or replace temp table moved_messages as select * from moved")
        for table in ("events", "calls"):
            self._connection.execute(
                f"update store.{table} set identity_id = moved.identity_id from moved_messages as moved "
                f"where {table}.log_order = moved.log_order"
            )
        self._connection.execute("drop table moved_messages")
        return True
