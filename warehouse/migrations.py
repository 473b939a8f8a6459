"""Schema migrations: the numbered files of `sql/migrations`, each applied once, in order.

They run inside the caller's transaction.
"""

import re

import duckdb

from warehouse.errors import SchemaTooNew
from warehouse.properties import FIRST_COLUMNS
from warehouse.statements import list_statements, read_statement


def migrate(connection: duckdb.DuckDBPyConnection) -> None:
    """Bring the schema up to date. Raises `SchemaTooNew` for a file that a later version has written."""
    connection.execute(
        "create table if not exists schema_migrations (version uinteger not null, name varchar not null)"
    )
    applied = {version for (version,) in connection.execute("select version from schema_migrations").fetchall()}
    known = {_version(name): name for name in list_statements("migrations")}
    if unknown := applied - known.keys():
        raise SchemaTooNew(
            f"the warehouse has schema version {max(unknown)}, this Onepath knows {max(known)}; upgrade it"
        )
    for version in sorted(known.keys() - applied):
        connection.execute(read_statement(known[version]))
        connection.execute("insert into schema_migrations values (?, ?)", [version, known[version]])
        if version == 1:
            columns = [(name, column_type) for name, column_type in FIRST_COLUMNS.items()]
            connection.executemany("insert into store.property_columns values (?, ?)", columns)


def _version(name: str) -> int:
    match = re.search(r"/(\d{4})_", name)
    if match is None:
        raise ValueError(f"migration {name!r} has no number; call it NNNN_what_it_does.sql")
    return int(match[1])
