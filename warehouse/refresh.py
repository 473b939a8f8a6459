"""Refreshing the marts: the days that loads touched are computed anew, and the result equals a full rebuild.

A mart is `sql/marts/NAME.sql`, a SELECT with a column `event_date`; its rows of a day depend on nothing but the
events view.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import duckdb
import sqlglot
from sqlglot import exp

from warehouse.one_id.acts import read_rules_history
from warehouse.reader import EventProperty
from warehouse.snapshot import read_event_properties
from warehouse.statements import list_statements, read_statement
from warehouse.warehouse import Warehouse

BuildStageEvents = Callable[[list[EventProperty]], str]
"""Builds the view `stage_events` from the properties there are: a SELECT of stage_index, stage_name, event_date,
person_id and account_id. Its text is part of what a mart is made of."""


@dataclass(frozen=True)
class RefreshReport:
    """What one refresh computed: how many days, and whether it was all of them."""

    dates: int
    is_rebuild: bool
    marts: tuple[str, ...]


def refresh_marts(
    warehouse: Warehouse, build_stage_events: BuildStageEvents, *, rebuild: bool = False
) -> RefreshReport:
    """Bring every mart up to date with what is loaded, in one transaction."""
    marts = {name.removeprefix("marts/"): read_statement(name) for name in list_statements("marts")}
    with warehouse.write() as connection:
        stage_events = build_stage_events(read_event_properties(connection))
        connection.execute(_create_view("stage_events", stage_events))
        history = read_rules_history(connection).latest().history
        fingerprint = _fingerprint(marts, stage_events, warehouse.project.timezone, history)
        rebuild = rebuild or _stored_fingerprint(connection) != fingerprint
        if rebuild:
            connection.execute("create or replace temp table refresh_dates as select distinct event_date from events")
        else:
            connection.execute(
                f"create or replace temp table refresh_dates as {read_statement('refresh/touched_dates')}"
            )
        for name, select in marts.items():
            _refresh_mart(connection, name, select, is_rebuild=rebuild)
        connection.execute("delete from store.touched_identities")
        connection.execute("delete from store.touched_accounts")
        connection.execute("delete from store.settings where name = 'marts_fingerprint'")
        connection.execute("insert into store.settings values ('marts_fingerprint', ?)", [fingerprint])
        (dates,) = connection.execute("select count(*) from refresh_dates").fetchall()[0]
    return RefreshReport(dates, rebuild, tuple(marts))


def has_touched(warehouse: Warehouse) -> bool:
    """Whether a load has touched anything since the last refresh."""
    with warehouse.snapshot() as snapshot:
        found = snapshot.query(
            "select exists (from store.touched_identities) or exists (from store.touched_accounts) as touched"
        )
    return bool(found["touched"][0].as_py())


def _refresh_mart(connection: duckdb.DuckDBPyConnection, name: str, select: str, *, is_rebuild: bool) -> None:
    table = exp.to_identifier(name, quoted=True).sql(dialect="duckdb")
    if is_rebuild:
        connection.execute(f"create or replace table {table} as {select}")
        return
    connection.execute(f"delete from {table} where event_date in (select event_date from refresh_dates)")
    touched = "where event_date in (select event_date from refresh_dates)"
    connection.execute(f"insert into {table} by name select * from ({select}) {touched}")


def _create_view(name: str, select: str) -> str:
    return exp.Create(
        this=exp.to_table(name), kind="VIEW", replace=True, expression=sqlglot.parse_one(select, dialect="duckdb")
    ).sql(dialect="duckdb")


def _fingerprint(marts: dict[str, str], stage_events: str, timezone: str, history: str) -> str:
    parts = [timezone, history, stage_events, *(part for pair in sorted(marts.items()) for part in pair)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _stored_fingerprint(connection: duckdb.DuckDBPyConnection) -> str | None:
    rows = connection.execute("select value from store.settings where name = 'marts_fingerprint'").fetchall()
    return str(rows[0][0]) if rows else None
