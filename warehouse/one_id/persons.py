"""Persons on disk, kept equal to what the messages say.

The graph in memory is a cache of what is stored. Messages that come in canonical order are folded onto it; what
comes late, and acts that change the past, are left to `warehouse.one_id.refolding`.
"""

from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingest.identity.history import RulesHistory
from warehouse.batch import DecodedBatch
from warehouse.frames import registered
from warehouse.one_id.acts import Voids, read_rules_history, read_voids
from warehouse.one_id.arrays import StoredIdentities
from warehouse.one_id.batches import (
    Ints,
    MessageRows,
    first_links,
    graph_messages,
    link_rows,
    move_rows,
    new_identity_rows,
    released_rows,
)
from warehouse.one_id.graph import LINK_OUTCOMES, Folded, IdentityGraph
from warehouse.one_id.pair_index import PairIndex
from warehouse.one_id.pairs import KnownPairs, known_pairs
from warehouse.one_id.sightings import Sightings
from warehouse.one_id.storing import few_sightings, widen_seen, write_identities, write_persons
from warehouse.statements import read_statement

_JOINING = (LINK_OUTCOMES.index("merged"), LINK_OUTCOMES.index("joined"))


@dataclass(frozen=True)
class Placed:
    """Whom messages belong to: `identity_id` by row (-1: nobody); all sightings, and `pair_id` by place of the pair."""

    identity_id: Ints
    sightings: Sightings
    pair_id: Ints

    def accepted_rows(self, accepted: npt.NDArray[np.bool_]) -> pa.Table:
        """The rows of accepted messages, each with the identity it belongs to, if any, and its other pairs."""
        rows = np.flatnonzero(accepted)
        owner = pa.array(self.identity_id[rows], mask=self.identity_id[rows] < 0).cast(pa.uint32())
        return pa.table(
            {"row": pa.array(rows, pa.uint32()), "identity_id": owner, "other_pair_ids": self._other_pair_ids(rows)}
        )

    def _other_pair_ids(self, rows: Ints) -> pa.Array:
        """By row, the ids of the pairs behind the first; null where there are none."""
        is_other = self.sightings.nth() > 0
        counts = np.bincount(self.sightings.row[is_other], minlength=len(self.identity_id))
        values = pa.array(self.pair_id[self.sightings.pair[is_other]], pa.uint32())
        lists = pa.ListArray.from_arrays(pa.array(np.r_[0, np.cumsum(counts)], pa.int32()), values)
        return pc.if_else(pa.array(counts > 0), lists, pa.scalar(None, lists.type)).take(pa.array(rows))


