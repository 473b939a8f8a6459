"""Handing rows from Python to DuckDB: as a registered Arrow table, for the length of a block."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
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


def uuid_bytes(digests: Iterable[bytes]) -> npt.NDArray[np.uint8]:
    """Hashes of 16 bytes as UUIDs of version 8 (RFC 9562), as `ingest.message.uuid_of` shapes one; 16 bytes a row."""
    raw = np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, 16).copy()
    raw[:, 6] = raw[:, 6] & 0x0F | 0x80
    raw[:, 8] = raw[:, 8] & 0x3F | 0x80
    return raw


def uuids(digests: Iterable[bytes]) -> pa.Array:
    """The same as a column."""
    raw = uuid_bytes(digests)
    storage = pa.Array.from_buffers(pa.binary(16), len(raw), [None, pa.py_buffer(raw.tobytes())])
    return pa.ExtensionArray.from_storage(pa.uuid(), storage)
