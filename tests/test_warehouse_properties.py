"""Properties: each gets a typed column, and what its column cannot hold is kept beside and counted."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ingest.record import Request
from tests.stories import (
    DAY_US,
    NOON,
    NOON_US,
    PROJECT,
    Json,
    StoryLog,
    device,
    event,
    load_story,
    loader_of,
    native,
    rows,
    told,
)
from warehouse.misfits import counted_misfits
from warehouse.reader import EventProperty
from warehouse.settings import WarehouseSettings
from warehouse.warehouse import Warehouse


def property_types(warehouse: Warehouse) -> dict[str, tuple[str, int]]:
    found = rows(warehouse, "select property_name, property_type, misfit_count from event_properties")
    return {name: (kind, count) for name, kind, count in found}


def with_properties(*values: Json) -> list[Request]:
    return [native(event(f"e{number}", device("d1"), NOON, **each)) for number, each in enumerate(values)]


@pytest.mark.parametrize(
    ("values", "column", "kept", "others"),
    [
        pytest.param([1, 2.5, "x", True], "number", [1.0, 2.5, None, None], [None, None, "x", True], id="number"),
        pytest.param(["a", 1, 2.5, True], "text", ["a", "1", "2.5", "true"], [None] * 4, id="text takes what it can"),
        pytest.param([True, 1, "true"], "boolean", [True, None, None], [None, 1, "true"], id="boolean"),
        pytest.param(
            [["a", "b"], [], [1], "a"], "list", [["a", "b"], [], None, None], [None, None, [1], "a"], id="list"
        ),
        pytest.param(
            [{"a": [1]}, [1, 2], ["x"], 7],
            "object",
            ['{"a": [1]}', "[1, 2]", '["x"]', None],
            [None, None, None, 7],
            id="object",
        ),
        pytest.param(
            [2**53 + 1, 2**53, -(2**53) - 1], "number", [None, 2.0**53, None], [2**53 + 1, None, -(2**53) - 1], id="ids"
        ),
        pytest.param([10**30, "text"], "text", [None, "text"], [10**30, None], id="a huge id says no type"),
        pytest.param(["李雷", "🎓\0\n"], "text", ["李雷", "🎓\0\n"], [None, None], id="any text"),
    ],
)
def test_first_type_wins_and_misfits_are_kept_and_counted(
    tmp_path: Path, values: list[Any], column: str, kept: list[Any], others: list[Any]
) -> None:
    warehouse = told(tmp_path, *with_properties(*({"it": value} for value in values)))
    found = rows(warehouse, "select properties.it, other_properties from events order by log_order")
    assert [value for value, _ in found] == kept
    assert [json.loads(text)["it"] if text else None for _, text in found] == others
    assert property_types(warehouse)["it"] == (column, len([each for each in others if each is not None]))


def test_names_differing_in_case_are_one_property(tmp_path: Path) -> None:
    warehouse = told(
        tmp_path, *with_properties({"Plan": "a"}, {"plan": "b"}, {"PLAN": "c", "pLaN": "d"}, {"CHANNEL": "app"})
    )
    assert rows(warehouse, "select properties.plan, channel, other_properties from events order by log_order") == [
        ("a", None, None),
        ("b", None, None),
        ("c", None, '{"pLaN": "d"}'),
        (None, "app", None),
    ]
    assert "plan" not in property_types(warehouse)


def test_weird_names_get_a_column_of_their_own(tmp_path: Path) -> None:
    names = ['we"ird', "semi;colon", "a.b", "select", "名字", "a b", "'", "1", "x" * 255, "a]b", "{}", "$", "*", "\\"]
    warehouse = told(tmp_path, *with_properties({name: f"kept {name}" for name in names}))
    for name in names:
        quoted = name.replace('"', '""')
        assert rows(warehouse, f'select properties."{quoted}" from events') == [(f"kept {name}",)]
    assert rows(warehouse, "select other_properties from events") == [(None,)]


def test_unusable_names_are_kept_beside(tmp_path: Path) -> None:
    unusable = {"": "kept", "a\nb": 1, "nul\0": [], "tab\t": {"a": 1}}
    warehouse = told(tmp_path, *with_properties(unusable))
    ((others,),) = rows(warehouse, "select other_properties from events")
    assert json.loads(others) == unusable
    assert not unusable.keys() & property_types(warehouse).keys()
    assert rows(warehouse, "select reason, sum(value_count)::int from store.misfits group by reason") == [
        ("unusable_name", 4)
    ]


def test_columns_have_a_limit(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    log.tell(*with_properties({"a": 1}, {"b": 2}, {"channel": "app"}))
    warehouse = load_story(log, max_property_columns=14, load_max_bytes=1)  # thirteen are there from the start
    assert rows(warehouse, "select properties.a, channel, other_properties from events order by log_order") == [
        (1.0, None, None),
        (None, None, '{"b": 2}'),
        (None, "app", None),
    ]


class CountingWarehouse(Warehouse):
    """A warehouse that tells how often its writer changed a table."""

    alterations = 0

    @contextmanager
    def write(self) -> Iterator[Any]:
        with super().write() as connection:
            yield CountingConnection(self, connection)


@dataclass
class CountingConnection:
    """The writer's connection, with an eye on what it is asked to do."""

    warehouse: CountingWarehouse
    connection: Any

    def execute(self, sql: str, *parameters: Any) -> Any:
        self.warehouse.alterations += sql.lstrip().startswith("alter table")
        return self.connection.execute(sql, *parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)


