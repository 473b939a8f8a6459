"""Asking: one SELECT at a time, read only, within limits, and never half a load."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from tests.stories import NOON, NOON_US, SECOND_US, StoryLog, device, event, loader_of, native, new_warehouse, rows
from warehouse.errors import BadSql, QueryTimeout, SchemaTooNew, WarehouseError
from warehouse.project import Project
from warehouse.settings import WarehouseSettings
from warehouse.statements import list_statements
from warehouse.warehouse import Warehouse


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """Three events of one person."""
    log = StoryLog(tmp_path_factory.mktemp("log"))
    log.tell(*(native(event(f"e{number}", device("d1"), NOON, plan="free")) for number in range(3)))
    built = new_warehouse()
    loader_of(built, log).load_all()
    yield built
    built.close()


@pytest.mark.parametrize(
    "sql",
    [
        "select event_name from events order by event_name",
        "with named as (select event_name from events) from named order by all",
        "select event_name from events order by event_name;",
        "-- a comment; with a semicolon\nfrom events select event_name order by 1",
    ],
)
def test_analysts_select(warehouse: Warehouse, sql: str) -> None:
    with warehouse.snapshot() as snapshot:
        answer = snapshot.query_limited(sql, 10)
    assert (answer.table["event_name"].to_pylist(), answer.is_cut) == (["e0", "e1", "e2"], False)


@pytest.mark.parametrize(
    "sql",
    [
        "",
        ";",
        "selec 1",
        "select 1; select 2",
        "select 1; drop table store.events",
        "drop table store.events",
        "delete from store.events",
        "insert into store.settings values ('a', 'b')",
        "update store.events set event_name = 'x'",
        "create table t as select 1",
        "create temp table t as select 1",
        "alter table store.events add column x int",
        "copy events to '/tmp/events.csv'",
        "export database '/tmp/dump'",
        "attach '/tmp/other.duckdb'",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "set memory_limit = '100GB'",
        "pragma database_list",
        "call pragma_version()",
        "checkpoint",
        "begin",
        "commit",
        "explain analyze insert into store.settings values ('a', 'b')",
        "with gone as (delete from store.events returning *) select * from gone",
        "select * from nowhere",
        "select nothing from events",
        "select * from force_checkpoint()",
        "select * from read_csv('/etc/passwd')",
        "select * from '/etc/passwd'",
        "select * from read_text('/etc/hostname')",
        "select * from read_blob('/etc/hostname')",
        "select * from glob('/etc/*')",
        "select * from query('drop table store.events')",
        "select * from read_parquet('https://example.test/x.parquet')",
        "select * from warehouse",  # a Python variable that a replacement scan would find
        "select 1 / ",
        "select cast('x' as integer)",
    ],
)
def test_anything_but_one_harmless_select_is_refused(warehouse: Warehouse, sql: str) -> None:
    with warehouse.snapshot() as snapshot, pytest.raises(BadSql):
        snapshot.query_limited(sql, 10)
    assert rows(warehouse, "select count(*) from events") == [(3,)]


def test_own_questions_cannot_write_either(warehouse: Warehouse) -> None:
    with warehouse.snapshot() as snapshot, pytest.raises(BadSql, match="read-only"):
        snapshot.query("delete from store.events")
    assert rows(warehouse, "select count(*) from events") == [(3,)]


def test_python_variables_are_no_tables(warehouse: Warehouse) -> None:
    secret = pa.table({"a": [1]})
    with warehouse.snapshot() as snapshot, pytest.raises(BadSql, match="secret"):
        snapshot.query_limited("select * from secret", 10)
    assert secret.num_rows == 1


@pytest.mark.parametrize(("limit", "count", "is_cut"), [(2, 2, True), (3, 3, False), (4, 3, False), (0, 0, True)])
def test_rows_are_limited_and_the_answer_says_so(warehouse: Warehouse, limit: int, count: int, is_cut: bool) -> None:
    with warehouse.snapshot() as snapshot:
        answer = snapshot.query_limited("select event_name from events", limit)
    assert (answer.table.num_rows, answer.is_cut) == (count, is_cut)


def test_huge_answers_are_cut_without_being_made(warehouse: Warehouse) -> None:
    with warehouse.snapshot() as snapshot:
        answer = snapshot.query_limited("select * from range(100000000000)", 20_000)
    assert (answer.table.num_rows, answer.is_cut) == (20_000, True)


def test_long_question_is_stopped_and_the_next_is_answered(warehouse: Warehouse) -> None:
    endless = "select count(*) from range(100000000000) as numbers(n) where n * n % 7 = 3"
    with warehouse.snapshot(timeout_s=0.05) as snapshot, pytest.raises(QueryTimeout, match=r"stopped after 0\.05 s"):
        snapshot.query(endless)
    with warehouse.snapshot(timeout_s=0.05) as snapshot, pytest.raises(QueryTimeout):
        snapshot.query_limited(endless, 10)
    assert rows(warehouse, "select count(*) from events") == [(3,)]


def test_snapshot_does_not_see_what_is_loaded_meanwhile(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    log.tell(native(event("first", device("d1"), NOON)))
    building = new_warehouse()
    loader = loader_of(building, log)
    loader.load_all()
    with building.snapshot() as snapshot:
        before = snapshot.watermark
        log.append(native(event("second", device("d1"), NOON, color="blue")), NOON_US + SECOND_US)
        loader.load_all()
        assert snapshot.query("select event_name from events")["event_name"].to_pylist() == ["first"]
        assert snapshot.watermark == before
        assert "color" not in {each.name for each in snapshot.event_properties()}
    assert rows(building, "select event_name, properties.color from events order by log_order") == [
        ("first", None),
        ("second", "blue"),
    ]


def test_event_properties_are_listed_by_name(warehouse: Warehouse) -> None:
    with warehouse.snapshot() as snapshot:
        found = [(each.name, each.type) for each in snapshot.event_properties()]
    assert found == sorted(found)
    assert ("plan", "text") in found
    assert ("amount", "number") in found


def test_every_public_view_can_be_read_and_is_listed(warehouse: Warehouse) -> None:
    views = [name.removeprefix("views/") for name in list_statements("views")]
    assert len(views) >= 12
    for view in views:
        with warehouse.snapshot() as snapshot:
            assert snapshot.query(f"select * from {view} limit 1").num_columns


def test_file_opens_again_and_a_later_schema_does_not(tmp_path: Path) -> None:
    path, project = tmp_path / "academy.duckdb", Project("academy", "sixteen bytes of salt")
    first = Warehouse(path, project, WarehouseSettings())
    first.checkpoint()
    first.close()
    again = Warehouse(path, project, WarehouseSettings())
    with again.write() as connection:
        connection.execute("insert into schema_migrations values (9999, 'migrations/9999_from_the_future')")
    again.close()
    with pytest.raises(SchemaTooNew, match=r"schema version 9999.*upgrade") as refusal:
        Warehouse(path, project, WarehouseSettings())
    assert isinstance(refusal.value, WarehouseError)


def test_failed_write_is_undone(tmp_path: Path) -> None:
    building = new_warehouse()
    with pytest.raises(RuntimeError), building.write() as connection:
        connection.execute("insert into store.settings values ('half', 'done')")
        raise RuntimeError
    assert rows(building, "select count(*) from store.settings where name = 'half'") == [(0,)]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"salt": "short"}, "16 to 64 bytes"),
        ({"salt": "盐" * 22}, "16 to 64 bytes"),
        ({"salt": "x" * 16, "timezone": "Mars/Olympus"}, "no IANA time zone"),
        ({"salt": "x" * 16, "week_start": "friday"}, "write 'monday' or 'sunday'"),
    ],
)
def test_project_with_contradictory_settings_does_not_start(fields: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Project("academy", **fields)  # type: ignore[arg-type]
