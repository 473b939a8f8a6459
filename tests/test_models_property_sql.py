"""Properties in questions: the value as of the event, and the value now."""

import re
from pathlib import Path
from typing import Any

import pytest
from sqlglot import exp

from models.property_sql import TargetProperty, join_property, property_rows, property_value
from models.sql import render, select
from tests.stories import NOON, NOON_MS, device, event, native, rows, sensors, told
from warehouse.warehouse import Warehouse

CHILD = device("d1")


def grade(value: Any, at_ms: int) -> dict[str, Any]:
    return {"type": "profile_set", "distinct_id": "d1", "time": at_ms, "properties": {"grade": value}}


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """A child pays before it has a grade, as it comes to grade 3, and in grade 4; now it is in grade 5."""
    return told(
        tmp_path_factory.mktemp("school"),
        native(
            event("pay", CHILD, NOON.replace(hour=3), amount=100),
            event("pay", CHILD, NOON, amount=300, account_id="school-7"),
            event("pay", CHILD, NOON.replace(hour=5), amount=500),
            event("look", device("d2"), NOON),
        ),
        sensors(grade(5, NOON_MS + 7_200_000), grade(3, NOON_MS), grade(4, NOON_MS + 1_800_000)),
        native(
            {
                "record_type": "group",
                "identities": CHILD,
                "account_id": "school-7",
                "event_at": NOON.isoformat(),
                "properties": {"public": True, "tags": ["a", "b"], "floors": 2.0, "name": "7.0"},
            }
        ),
    )


def asked(warehouse: Warehouse, wanted: TargetProperty) -> list[Any]:
    """The property of each event, in the order of the events."""
    query = select("select events.event_id from events order by events.event_at, events.event_name desc")
    joined = join_property(query, wanted, "wanted").select(exp.alias_(property_value("wanted"), "found"))
    return [found for _, found in rows(warehouse, render({"wanted": property_rows(wanted)}, joined))]


def test_value_as_of_the_event_counts_calls_of_the_same_moment(school: Warehouse) -> None:
    assert asked(school, TargetProperty("person", "grade", "number", "event")) == [None, 3.0, None, 4.0]


def test_value_now_is_the_same_for_all_events_of_a_person(school: Warehouse) -> None:
    assert asked(school, TargetProperty("person", "grade", "text", "now")) == ["5", "5", None, "5"]


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("public", "boolean", True),
        ("public", "text", "true"),
        ("public", "number", None),
        ("tags", "text", "a, b"),
        ("floors", "text", "2"),
        ("floors", "boolean", None),
        ("name", "text", "7.0"),
        ("name", "number", 7.0),
        ("it's unknown", "text", None),
    ],
)
@pytest.mark.parametrize("as_of", ["event", "now"])
def test_account_property_is_read_as_the_type_asked_for(
    school: Warehouse, name: str, kind: Any, expected: Any, as_of: Any
) -> None:
    found = asked(school, TargetProperty("account", name, kind, as_of))
    before = expected if as_of == "now" else None
    assert found == [before, expected, None, expected]


def test_the_example_of_the_documentation_splits_revenue_by_the_grade_then_and_now(school: Warehouse) -> None:
    text = Path(__file__).parent.parent.joinpath("docs/concepts/properties.md").read_text(encoding="utf-8")
    [sql] = re.findall(r"```sql\n(.*?)```", text, re.S)
    assert rows(school, sql) == [("3", "5", 300.0), ("4", "5", 500.0), (None, "5", 100.0)]
