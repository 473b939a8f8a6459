"""Who belongs to which account, from when to when: kept equal to what messages and operators' acts say.

Evidence is stored per identity; memberships and the spans that events look up are folds over it (ADR 0013), made anew
for the persons that something changed for. Called inside the writer's transaction.
"""

from collections.abc import Iterable

import duckdb
import pyarrow as pa

from warehouse.frames import registered, table_of
from warehouse.merged_accounts import MERGED, read_merged, stored_merged
from warehouse.statements import read_statement

_IDENTITIES = {"identity_id": pa.uint32()}


def store_memberships(connection: duckdb.DuckDBPyConnection, changed: Iterable[int], timezone: str) -> set[int]:
    """Bring evidence and memberships up to date inside a load; reads its relations `messages` and `accepted`.

    `changed` are the identities whose person changed. Returns an identity of each person whose accounts changed.
    """
    sightings = connection.sql(read_statement("load/batch_sightings")).to_arrow_table()
    members = _add_evidence(connection, sightings) | _store_acts(connection) | _store_merges(connection, timezone)
    return _fold(connection, members.union(changed))


def recollect_evidence(connection: duckdb.DuckDBPyConnection, identities: Iterable[int]) -> set[int]:
    """Collect the evidence of identities anew from events and calls, for messages of theirs came, moved or went.

    Returns an identity of each person whose accounts changed.
    """
    chosen = set(identities)
    with registered(connection, "recollected_identities", _identity_rows(chosen)):
        connection.execute(
            "delete from store.account_evidence "
            "where not is_act and identity_id in (select identity_id from recollected_identities)"
        )
        sightings = connection.sql(read_statement("load/stored_sightings")).to_arrow_table()
    _add_evidence(connection, sightings)
    _store_acts(connection)
    return _fold(connection, chosen)


def forget_displaced(connection: duckdb.DuckDBPyConnection, timezone: str) -> None:
    """After messages went (their log_order is in the relation `displaced`): what they were evidence of is told anew."""
    statement = (
        "select distinct identity_id from store.account_evidence "
        "where log_order in (select log_order from displaced) order by identity_id"
    )
    found = connection.sql(statement).to_arrow_table()
    if found.num_rows:
        touch_histories(connection, recollect_evidence(connection, _ids(found)), timezone)


def touch_histories(connection: duckdb.DuckDBPyConnection, identities: Iterable[int], timezone: str) -> None:
    """Note that the whole past of these identities' persons, and their accounts, must be refreshed in the marts."""
    with registered(connection, "changed_identities", _identity_rows(identities)):
        histories = connection.sql(read_statement("load/member_histories")).to_arrow_table()
    with registered(connection, "member_histories", histories):
        connection.execute(read_statement("load/touch_histories"), {"timezone": timezone})
        connection.execute(read_statement("load/touch_history_accounts"), {"timezone": timezone})


def _add_evidence(connection: duckdb.DuckDBPyConnection, sightings: pa.Table) -> set[int]:
    """Write what is new in sightings; returns the identities that it may change something for."""
    if not sightings.num_rows:
        return set()
    with registered(connection, "account_sightings", sightings):
        new = connection.sql(read_statement("load/new_evidence")).to_arrow_table()
    if not new.num_rows:
        return set()
    with registered(connection, "new_evidence", new):
        connection.execute(read_statement("load/replace_named_evidence"))
        connection.execute("insert into store.account_evidence by name select * from new_evidence")
        return _ids(connection.sql(read_statement("load/members_of_evidence")).to_arrow_table())


def _store_acts(connection: duckdb.DuckDBPyConnection) -> set[int]:
    """Make the evidence of operators' acts what they say now; returns the identities for which it was another."""
    stored = connection.sql("select * from store.account_evidence where is_act").to_arrow_table()
    said = connection.sql(read_statement("load/act_evidence")).to_arrow_table()
    before, now = (set(zip(*(column.to_pylist() for column in table.columns), strict=True)) for table in (stored, said))
    if before == now:
        return set()
    with registered(connection, "act_evidence", said):
        connection.execute("delete from store.account_evidence where is_act")
        connection.execute("insert into store.account_evidence by name select * from act_evidence")
    return {row[0] for row in before ^ now}


def _store_merges(connection: duckdb.DuckDBPyConnection, timezone: str) -> set[int]:
    """Make the merged accounts what operators say now; returns the members of those for which it was another."""
    before, now = stored_merged(connection), read_merged(connection)
    if before == now:
        return set()
    moved = {account for account in before.keys() | now.keys() if before.get(account) != now.get(account)}
    ends = {(account[0], into) for account in moved for into in (before.get(account), now.get(account)) if into}
    with registered(connection, "merged", table_of([(*account, into) for account, into in now.items()], MERGED)):
        connection.execute("delete from store.merged_accounts")
        connection.execute("insert into store.merged_accounts by name select * from merged")
    touched = [(*account, account[1]) for account in sorted(moved | ends)]
    with registered(connection, "moved_accounts", table_of(touched, MERGED)):
        connection.execute(read_statement("load/touch_moved_accounts"), {"timezone": timezone})
        return _ids(connection.sql(read_statement("load/members_of_accounts")).to_arrow_table())


def _fold(connection: duckdb.DuckDBPyConnection, changed: set[int]) -> set[int]:
    """Fold the evidence of the persons of these identities; returns those (by founder) whose accounts changed."""
    if not changed:
        return set()
    with registered(connection, "changed_identities", _identity_rows(changed)):
        folded = connection.sql(read_statement("load/folded_identities")).to_arrow_table()
    with registered(connection, "folded_identities", folded):
        memberships = connection.sql(read_statement("load/fold_memberships")).to_arrow_table()
        with registered(connection, "folded_memberships", memberships):
            moved = connection.sql(read_statement("load/moved_members")).to_arrow_table()
            spans = connection.sql(read_statement("load/fold_spans")).to_arrow_table()
            _replace(connection, "memberships", "founder_id", memberships)
            _replace(connection, "account_spans", "identity_id", spans)
    return {founder for (founder,) in zip(moved["founder_id"].to_pylist(), strict=True)}


def _replace(connection: duckdb.DuckDBPyConnection, table: str, column: str, rows: pa.Table) -> None:
    """The rows of the folded identities become these."""
    connection.execute(f"delete from store.{table} where {column} in (select identity_id from folded_identities)")
    if rows.num_rows:
        with registered(connection, "folded_rows", rows):
            connection.execute(f"insert into store.{table} by name select * from folded_rows")


def _identity_rows(identities: Iterable[int]) -> pa.Table:
    return table_of([(each,) for each in sorted(identities)], _IDENTITIES)


def _ids(table: pa.Table) -> set[int]:
    return set(table["identity_id"].to_pylist())
