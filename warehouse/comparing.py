"""Comparing two warehouses, row for row, over all public views and marts.

Rows are compared as JSON with properties in the order of their names and without nulls, so that the order in which
columns were added does not count; `load_id` is in no public view.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa
from sqlglot import exp

from warehouse.frames import registered
from warehouse.statements import read_statement
from warehouse.warehouse import Warehouse

_STRUCT = "STRUCT"


@dataclass(frozen=True)
class ViewComparison:
    """How many rows of one view both warehouses have, and how many only one of them; with an example of each."""

    view: str
    equal: int
    only_old: int
    only_new: int
    example_old: str | None = None
    example_new: str | None = None


def compare_warehouses(old: Warehouse, new: Warehouse, views: Sequence[str] | None = None) -> list[ViewComparison]:
    """Compare these views, or every public view and mart that either warehouse has."""
    if views is None:
        views = sorted({*_public_names(old), *_public_names(new)})
    return [_compare(view, old, new) for view in views]


def _public_names(warehouse: Warehouse) -> list[str]:
    with warehouse.snapshot() as snapshot:
        names: list[str] = snapshot.query(read_statement("replay/public_names"))["table_name"].to_pylist()
    return names


def _compare(view: str, old: Warehouse, new: Warehouse) -> ViewComparison:
    sides = {"old_rows": _hashes(view, old), "new_rows": _hashes(view, new)}
    connection = duckdb.connect(":memory:")
    try:
        with (
            registered(connection, "old_rows", sides["old_rows"]),
            registered(connection, "new_rows", sides["new_rows"]),
        ):
            [counts] = connection.execute(read_statement("replay/compare_rows")).fetchall()
    finally:
        connection.close()
    equal, only_old, only_new, old_hash, new_hash = counts
    return ViewComparison(view, equal, only_old, only_new, _example(view, old, old_hash), _example(view, new, new_hash))


def _hashes(view: str, warehouse: Warehouse) -> pa.Table:
    """A 128-bit hash of each row, as two halves of text; empty when there is no such view."""
    columns = _columns(view, warehouse)
    if not columns:
        return pa.table({"row_hash": pa.array([], pa.string())})
    with warehouse.snapshot(timeout_s=24 * 3600) as snapshot:
        return snapshot.query(f"select md5({_row_text(columns)}) as row_hash from {_name(view)}")


def _example(view: str, warehouse: Warehouse, row_hash: str | None) -> str | None:
    if row_hash is None:
        return None
    text = _row_text(_columns(view, warehouse))
    with warehouse.snapshot(timeout_s=24 * 3600) as snapshot:
        found = snapshot.query(f"select {text} as t from {_name(view)} where md5({text}) = '{row_hash}' limit 1")
    return str(found["t"][0].as_py())


def _columns(view: str, warehouse: Warehouse) -> list[tuple[str, str]]:
    with warehouse.snapshot() as snapshot:
        if view not in set(snapshot.query(read_statement("replay/public_names"))["table_name"].to_pylist()):
            return []
        described = snapshot.query(
            f"select column_name, column_type from (describe {_name(view)}) order by column_name"
        )
    return list(zip(described["column_name"].to_pylist(), described["column_type"].to_pylist(), strict=True))


def _row_text(columns: list[tuple[str, str]]) -> str:
    """The row as one text: an array of [name, value] by name; what is null is left out, in structs too."""
    parts = []
    for name, kind in columns:
        value = f"to_json({_name(name)})"
        if kind.startswith(_STRUCT):
            value = _sorted_fields(value)
        parts.append(f"case when {_name(name)} is not null then json_array('{name}', {value}) end")
    return f"cast(to_json(list_filter([{', '.join(parts)}], lambda part: part is not null)) as varchar)"


def _sorted_fields(value: str) -> str:
    field = f"[name, cast({value} -> ('$.\"' || name || '\"') as varchar)]"
    fields = f"list_sort(list_transform(json_keys({value}), lambda name: {field}))"
    return f"to_json(list_filter({fields}, lambda field: field[2] is not null and field[2] <> 'null'))"


def _name(name: str) -> str:
    return exp.to_identifier(name, quoted=True).sql(dialect="duckdb")
