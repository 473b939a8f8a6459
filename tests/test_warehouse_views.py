"""What the public views say of persons and accounts: their properties, their events, their members."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stories import NOON, NOON_MS, Json, StoryLog, device, event, load_story, login, native, rows, sensors, told

EVENING = NOON + timedelta(hours=8)
MORNING = NOON - timedelta(hours=8)


def profile(operation: str, at_ms: int = NOON_MS, who: str = "d1", **properties: Any) -> Json:
    """A profile call of a Sensors client."""
    return {"type": f"profile_{operation}", "distinct_id": who, "time": at_ms, "properties": properties}


# Properties of persons


PROPERTY_STORIES: list[Any] = [
    pytest.param([profile("set", grade=3), profile("set", grade=4)], {"grade": 4}, id="the last set stands"),
    pytest.param(
        [profile("set", NOON_MS, grade=4), profile("set", NOON_MS - 1, grade=3)],
        {"grade": 4},
        id="one that happened before and comes late does not",
    ),
    pytest.param(
        [profile("set_once", first="web"), profile("set_once", first="app", other=1)],
        {"first": "web", "other": 1},
        id="set_once keeps the first",
    ),
    pytest.param(
        [profile("set_once", NOON_MS, first="web"), profile("set_once", NOON_MS - 1, first="app")],
        {"first": "app"},
        id="an earlier set_once that comes late is the first",
    ),
    pytest.param(
        [profile("increment", books=2), profile("increment", books=3.5)], {"books": 5.5}, id="increments add up"
    ),
    pytest.param(
        [
            profile("set", NOON_MS, books=10),
            profile("increment", NOON_MS + 1, books=1),
            profile("increment", NOON_MS - 1, books=7),
        ],
        {"books": 11},
        id="an increment from before the set counts for nothing",
    ),
    pytest.param(
        [profile("append", subjects=["maths", "art"]), profile("append", subjects=["music", "art", "chess"])],
        {"subjects": ["maths", "art", "music", "chess"]},
        id="append keeps order and drops what is there",
    ),
    pytest.param(
        [profile("set", grade=3, name="Li"), profile("unset", grade=True)],
        {"name": "Li"},
        id="unset takes one away",
    ),
    pytest.param(
        [profile("set", grade=3, name="Li"), profile("delete"), profile("set", NOON_MS + 1, name="Wang")],
        {"name": "Wang"},
        id="delete takes all away",
    ),
    pytest.param(
        [profile("set", NOON_MS, grade=3), profile("delete", NOON_MS - 1)],
        {"grade": 3},
        id="a late delete spares the new",
    ),
    pytest.param([profile("unset", grade=True), profile("set_once", grade=1)], {"grade": 1}, id="unset, then once"),
    pytest.param(
        [profile("set", plan={"a": [1, None]}, ok=True)], {"plan": {"a": [1, None]}, "ok": True}, id="any JSON"
    ),
]


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The properties that each person of `PROPERTY_STORIES` ends up with, by the story's name."""
    calls = [
        sensors({**call, "distinct_id": story.id, "_track_id": number})
        for story in PROPERTY_STORIES
        for number, call in enumerate(story.values[0])
    ]
    warehouse = told(tmp_path_factory.mktemp("described"), *calls)
    found = rows(
        warehouse, "select identity_value, properties from persons inner join identities using (person_id) order by all"
    )
    return {story: json.loads(text) for story, text in found}


@pytest.mark.parametrize(("calls", "expected"), PROPERTY_STORIES)
def test_properties_are_what_the_calls_made_of_them_in_their_time(
    described: dict[str, Any], request: pytest.FixtureRequest, calls: list[Json], expected: Json
) -> None:
    assert described[request.node.callspec.id] == expected


def test_property_of_any_name_is_found(tmp_path: Path) -> None:
    names = ["", "*", "\\", '"', 'a\\"b', "a.b", "$.x", "[0]", "a/b", "~1", "#", "名字", "a\0b", " "]
    sent = {name: f"kept {name}" for name in names}
    call = {"type": "profile_set", "distinct_id": "d1", "time": NOON_MS, "properties": sent}
    ((text,),) = rows(told(tmp_path, sensors(call)), "select properties from persons")
    assert json.loads(text) == sent


def test_number_beyond_all_doubles_leaves_the_property_out(tmp_path: Path) -> None:
    warehouse = told(
        tmp_path, native(b'{"record_type":"identify","identities":{"k":"v"},"properties":{"a":1e999,"b":1}}')
    )
    assert rows(warehouse, "select properties from persons") == [('{"b":1}',)]


CALLS = st.lists(
    st.tuples(
        st.sampled_from(["li", "wang"]),
        st.integers(0, 5),  # milliseconds after noon
        st.one_of(
            st.tuples(st.sampled_from(["set", "set_once"]), st.sampled_from([1, "a", ["x"]])),
            st.tuples(st.just("increment"), st.sampled_from([1, 2.5])),
            st.tuples(st.just("append"), st.sampled_from([["x"], ["y", "z"], ["z", "x"]])),
            st.tuples(st.sampled_from(["unset", "delete"]), st.just(True)),
        ),
    ),
    max_size=40,
)


def fold(changes: list[tuple[str, Any]]) -> Any:
    """One property by hand."""
    value: Any = None
    for operation, change in changes:
        if operation == "set" or (operation == "set_once" and value is None):
            value = change
        elif operation == "increment":
            value = (value if isinstance(value, int | float) else 0) + change
        elif operation == "append":
            have = value if isinstance(value, list) else []
            value = have + [item for number, item in enumerate(change) if item not in have + change[:number]]
        elif operation in ("unset", "delete"):
            value = None
    return value


@settings(max_examples=8, deadline=None, derandomize=True, database=None)
@given(CALLS)
def test_random_calls_make_of_a_property_what_a_loop_makes_of_it(
    tmp_path_factory: pytest.TempPathFactory, calls: list[tuple[str, int, tuple[str, Any]]]
) -> None:
    told_calls = [
        {
            **profile(operation, NOON_MS + ms, who),
            "properties": {} if operation == "delete" else {"it": value},
            "_track_id": number,
        }
        for number, (who, ms, (operation, value)) in enumerate(calls)
    ]
    warehouse = told(tmp_path_factory.mktemp("calls"), sensors(*told_calls))
    found = {
        who: json.loads(value)
        for who, value in rows(
            warehouse,
            """
            select identity_value, value
            from property_values
            inner join identities on target_id = cast(person_id as varchar)
            where property_name = 'it'
            """,
        )
    }
    by_time = sorted(calls, key=lambda call: call[1])
    expected = {who: fold([change for each, _, change in by_time if each == who]) for who in ("li", "wang")}
    assert found == {who: value for who, value in expected.items() if value is not None}


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