def test_a_form_with_hundreds_of_new_fields_changes_the_table_once(tmp_path: Path) -> None:
    """Each change writes the properties of all events anew: one for each field took minutes, and all of the memory."""
    log = StoryLog(tmp_path)
    log.tell(native(*(event("reach", device(f"d{number}"), NOON, channel="app") for number in range(1000))))
    answers = {f"answer {number}": number for number in range(380)}
    settings = WarehouseSettings(threads=1, memory_limit_mb=128)
    warehouse = CountingWarehouse(":memory:", PROJECT, settings)
    loader_of(warehouse, log).load_all()
    before = warehouse.alterations
    log.append(native(event("fill in form", device("d1"), NOON, **answers)), NOON_US + DAY_US)
    loader_of(warehouse, log).load_all()
    assert warehouse.alterations - before == 1
    ((found,),) = rows(warehouse, "select properties from events where event_name = 'fill in form'")
    assert {name: value for name, value in found.items() if value is not None} == answers
    assert property_types(warehouse).keys() >= answers.keys()


def test_names_made_up_for_each_value_are_counted_under_one(tmp_path: Path) -> None:
    made_up = [{f"{number:05}\n": 1} for number in range(1200)]
    warehouse = told(
        tmp_path, native(*(event("reach", device("d1"), NOON, **each) for each in [*made_up, *made_up[:1]]))
    )
    counted = rows(warehouse, "select name, sum(value_count)::int from store.misfits group by name order by name")
    assert (len(counted), counted[0], counted[1]) == (1001, ("(others)", 200), ("00000\n", 2))
    assert counted_misfits({("n" * 300, "other_type"): 2, ("n" * 301, "other_type"): 3}) == [
        ("n" * 255, "other_type", 5)
    ]


def test_what_did_not_fit_is_known_by_every_spelling_it_came_under(tmp_path: Path) -> None:
    sent: list[Json] = [{"Seats": 30}, {"seats": "many"}, {"Seats": "few"}, {"SEATS": 25}]
    warehouse = told(tmp_path, native(*(event("reach", device("d1"), NOON, **each) for each in sent)))

    with warehouse.snapshot() as snapshot:
        known = {each.name: each for each in snapshot.event_properties()}
    assert known["Seats"] == EventProperty("Seats", "number", misfit_names=("Seats", "seats"))
    assert known["amount"] == EventProperty("amount", "number")
    counted = "select misfit_count::int from event_properties where property_name = 'Seats'"
    assert rows(warehouse, counted) == [(2,)]
