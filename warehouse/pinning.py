"""Pinning: who came to a freed pair after an erased person keeps the number of the incarnation, and so the person id.

The message that freed the pair was the erased person's and is gone; that the pair was once another's stands in the act
of the deletion, as the end of its span. An identity's number is that among the incarnations that are left, and one more
for each that was erased before it.
"""

import json
from collections.abc import Iterable

import duckdb
import pyarrow as pa

from ingest.erasure.deletions import DELETE_PERSON, Deletion, Deletions, read_deletion
from ingest.message import Identity
from warehouse.frames import registered
from warehouse.one_id.names import founder_digest
from warehouse.statements import read_statement
from warehouse.uuids import uuids


def read_acts_of_deletion(connection: duckdb.DuckDBPyConnection, salt: str) -> Deletions:
    """The deletions whose acts are loaded."""
    statement = "select epoch_us(received_at), details from store.acts where act = ?"
    found = connection.execute(statement, [DELETE_PERSON]).fetchall()
    said = [(at_us, read_deletion(json.loads(details))) for at_us, details in found]
    return Deletions([Deletion(details.until_us or at_us, details) for at_us, details in said], salt)


def pin_incarnations(
    connection: duckdb.DuckDBPyConnection, salt: str, deletions: Deletions, identity_ids: Iterable[int] | None
) -> None:
    """Number incarnations as if nobody had been erased: those of these identities' pairs, or all."""
    wanted = None if identity_ids is None else sorted(identity_ids)
    pinned = list[tuple[int, int, bytes]]()
    for identity_id, key, value, number, order in connection.execute(
        read_statement("forget/numbered_identities"), {"identity_ids": wanted}
    ).fetchall():
        identity = Identity(key, value)
        if earlier := deletions.ended_before(identity, order):
            digest = founder_digest(salt.encode(), identity, number + earlier)
            pinned.append((identity_id, number + earlier, digest))
    rows = pa.table(
        {
            "identity_id": pa.array([each[0] for each in pinned], pa.uint32()),
            "incarnation": pa.array([each[1] for each in pinned], pa.uint32()),
            "own_person_id": uuids([each[2] for each in pinned]),
        }
    )
    if rows.num_rows:
        with registered(connection, "pinned", rows):
            connection.execute(read_statement("forget/pin_identities"))
        connection.execute(read_statement("forget/name_persons"))
