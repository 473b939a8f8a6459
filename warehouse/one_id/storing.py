"""Identities as rows: what a load writes of those that its messages carry.

What never changes of an identity is in `store.identities`; the rest is in tables beside it, to which a load only adds
rows or replaces them: an UPDATE of scattered rows makes DuckDB write whole columns again (ADR 0012).
"""

import duckdb
import pyarrow as pa

from warehouse.frames import registered
from warehouse.one_id.batches import Ints
from warehouse.one_id.sightings import Sightings
from warehouse.statements import read_statement

# Widening costs as much as there are identities, so it waits until it is a small share of what loading them cost.
_FEW_SIGHTINGS = 100_000
_SIGHTINGS_SHARE = 8


def few_sightings(identity_count: int) -> int:
    """How many later sightings may wait."""
    return max(_FEW_SIGHTINGS, identity_count // _SIGHTINGS_SHARE)


def write_identities(
    connection: duckdb.DuckDBPyConnection, new: pa.Table, sightings: Sightings, identity_id: Ints
) -> None:
    """Write new identities, and when the known ones were seen. Reads `messages`."""
    columns = {
        "row": pa.array(sightings.row, pa.uint32()),
        "identity_id": pa.array(identity_id, pa.uint32()),
        "place": pa.array(sightings.nth(), pa.uint32()),
    }
    with registered(connection, "sightings", pa.table(columns)):
        seen = connection.sql(read_statement("one_id/seen_identities")).to_arrow_table()
    with registered(connection, "seen_identities", seen), registered(connection, "new_identities", new):
        connection.execute(read_statement("one_id/insert_identities"))
        connection.execute(read_statement("one_id/insert_sightings"))


def write_persons(connection: duckdb.DuckDBPyConnection, persons_now: pa.Table, known: Ints) -> None:
    """Write whose identities are; `known` are those among them that have a row already."""
    if len(known):
        with registered(connection, "replaced", pa.table({"identity_id": pa.array(known, pa.uint32())})):
            connection.execute(
                "delete from store.identity_persons where identity_id in (select identity_id from replaced)"
            )
    if persons_now.num_rows:
        with registered(connection, "persons_now", persons_now):
            connection.execute(read_statement("one_id/insert_persons"))


def widen_seen(connection: duckdb.DuckDBPyConnection, few: int) -> None:
    """Fold later sightings into `store.identities`, where there are more than a few."""
    [(waiting,)] = connection.execute("select count(*) from store.later_sightings").fetchall()
    if waiting > few:
        connection.execute(read_statement("one_id/see_identities"))
        connection.execute("delete from store.later_sightings")