class Persons:
    """The persons of one warehouse. Called inside the writer's transaction; its owner restores it after a failure."""

    def __init__(self, salt: str) -> None:
        self.salt = salt.encode()
        self.graph = IdentityGraph()
        self.pairs = PairIndex(np.zeros((0, 16), np.uint8), np.zeros(0, np.int64))
        self.voids = Voids()
        self.history = RulesHistory()
        self.unnumbered = set[int]()
        """Identities written by this load whose number does not count erased incarnations yet."""

    def restore(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Read the graph and what operators have set; the tables are not touched."""
        self.graph, self.pairs = read_graph(connection)
        self.restore_acts(connection)

    def restore_acts(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Read what operators have set, retracted and blocked so far."""
        self.voids, self.history = read_voids(connection), read_rules_history(connection)

    def place(
        self, connection: duckdb.DuckDBPyConnection, batch: DecodedBatch, accepted: npt.NDArray[np.bool_]
    ) -> tuple[Placed, set[int]]:
        """Fold the accepted messages of a batch, which come in canonical order, and write what that changes.

        Returns whom they belong to, and the identities that changed persons.
        """
        sightings, known = self._look_up(batch, accepted)
        rows = message_rows(batch)
        messages, versions = graph_messages(
            rows, sightings, self.voids.codes(sightings, known.identities), self.history
        )
        folded = self.graph.fold(versions, messages, known.columns)
        self._index(known, folded.pair_id)
        self._write(connection, known, sightings, folded)
        widen_seen(connection, few_sightings(self.graph.identity_count))
        owner = np.full(len(rows.arrived_us), -1, np.int64)
        first = sightings.nth() == 0
        owner[sightings.row[first]] = folded.identity_id[first]
        return Placed(owner, sightings, folded.pair_id), set(folded.moves[:, 0].tolist())

    def place_for_now(
        self, connection: duckdb.DuckDBPyConnection, batch: DecodedBatch, accepted: npt.NDArray[np.bool_]
    ) -> tuple[Placed, list[int]]:
        """Give messages that come late the first incarnations of their pairs; returns also these pairs, to refold."""
        sightings, known = self._look_up(batch, accepted)
        pair_id = known.columns.pair_id.copy()
        used = np.zeros(len(pair_id), np.bool_)
        used[sightings.pair] = True
        new = np.flatnonzero(used & (pair_id < 0))
        pair_id[new] = self.graph.identity_count + np.arange(len(new))
        self._index(known, pair_id)
        first_seen = dict(zip(sightings.pair[::-1].tolist(), range(len(sightings.pair) - 1, -1, -1), strict=True))
        rows = np.array([[pair_id[place], place, first_seen[place]] for place in new.tolist()], np.int64).reshape(-1, 3)
        identities = new_identity_rows(rows, np.zeros(len(rows), np.int64), pair_id, known.identities, self.salt)
        write_identities(connection, identities, sightings, pair_id[sightings.pair])
        alone = identities.select(["identity_id", "identity_key"])
        write_persons(connection, alone.append_column("founder_id", alone["identity_id"]), rows[:0, 0])
        owner = np.full(batch.messages.num_rows, -1, np.int64)
        first = sightings.nth() == 0
        owner[sightings.row[first]] = pair_id[sightings.pair[first]]
        return Placed(owner, sightings, pair_id), np.unique(pair_id[sightings.pair]).tolist()

    def _look_up(self, batch: DecodedBatch, accepted: npt.NDArray[np.bool_]) -> tuple[Sightings, KnownPairs]:
        sightings = batch.sightings.of_rows(accepted)
        return sightings, known_pairs(self.pairs, self.salt, batch.pairs, self.graph.keys, self.voids)

    def _index(self, known: KnownPairs, pair_id: Ints) -> None:
        new = np.flatnonzero((known.columns.pair_id < 0) & (pair_id >= 0))
        self.pairs.add([known.digests[place] for place in new.tolist()], pair_id[new])

    def _write(
        self, connection: duckdb.DuckDBPyConnection, known: KnownPairs, sightings: Sightings, folded: Folded
    ) -> None:
        incarnation = self.graph.incarnations(folded.new[:, 0])
        self.unnumbered.update(folded.new[:, 0].tolist())
        rows = new_identity_rows(folded.new, incarnation, folded.pair_id, known.identities, self.salt)
        write_identities(connection, rows, sightings, folded.identity_id)
        self._write_changed_persons(connection, folded)
        if len(folded.released):
            with registered(connection, "released", released_rows(folded.released)):
                connection.execute(read_statement("one_id/unbind_identities"))
        first_new = self.graph.identity_count - len(folded.new)
        self._write_links(connection, first_links(folded.links), first_new)
        if len(folded.moves):
            with registered(connection, "new_moves", move_rows(folded.moves)):
                moves = read_statement("one_id/moves_of_messages")
                connection.execute(f"insert into store.identity_moves by name {moves}")

    def _write_links(self, connection: duckdb.DuckDBPyConnection, links: Ints, first_new: int) -> None:
        table = link_rows(links, self.graph.keys.names())
        may_be_stored = _may_be_stored(links, first_new)
        unseen = np.flatnonzero(~may_be_stored)
        if may_be_stored.any():
            with registered(connection, "candidates", table.filter(pa.array(may_be_stored))):
                found = connection.sql(read_statement("one_id/unseen_links")).to_arrow_table()
            unseen = np.union1d(unseen, found["candidate"].to_numpy())
        if len(unseen):
            with registered(connection, "new_links", table.take(unseen)):
                connection.execute("insert into store.links by name " + read_statement("one_id/links_of_messages"))

    def _write_changed_persons(self, connection: duckdb.DuckDBPyConnection, folded: Folded) -> None:
        """Write whose new identities are, and those that changed persons."""
        new, moved = folded.new[:, 0], np.unique(folded.moves[:, 0])
        changed = np.union1d(new, moved)
        rows = {
            "identity_id": pa.array(changed, pa.uint32()),
            "identity_key": pa.array(self.graph.key_names(changed), pa.string()),
            "founder_id": pa.array(self.graph.founders(changed), pa.uint32()),
        }
        write_persons(connection, pa.table(rows), np.setdiff1d(moved, new))


def read_graph(connection: duckdb.DuckDBPyConnection) -> tuple[IdentityGraph, PairIndex]:
    """The graph that the stored identities describe, and where their pairs are found."""
    stored = connection.sql(read_statement("one_id/stored_identities")).to_arrow_table()
    keys = stored["identity_key"].combine_chunks().dictionary_encode()
    if isinstance(keys, pa.ChunkedArray):
        keys = keys.combine_chunks()
    names = ("identity_id", "pair_id", "incarnation", "founder_id", "arrived_us", "place")
    numbers = {name: stored[name].to_numpy().astype(np.int64) for name in names}
    hashes = _bytes_of(stored["pair_hash"])
    numbers["place"] |= np.ascontiguousarray(hashes[:, :4]).view(">u4")[:, 0].astype(np.int64)
    graph = IdentityGraph.restored(
        StoredIdentities(
            **numbers,
            key=keys.indices.to_numpy().astype(np.int64),
            is_live=stored["is_live"].to_numpy(),
        ),
        keys.dictionary.to_pylist(),
    )
    is_first = numbers["identity_id"] == numbers["pair_id"]
    return graph, PairIndex(hashes[is_first], numbers["pair_id"][is_first])


def _bytes_of(column: pa.ChunkedArray) -> npt.NDArray[np.uint8]:
    """A column of 16 bytes as 16 bytes a row."""
    found = [np.zeros((0, 16), np.uint8)]
    for chunk in column.cast(pa.binary(16)).chunks:
        every = np.frombuffer(chunk.buffers()[1] or b"", np.uint8).reshape(-1, 16)
        found.append(every[chunk.offset : chunk.offset + len(chunk)])
    return np.concatenate(found)


def _may_be_stored(links: Ints, first_new: int) -> npt.NDArray[np.bool_]:
    """Which links may have been tried before: between two known identities that this very link did not join."""
    is_joining: npt.NDArray[np.bool_] = np.isin(links[:, 4], _JOINING)
    is_known: npt.NDArray[np.bool_] = links[:, :2].max(axis=1, initial=-1) < first_new
    return is_known & ~is_joining


def message_rows(batch: DecodedBatch) -> MessageRows:
    """The messages of a batch as the graph sees them."""
    table = batch.messages
    return MessageRows(
        arrived_us=table["received_at_us"].to_numpy(),
        index=table["message_index"].to_numpy().astype(np.int64),
        record_type=table["record_type"].to_pylist(),
        is_unbind=table["is_unbind"].to_numpy(),
    )
