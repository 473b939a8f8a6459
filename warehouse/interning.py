"""Interning: every (key, value) pair gets a dense number that never leaves the warehouse.

An unbound pair is free from the next message on: when it comes again it is a new incarnation with a new number, and
its past stays with the person it belonged to.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import NamedTuple

import duckdb
import pyarrow as pa

from ingest.message import Identity
from warehouse.batch import DecodedBatch
from warehouse.frames import registered, table_of
from warehouse.identity import twin_of
from warehouse.statements import read_statement

_PAIRS = {"pair": pa.uint32(), "identity_key": pa.string(), "identity_value": pa.string()}


class NewIdentity(NamedTuple):
    """A pair seen for the first time in this incarnation; `row` is the message that brought it."""

    identity_id: int
    identity: Identity
    incarnation: int
    row: int


class Twins(NamedTuple):
    """A new identity and a live one that shares its value; `row` is the message that brought the new one."""

    new_id: int
    twin_id: int
    row: int


@dataclass(frozen=True)
class Interned:
    """The dense ids of a batch: per accepted row all its identities, the one it belongs to first."""

    identities_of_row: dict[int, list[int]]
    new: list[NewIdentity]
    twins: list[Twins]
    unbound: list[tuple[int, int]]  # (identity, row)


def intern_pairs(connection: duckdb.DuckDBPyConnection, batch: DecodedBatch, skipped_rows: set[int]) -> Interned:
    """Give each pair of the accepted rows its dense id, new ones in the order of first sighting."""
    known = _known_identities(connection, list(dict.fromkeys([*batch.pairs, *filter(None, map(twin_of, batch.pairs))])))
    current = {pair: identity_id for pair, (identity_id, _) in known.items() if identity_id is not None}
    next_incarnation = {pair: incarnation + 1 for pair, (_, incarnation) in known.items()}
    next_id = _next_identity_id(connection)
    unbind_rows = set(batch.unbind_rows)
    identities_of_row: dict[int, list[int]] = defaultdict(list)
    new, twins, unbound = list[NewIdentity](), list[Twins](), list[tuple[int, int]]()
    for row, index in zip(batch.sighting_row, batch.sighting_pair, strict=True):
        if row in skipped_rows:
            continue
        pair = batch.pairs[index]
        identity_id = current.get(pair)
        if identity_id is None:
            identity_id, next_id = next_id, next_id + 1
            current[pair] = identity_id
            incarnation = next_incarnation.get(pair, 0)
            next_incarnation[pair] = incarnation + 1
            new.append(NewIdentity(identity_id, pair, incarnation, row))
            twin = twin_of(pair)
            if twin in current:
                twins.append(Twins(identity_id, current[twin], row))
        identities_of_row[row].append(identity_id)
        if row in unbind_rows:
            unbound.append((identity_id, row))
            del current[pair]
    return Interned(identities_of_row, new, twins, unbound)


def _known_identities(
    connection: duckdb.DuckDBPyConnection, pairs: list[Identity]
) -> dict[Identity, tuple[int | None, int]]:
    """The live dense id (None when unbound) and the highest incarnation, of those pairs that were ever seen."""
    rows = [(index, pair.key, pair.value) for index, pair in enumerate(pairs)]
    with registered(connection, "pairs", table_of(rows, _PAIRS)):
        found = connection.execute(read_statement("load/known_identities")).fetchall()
    return {pairs[index]: (identity_id, incarnation) for index, identity_id, incarnation in found}


def _next_identity_id(connection: duckdb.DuckDBPyConnection) -> int:
    rows = connection.execute("select coalesce(max(identity_id) + 1, 0) from store.identities").fetchall()
    return int(rows[0][0])
