"""Interning: every (key, value) pair gets a dense number that never leaves the warehouse.

An unbound pair is free from the next message on: when it comes again it is a new incarnation with a new number, and
its past stays with the person it belonged to.
"""

from dataclasses import dataclass
from typing import NamedTuple

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.message import Identity
from warehouse.batch import DecodedBatch
from warehouse.frames import registered
from warehouse.identity import SAME_VALUE_KEYS, twin_of
from warehouse.statements import read_statement

_NOBODY = -1


class NewIdentity(NamedTuple):
    """A pair seen for the first time in this incarnation; `row` is the message that brought it, at `place` in it."""

    identity_id: int
    identity: Identity
    incarnation: int
    row: int
    place: int


class Twins(NamedTuple):
    """A new identity and a live one that shares its value; `row` is the message that brought the new one."""

    new_id: int
    twin_id: int
    row: int


@dataclass(frozen=True)
class Interned:
    """The dense ids of a batch. `row`, `place` and `identity_id` are parallel: one entry per sighting of an accepted
    message, in order; at place 0 stands the identity the message belongs to.
    """

    row: npt.NDArray[np.int64]
    place: npt.NDArray[np.int64]
    identity_id: npt.NDArray[np.int64]
    new: list[NewIdentity]
    twins: list[Twins]
    unbound: list[tuple[int, int]]  # (identity, row)


def intern_pairs(connection: duckdb.DuckDBPyConnection, batch: DecodedBatch, skipped_rows: set[int]) -> Interned:
    """Give each pair of the accepted rows its dense id, new ones in the order of first sighting."""
    is_accepted = np.ones(batch.messages.num_rows, dtype=bool)
    is_accepted[list(skipped_rows)] = False
    sightings = is_accepted[batch.sighting_row]
    row = batch.sighting_row[sightings].astype(np.int64)
    pair = batch.sighting_pair[sightings].astype(np.int64)
    issuer = _Issuer(_Known.of(connection, batch.pairs), _next_identity_id(connection), batch.pairs)
    place = _places(row)
    unbind_rows = set(batch.unbind_rows)
    if unbind_rows.isdisjoint(row.tolist()):
        identity_id = issuer.issue(pair, row, place)
    else:
        identity_id = issuer.issue_one_by_one(pair, row, place, unbind_rows)
    return Interned(row, place, identity_id, issuer.new, issuer.twins, issuer.unbound)


def _places(row: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The place of each sighting in its message: 0, 1, ... from where a new row begins."""
    at = np.arange(len(row))
    begins = np.concatenate([[True], row[1:] != row[:-1]]) if len(row) else np.zeros(0, dtype=bool)
    return at - np.maximum.accumulate(np.where(begins, at, 0)) if len(row) else at


@dataclass(frozen=True)
class _Known:
    """By index of the pair: its live identity (or nobody), the next incarnation, and the live identity of its twin."""

    identity_id: npt.NDArray[np.int64]
    next_incarnation: npt.NDArray[np.int64]
    twin_id: npt.NDArray[np.int64]

    @classmethod
    def of(cls, connection: duckdb.DuckDBPyConnection, pairs: pa.Table) -> "_Known":
        known = cls(*(np.full(pairs.num_rows, value, dtype=np.int64) for value in (_NOBODY, 0, _NOBODY)))
        with registered(connection, "pairs", _with_twins(pairs)):
            found = connection.sql(read_statement("load/known_identities")).to_arrow_table()
        index = found["pair"].to_numpy()
        known.identity_id[index] = _or_nobody(found["identity_id"])
        known.next_incarnation[index] = found["next_incarnation"].to_numpy()
        known.twin_id[index] = _or_nobody(found["twin_id"])
        return known


def _or_nobody(ids: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    return ids.cast(pa.int64()).fill_null(_NOBODY).to_numpy()  # type: ignore[no-any-return]  # pyarrow has no types


def _with_twins(pairs: pa.Table) -> pa.Table:
    keys = pairs["identity_key"].to_pylist()
    twins = pa.array([SAME_VALUE_KEYS.get(key) for key in keys], pa.string())
    numbers = pa.array(np.arange(pairs.num_rows, dtype=np.uint32))
    return pairs.append_column("twin_key", twins).append_column("pair", numbers)


class _Issuer:
    """Hands out dense ids for pairs that have none."""

    def __init__(self, known: _Known, next_id: int, pairs: pa.Table) -> None:
        self.new: list[NewIdentity] = []
        self.twins: list[Twins] = []
        self.unbound: list[tuple[int, int]] = []
        self._known = known
        self._next_id = next_id
        keys, values = pairs["identity_key"].to_pylist(), pairs["identity_value"].to_pylist()
        self._identities = list(map(Identity, keys, values))
        self._issued: dict[Identity, int] = {}

    def issue(
        self, pair: npt.NDArray[np.int64], row: npt.NDArray[np.int64], place: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """The dense id of each sighting, where nothing is unbound."""
        identity_of = self._known.identity_id
        seen, first = np.unique(pair, return_index=True)
        for at in np.sort(first[identity_of[seen] == _NOBODY]):
            identity_of[pair[at]] = self._issue(int(pair[at]), int(row[at]), int(place[at]))
        return identity_of[pair]

    def issue_one_by_one(
        self,
        pair: npt.NDArray[np.int64],
        row: npt.NDArray[np.int64],
        place: npt.NDArray[np.int64],
        unbind_rows: set[int],
    ) -> npt.NDArray[np.int64]:
        """The same where messages unbind pairs, which are somebody new from there on."""
        identity_of, found = self._known.identity_id, np.empty(len(pair), dtype=np.int64)
        for at, (index, its_row, its_place) in enumerate(zip(pair.tolist(), row.tolist(), place.tolist(), strict=True)):
            if identity_of[index] == _NOBODY:
                identity_of[index] = self._issue(index, its_row, its_place)
            found[at] = identity_of[index]
            if its_row in unbind_rows:
                self._unbind(index, its_row)
        return found

    def _issue(self, index: int, row: int, place: int) -> int:
        identity = self._identities[index]
        identity_id, self._next_id = self._next_id, self._next_id + 1
        incarnation = int(self._known.next_incarnation[index])
        self._known.next_incarnation[index] += 1
        self.new.append(NewIdentity(identity_id, identity, incarnation, row, place))
        self._issued[identity] = identity_id
        twin_id = self._twin_of(index, identity)
        if twin_id is not None:
            self.twins.append(Twins(identity_id, twin_id, row))
        return identity_id

    def _twin_of(self, index: int, identity: Identity) -> int | None:
        twin = twin_of(identity)
        if twin is None:
            return None
        known = int(self._known.twin_id[index])
        return known if known != _NOBODY else self._issued.get(twin)

    def _unbind(self, index: int, row: int) -> None:
        identity_id = int(self._known.identity_id[index])
        self.unbound.append((identity_id, row))
        self._known.identity_id[index] = _NOBODY
        self._issued.pop(self._identities[index], None)
        # The twin's entry in `twin_id` of its counterpart is stale from here on: whoever is unbound is nobody's twin.
        self._known.twin_id[self._known.twin_id == identity_id] = _NOBODY


def _next_identity_id(connection: duckdb.DuckDBPyConnection) -> int:
    rows = connection.execute("select coalesce(max(identity_id) + 1, 0) from store.identities").fetchall()
    return int(rows[0][0])
