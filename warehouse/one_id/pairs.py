"""Pairs: every (key, value) is known by the id of its first incarnation, found by a hash of its name."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from ingest.message import Identity
from warehouse.frames import registered
from warehouse.one_id.acts import VOIDING_ACTS, Voids, touched_by
from warehouse.one_id.graph import Keys, Pairs
from warehouse.one_id.names import pair_digest, twin_of
from warehouse.one_id.pair_index import PairIndex
from warehouse.statements import read_statement
from warehouse.uuids import uuids


@dataclass(frozen=True)
class KnownPairs:
    """The pairs of a batch and, behind them, known twins that the batch itself does not carry; `digests` are the hashes
    of their names.
    """

    identities: list[Identity]
    digests: list[bytes]
    columns: Pairs


def known_pairs(index: PairIndex, salt: bytes, identities: Sequence[Identity], keys: Keys, voids: Voids) -> KnownPairs:
    """Look up what is known of pairs and of their twins."""
    carried = {identity: place for place, identity in enumerate(identities)}
    twins = [twin_of(identity) for identity in identities]
    every = [*identities, *(twin for twin in dict.fromkeys(twins) if twin is not None and twin not in carried)]
    digests = [pair_digest(salt, identity) for identity in every]
    pair_id = index.find(digests)
    is_kept = np.arange(len(every)) < len(identities)
    kept = np.flatnonzero(is_kept | (pair_id >= 0))
    found = [every[place] for place in kept.tolist()]
    place_of = {identity: place for place, identity in enumerate(found)}
    twin = [place_of.get(each, -1) if each is not None else -1 for each in twins]
    twin_void = [voids.code(one, two) if two is not None else 0 for one, two in zip(identities, twins, strict=True)]
    behind = len(found) - len(identities)
    first_bytes = np.frombuffer(b"".join(digests), dtype=">u4").reshape(-1, 4)[:, 0]
    return KnownPairs(
        found,
        [digests[place] for place in kept.tolist()],
        Pairs(
            pair_id=pair_id[kept],
            key=np.array([keys.number(identity.key) for identity in found], np.int64),
            digest=first_bytes[kept].astype(np.int64),
            twin=np.array(twin + [-1] * behind, np.int64),
            twin_void=np.array(twin_void + [0] * behind, np.int64),
        ),
    )


def find_pairs(connection: duckdb.DuckDBPyConnection, salt: bytes, identities: Sequence[Identity]) -> list[int]:
    """The ids of those pairs that were ever seen."""
    found = _find(connection, [pair_digest(salt, identity) for identity in identities])
    return [pair_id for pair_id in found.tolist() if pair_id >= 0]


def find_values(connection: duckdb.DuckDBPyConnection, values: set[str]) -> list[int]:
    """The ids of the pairs that have one of these values, whatever their key."""
    statement = "select distinct pair_id from store.identities where list_contains($values, identity_value)"
    rows = connection.execute(statement, {"values": sorted(values)}).fetchall() if values else []
    return [pair_id for (pair_id,) in rows]


def pairs_of_acts(
    connection: duckdb.DuckDBPyConnection, salt: bytes, acts: Iterable[tuple[str, dict[str, Any]]]
) -> set[int]:
    """The ids of the pairs whose past operators' acts (name, details) may change."""
    pair_ids = set[int]()
    for act, details in acts:
        if act in VOIDING_ACTS:
            identities, values = touched_by(act, details)
            pair_ids.update(find_pairs(connection, salt, sorted(identities)))
            pair_ids.update(find_values(connection, values))
    return pair_ids


def _find(connection: duckdb.DuckDBPyConnection, digests: list[bytes]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    names = pa.table({"place": pa.array(range(len(digests)), pa.uint32()), "pair_hash": uuids(digests)})
    with registered(connection, "names", names):
        found = connection.sql(read_statement("one_id/known_pairs")).to_arrow_table()
    pair_id = np.full(len(digests), -1, np.int64)
    pair_id[found["place"].to_numpy()] = found["pair_id"].to_numpy()
    return pair_id
