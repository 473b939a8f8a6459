"""Rejects in the warehouse: what was refused is kept, its originals within a budget.

Of an original that was dropped the reason, the position and the length stay, and the log has its bytes.
"""

import duckdb

from warehouse.statements import read_statement


def limit_originals(connection: duckdb.DuckDBPyConnection, max_bytes: int) -> None:
    """Empty the oldest originals while they take more than `max_bytes` together."""
    [(kept,)] = connection.execute("select coalesce(sum(kept_bytes), 0) from store.rejects").fetchall()
    if kept > max_bytes:
        connection.execute(read_statement("load/limit_originals"), {"max_bytes": max_bytes})
