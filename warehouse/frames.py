"""Handing rows from Python to DuckDB: as a registered Arrow table, for the length of a block."""

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa


def table_of(rows: Sequence[Sequence[Any]], schema: dict[str, pa.DataType]) -> pa.Table:
    """Rows as an Arrow table with the columns of `schema`, in its order."""
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    arrays = [pa.array(values, kind) for values, kind in zip(columns, schema.values(), strict=True)]
    return pa.Table.from_arrays(arrays, names=list(schema))


@contextmanager
def registered(connection: duckdb.DuckDBPyConnection, name: str, table: pa.Table) -> Iterator[None]:
    """Make `table` visible to SQL on this connection as `name`."""
    connection.register(name, table)
    try:
        yield
    finally:
        # DuckDB undoes it itself in a transaction that failed, and what made it fail is what must be heard.
        with contextlib.suppress(duckdb.TransactionException):
            connection.unregister(name)
