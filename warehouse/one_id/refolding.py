"""Refolding: what comes late, or changes the past, makes persons anew, but only where it may touch them."""

from collections.abc import Iterable

import duckdb
import numpy as np
import pyarrow as pa

from warehouse.frames import registered
from warehouse.memberships import recollect_evidence
from warehouse.one_id.components import find_component, fold_component
from warehouse.one_id.folded_rows import FoldedRows
from warehouse.one_id.persons import Persons
from warehouse.statements import read_statement

_BY_IDENTITY = (
    ("identities", "identity_id"),
    ("identity_persons", "identity_id"),
    ("unbound_identities", "identity_id"),
    ("later_sightings", "identity_id"),
    ("identity_moves", "identity_id"),
    ("links", "left_identity_id"),
)
_OF_THE_GONE = (("account_evidence", "identity_id"), ("account_spans", "identity_id"), ("memberships", "founder_id"))


def refold(connection: duckdb.DuckDBPyConnection, persons: Persons, pair_ids: Iterable[int]) -> set[int]:
    """Fold anew whatever may hang together with these pairs, and write it, also into the graph.

    Returns the identities concerned, if any of them changed.
    """
    component = find_component(connection, persons.salt, pair_ids)
    folded = fold_component(component, persons.salt, persons.voids, persons.history)
    rows = FoldedRows(folded, persons.salt, persons.graph.identity_count)
    persons.unnumbered.update(rows.identity_id.tolist())
    now, old = rows.stored_identities(), rows.stored["identity_id"].to_numpy().astype(np.int64)
    persons.graph.replace(old, now, rows.key_names())
    persons.pairs.remove(set(rows.stored["pair_id"].to_pylist()) - set(now.pair_id.tolist()))
    return _write(connection, rows)


def _write(connection: duckdb.DuckDBPyConnection, rows: FoldedRows) -> set[int]:
    """Write a folded component in the place of what is stored of it."""
    stored, now = rows.stored["identity_id"], set(rows.identity_id.tolist())
    numbers = pa.array(range(rows.messages.num_rows), pa.uint32())
    with (
        registered(connection, "old_identities", pa.table({"identity_id": stored})),
        registered(connection, "messages", rows.messages.append_column("row", numbers)),
    ):
        for table, column in _BY_IDENTITY:
            connection.execute(
                f"delete from store.{table} using old_identities as old where {table}.{column} = old.identity_id"
            )
        identities = rows.identities()
        for name in ("insert_folded", "insert_folded_persons", "insert_folded_unbound"):
            _insert(connection, "folded_identities", identities, read_statement(f"one_id/{name}"))
        links_of_messages = f"insert into store.links by name {read_statement('one_id/links_of_messages')}"
        _insert(connection, "new_links", rows.links(), links_of_messages)
        moves_of_messages = f"insert into store.identity_moves by name {read_statement('one_id/moves_of_messages')}"
        _insert(connection, "new_moves", rows.moves(), moves_of_messages)
    moved = rows.moved_messages()
    _move_messages(connection, moved)
    _forget_gone(connection, set(stored.to_pylist()) - now)
    changed = recollect_evidence(connection, now)
    has_moved = moved.num_rows or _founders(rows.stored) != _founders(identities)
    return changed | now if has_moved else changed


def _founders(identities: pa.Table) -> dict[int, int]:
    """Whose identities are."""
    columns = (identities[name].to_pylist() for name in ("identity_id", "founder_id"))
    return dict(zip(*columns, strict=True))


def _insert(connection: duckdb.DuckDBPyConnection, name: str, rows: pa.Table, statement: str) -> None:
    if rows.num_rows:
        with registered(connection, name, rows):
            connection.execute(statement)


def _move_messages(connection: duckdb.DuckDBPyConnection, moved: pa.Table) -> None:
    """Point messages to the incarnation that they are of now."""
    if not moved.num_rows:
        return
    with registered(
        connection, "moved", moved
    ):  # a table of its own: an UPDATE joined to Arrow takes ten times as long
        connection.execute("create or replace temp table moved_messages as select * from moved")
    for table in ("events", "calls"):
        connection.execute(
            f"update store.{table} set identity_id = moved.identity_id from moved_messages as moved "
            f"where {table}.log_order = moved.log_order"
        )
    connection.execute("drop table moved_messages")


def _forget_gone(connection: duckdb.DuckDBPyConnection, gone: set[int]) -> None:
    """What is kept by identity, of identities that are no more."""
    with registered(connection, "gone", _ids(sorted(gone))):
        for table, column in _OF_THE_GONE:
            connection.execute(f"delete from store.{table} where {column} in (select identity_id from gone)")


def _ids(identity_ids: list[int]) -> pa.Table:
    return pa.table({"identity_id": pa.array(identity_ids, pa.uint32())})
