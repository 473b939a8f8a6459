"""Rejects in the warehouse: what was refused is kept, its originals within a budget.

Of an original that was dropped the reason, the position and the length stay, and the log has its bytes. The rows have
no limit: each takes a hundred bytes or so, as an event does.
"""

import duckdb

from warehouse.statements import read_statement

_DROPPED = "dropped_originals_bytes"


def limit_originals(connection: duckdb.DuckDBPyConnection, max_bytes: int) -> None:
    """Empty the oldest originals while they take more than `max_bytes` together, and a tenth more, to do it rarely."""
    [(kept,)] = connection.execute("select coalesce(sum(kept_bytes), 0) from store.rejects").fetchall()
    if kept <= max_bytes:
        return
    found = connection.execute("select value from store.settings where name = ?", [_DROPPED]).fetchall()
    dropped = int(found[0][0]) if found else 0
    # In whole steps of all that ever came, so that it does not count how the log was cut into loads.
    step = max(max_bytes // 10, 1)
    excess = -(-(dropped + kept - max_bytes) // step) * step - dropped
    connection.execute(read_statement("load/limit_originals"), {"excess_bytes": excess})
    [(left,)] = connection.execute("select coalesce(sum(kept_bytes), 0) from store.rejects").fetchall()
    connection.execute("delete from store.settings where name = ?", [_DROPPED])
    connection.execute("insert into store.settings values (?, ?)", [_DROPPED, str(dropped + kept - left)])
