"""Migrations: a school opens the warehouse that an earlier version left, and finds the same persons in it."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from tests.stories import NOON, PROJECT, StoryLog, device, event, loader_of, native, rows
from warehouse.migrations import migrate
from warehouse.one_id.storing import widen_seen
from warehouse.settings import WarehouseSettings
from warehouse.statements import list_statements, read_statement
from warehouse.warehouse import Warehouse, create_views

BEFORE_MOVING = 5
IDENTITIES = """
insert into store.identities by name
select *
from (
    values
        -- Lin's phone and login are one person; her phone was freed later.
        (0, 0, '$identity_anonymous_id', 'phone', 0, '3/a', 'unbound', '2026-03-01', '2026-03-04', '1/a/1/0', 0, 1, 1),
        (1, 1, '$identity_login_id', 'lin', 0, null, null, '2026-03-02', '2026-03-03', '1/a/1/1', 0, 2, 1),
        -- Sam has the phone now.
        (2, 0, '$identity_anonymous_id', 'phone', 1, null, null, '2026-03-05', '2026-03-06', '4/a/1/0', 2, 3, 3),
) as rows (
    identity_id, pair_id, identity_key, identity_value, incarnation, unbound_order, unbound_because,
    first_seen_at, last_seen_at, log_order, founder_id, own_person, person
)
"""
KNOWN = """
select identity_value, incarnation, unbound_order, unbound_because, first_seen_at::varchar, last_seen_at::varchar,
    founder_id, right(own_person_id::varchar, 1), right(person_id::varchar, 1)
from store.known_identities
order by identity_id
"""


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def fill_as_of(version: int, connection: duckdb.DuckDBPyConnection) -> None:
    """A warehouse as the version left it, with three identities."""
    connection.execute("create table schema_migrations (version uinteger not null, name varchar not null)")
    for number, name in enumerate(list_statements("migrations")[:version], start=1):
        connection.execute(read_statement(name))
        connection.execute("insert into schema_migrations values (?, ?)", [number, name])
    person = "cast(printf('00000000-0000-8000-8000-%012d', {}) as uuid)"
    connection.execute(
        IDENTITIES.replace(
            "select *",
            "select * exclude (own_person, person) replace (cast(first_seen_at as timestamp) as first_seen_at, "
            "cast(last_seen_at as timestamp) as last_seen_at), "
            f"{person.format('own_person')} as own_person_id, {person.format('person')} as person_id",
        )
    )


def test_what_changes_of_identities_moves_and_stays_what_it_was(connection: duckdb.DuckDBPyConnection) -> None:
    fill_as_of(BEFORE_MOVING, connection)
    before = connection.execute(KNOWN.replace("known_identities", "identities")).fetchall()
    migrate(connection)
    assert connection.execute(KNOWN).fetchall() == before
    assert [row[0] for row in before] == ["phone", "lin", "phone"]


def test_later_sightings_count_before_and_after_they_are_folded(connection: duckdb.DuckDBPyConnection) -> None:
    """Lin's login is seen by a message from before all others, and by one from after them."""
    fill_as_of(BEFORE_MOVING, connection)
    migrate(connection)
    connection.execute(
        "insert into store.later_sightings values (1, '2026-02-27', '2026-02-27'), (1, '2026-03-02', '2026-03-09')"
    )
    seen = "select first_seen_at::date::varchar, last_seen_at::date::varchar from {} order by identity_id"
    expected = [("2026-03-01", "2026-03-04"), ("2026-02-27", "2026-03-09"), ("2026-03-05", "2026-03-06")]
    assert connection.execute(seen.format("store.known_identities")).fetchall() == expected
    widen_seen(connection, few=2)
    assert connection.execute("select count(*) from store.later_sightings").fetchall() == [(2,)]
    widen_seen(connection, few=1)
    assert connection.execute("select count(*) from store.later_sightings").fetchall() == [(0,)]
    assert connection.execute(seen.format("store.identities")).fetchall() == expected


def test_views_are_made_anew_when_they_would_be_other_ones(tmp_path: Path) -> None:
    """A school in Shanghai opens its warehouse again, moves to London, and tries an earlier version in between."""
    path, log = tmp_path / "school.duckdb", StoryLog(tmp_path / "log")
    log.tell(native(event("reach", device("d1"), NOON + timedelta(hours=13))))
    shanghai, london = replace(PROJECT, timezone="Asia/Shanghai"), replace(PROJECT, timezone="Europe/London")
    days, made = "select event_date::varchar from events", "select view_oid from duckdb_views() where not internal"
    with closing(Warehouse(path, shanghai, WarehouseSettings())) as warehouse:
        loader_of(warehouse, log).load_all()
    with closing(Warehouse(path, shanghai, WarehouseSettings())) as warehouse:
        assert rows(warehouse, days) == [("2026-11-03",)]
        views = rows(warehouse, made)
        with warehouse.write() as connection:
            create_views(connection, shanghai)
        assert rows(warehouse, made) == views
    with closing(Warehouse(path, london, WarehouseSettings())) as warehouse:
        assert rows(warehouse, days) == [("2026-11-02",)]
    with duckdb.connect(str(path)) as earlier:
        earlier.execute("create or replace view events as select date '2000-01-01' as event_date")
    with closing(Warehouse(path, london, WarehouseSettings())) as warehouse:
        assert rows(warehouse, days) == [("2026-11-02",)]
