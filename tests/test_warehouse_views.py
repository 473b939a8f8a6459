"""What the public views say of persons and accounts: their properties, their events, their members."""

import json
from datetime import timedelta
from pathlib import Path

from tests.stories import NOON, StoryLog, device, event, load_story, login, native, rows, told

EVENING = NOON + timedelta(hours=8)
MORNING = NOON - timedelta(hours=8)


# Accounts


def test_event_without_an_account_counts_for_the_one_its_person_joined_first(tmp_path: Path) -> None:
    """A teacher looks around alone, then for her school, then for another, then for nobody in particular."""
    warehouse = told(
        tmp_path,
        native(event("look", device("d1"), MORNING)),
        native(event("reach", device("d1"), NOON, account_id="school-1")),
        native(event("pay", device("d1"), EVENING, account_id="school-2")),
        native(event("stay", device("d1"), EVENING + timedelta(hours=1))),
        native(event("stray", device("d2"), NOON)),
    )
    assert rows(warehouse, "select event_name, account_id from events order by event_at, event_name") == [
        ("look", "school-1"),
        ("reach", "school-1"),
        ("stray", None),
        ("pay", "school-2"),
        ("stay", "school-1"),
    ]
    assert rows(warehouse, "select account_id, person_count from accounts order by all") == [
        ("school-1", 1),
        ("school-2", 1),
    ]


def test_earlier_membership_that_comes_late_changes_the_account_of_the_past(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    log.tell(
        native(event("look", device("d1"), NOON)),
        native(event("pay", device("d1"), EVENING, account_id="school-1")),
        native(
            {
                "record_type": "group",
                "identities": device("d1"),
                "account_id": "school-2",
                "event_at": MORNING.isoformat(),
            }
        ),
    )
    warehouse = load_story(log, load_max_bytes=1)
    assert rows(warehouse, "select event_name, account_id from events order by event_at") == [
        ("look", "school-2"),
        ("pay", "school-1"),
    ]


def test_merged_persons_share_the_earlier_account(tmp_path: Path) -> None:
    warehouse = told(
        tmp_path,
        native(event("reach", device("d1"), NOON, account_id="school-1")),
        native(event("look", login("u1"), MORNING)),
        native(event("login", {**device("d1"), **login("u1")}, EVENING)),
    )
    assert rows(warehouse, "select distinct account_id from events") == [("school-1",)]
    assert rows(warehouse, "select person_count from accounts") == [(1,)]


def test_account_properties_come_from_group_calls(tmp_path: Path) -> None:
    group = {"record_type": "group", "identities": {}, "account_id": "school-1", "event_at": NOON.isoformat()}
    warehouse = told(
        tmp_path,
        native({**group, "properties": {"city": "Hefei", "pupils": 900}}),
        native({**group, "properties": {"pupils": 950}}),
    )
    ((account_id, person_count, properties),) = rows(
        warehouse, "select account_id, person_count, properties from accounts"
    )
    assert (account_id, person_count, json.loads(properties)) == ("school-1", 0, {"city": "Hefei", "pupils": 950})


def test_day_of_an_event_is_the_local_one(tmp_path: Path) -> None:
    """Twenty o'clock UTC is tomorrow in Shanghai."""
    warehouse = told(
        tmp_path,
        native(event("before", device("d1"), NOON.replace(day=1, hour=15, minute=59))),
        native(event("after", device("d1"), NOON.replace(day=1, hour=16))),
    )
    found = rows(warehouse, "select event_name, cast(event_date as varchar) from events order by event_at")
    assert found == [("before", "2026-11-01"), ("after", "2026-11-02")]
