"""Storing: the parts of a batch, each into its tables; called inside the transaction of a load."""

import duckdb
import msgspec
import pyarrow as pa
from sqlglot import exp

from warehouse.batch import DecodedBatch
from warehouse.frames import registered, table_of
from warehouse.misfits import counted_misfits
from warehouse.properties import DUCKDB_TYPES, PropertyType
from warehouse.statements import read_statement

_MISFITS = {"load_id": pa.uint64(), "name": pa.string(), "reason": pa.string(), "value_count": pa.uint64()}


def next_load_id(connection: duckdb.DuckDBPyConnection) -> int:
    """The number of the load that begins."""
    rows = connection.execute("select value from store.settings where name = 'last_load_id'").fetchall()
    return int(rows[0][0]) + 1 if rows else 1


def add_columns(connection: duckdb.DuckDBPyConnection, added: list[tuple[str, PropertyType]]) -> None:
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


def store_acts(connection: duckdb.DuckDBPyConnection, batch: DecodedBatch) -> None:
    """Write the acts of operators."""
    for order, act, received_at_us in batch.acts:
        details = msgspec.json.encode(act.details).decode()
        connection.execute(
            "insert into store.acts values (?, ?, ?, make_timestamp(?), ?)",
            [act.act, act.operator, details, received_at_us, order],
        )


def store_watermark(connection: duckdb.DuckDBPyConnection, batch: DecodedBatch) -> None:
    """Write how far the log is loaded now."""
    connection.execute("delete from store.watermark")
    rows = [(stream, *mark) for stream, mark in sorted(batch.watermark.items())]
    connection.executemany("insert into store.watermark values (?, ?, ?, ?)", rows)


def store_account(connection: duckdb.DuckDBPyConnection, batch: DecodedBatch, load_id: int) -> None:
    """Write what the load counted."""
    if batch.misfits:
        rows = [(load_id, *each) for each in counted_misfits(batch.misfits)]
        with registered(connection, "new_misfits", table_of(rows, _MISFITS)):
            connection.execute("insert into store.misfits by name select * from new_misfits")
    connection.execute("delete from store.settings where name = 'last_load_id'")
    connection.execute("insert into store.settings values ('last_load_id', ?)", [str(load_id)])
