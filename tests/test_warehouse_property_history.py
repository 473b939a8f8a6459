"""Properties of persons and accounts as of any moment and now, in order, late and merged."""

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.account_acts import MERGE_ACCOUNTS
from ingest.record import Act, Request
from tests.examples import histories
from tests.property_oracle import PropertyCall, properties_at
from tests.stories import (
    NOON,
    NOON_MS,
    NOON_US,
    SECOND_US,
    Json,
    StoryLog,
    contents,
    device,
    event,
    load_story,
    loader_of,
    login,
    native,
    new_warehouse,
    profile,
    retraction,
    rows,
    sensors,
    told,
)
from warehouse.warehouse import Warehouse


def values_now(warehouse: Warehouse) -> dict[str, Json]:
    """The properties of each person, by each of its identities' values."""
    found = rows(warehouse, "select identity_value, properties from identities inner join persons using (person_id)")
    return {who: json.loads(text or "{}") for who, text in found}


def spans(warehouse: Warehouse, name: str, columns: str = "value") -> list[tuple[Any, ...]]:
    """The history of a property: what `columns` say, and milliseconds after noon from and until when."""
    since_noon = "epoch_ms({0}) - " + str(NOON_MS)
    return rows(
        warehouse,
        f"""
        select {columns}, {since_noon.format("valid_from")}, {since_noon.format("valid_until")}
        from property_history
        where property_name = '{name}'
        order by target_id, valid_from
        """,
    )


def test_history_has_a_row_for_each_moment_of_a_change(tmp_path: Path) -> None:
    """A child moves up; the school corrects itself in the same millisecond, forgets the child, and takes it back."""
    warehouse = told(
        tmp_path,
        sensors(profile("set", NOON_MS, grade=3)),
        sensors(profile("set", NOON_MS + 10, grade=5), profile("set", NOON_MS + 10, grade=4)),
        sensors(profile("delete", NOON_MS + 20)),
        sensors(profile("set_once", NOON_MS + 30, grade=4, name="Li")),
    )
    assert spans(warehouse, "grade") == [("3", 0, 10), ("4", 10, 20), (None, 20, 30), ("4", 30, None)]
    assert spans(warehouse, "name") == [('"Li"', 30, None)]
    assert rows(
        warehouse,
        "select count(*) from property_history inner join calls using (log_order) where called_at = valid_from",
    ) == [(5,)]


def test_merged_persons_are_folded_as_one_and_apart_again_after_a_retraction(tmp_path: Path) -> None:
    """A mother counts books on her phone and on her laptop; then support finds that the laptop was her sister's."""
    log = StoryLog(tmp_path)
    log.tell(
        sensors(profile("set", NOON_MS, "phone", books=10, city="Hefei")),
        sensors(profile("increment", NOON_MS + 5, "laptop", books=2)),
        sensors(profile("set_once", NOON_MS + 1, "laptop", city="Wuhu", first="web")),
        sensors(profile("increment", NOON_MS + 3, "phone", books=1)),
        native(event("login", {**device("phone"), **login("li")})),
        native(event("login", {**device("laptop"), **login("li")})),
    )
    warehouse = load_story(log)
    together = {"books": 13, "city": "Hefei", "first": "web"}
    assert values_now(warehouse) == {"phone": together, "laptop": together, "li": together}
    assert spans(warehouse, "books") == [("10", 0, 3), ("11", 3, 5), ("13", 5, None)]
    log.append(retraction(device("laptop"), login("li")), NOON_US + 60 * SECOND_US)
    loader_of(warehouse, log).load_all()
    phone = {"books": 11, "city": "Hefei"}
    apart = {"phone": phone, "li": phone, "laptop": {"books": 2, "city": "Wuhu", "first": "web"}}
    assert values_now(warehouse) == apart
    assert contents(load_story(log)) == contents(warehouse)


def group(account_id: str | None, at_ms: int, **fields: Any) -> Request:
    """A native group message at a moment after noon."""
    moment = NOON.replace(microsecond=at_ms * 1000).isoformat()
    return native({"record_type": "group", "identities": {}, "account_id": account_id, "event_at": moment, **fields})


def test_properties_of_accounts_follow_the_same_rules_by_type_and_through_a_merge(tmp_path: Path) -> None:
    """Class 7 and school 7 are two; school 7b turns out to be school 7."""
    merge = {"account_type": "account", "account_id": "7b", "into_id": "7"}
    warehouse = told(
        tmp_path,
        group("7", 0, properties={"pupils": 900, "city": "Hefei"}),
        group("7b", 5, properties={"pupils": 950}),
        group("7", 3, properties={"pupils": 920}),
        group(None, 4, accounts={"class": ["7"]}, properties={"pupils": 40}),
        Act(MERGE_ACCOUNTS, "head office", merge),
    )
    assert spans(warehouse, "pupils", "target, account_id, value") == [
        ("account", "7", "900", 0, 3),
        ("account", "7", "920", 3, 5),
        ("class", "7", "40", 4, None),
        ("account", "7", "950", 5, None),
    ]
    found = rows(warehouse, "select account_type, properties from accounts where merged_into is null order by all")
    assert [(kind, json.loads(text)) for kind, text in found] == [
        ("account", {"city": "Hefei", "pupils": 950}),
        ("class", {"pupils": 40}),
    ]


# Any history, judged by a loop


MOMENTS = range(7)  # milliseconds after noon
VALUES = st.sampled_from([1, 2.5, "a", True, [], ["x"], ["x", "x"], {"k": [1]}])
CALLS = st.tuples(
    st.sampled_from(["d1", "d2", "d3"]),
    st.sampled_from(MOMENTS),
    st.one_of(
        st.tuples(st.sampled_from(["set", "set_once"]), VALUES),
        st.tuples(st.just("increment"), st.sampled_from([1, -2.5, 0.1, 1e-10, 1e15, "1", True])),
        st.tuples(st.just("append"), st.sampled_from([["x"], ["y", "z"], ["z", "x", "z"], "y", [1, {"k": [1]}]])),
        st.tuples(st.sampled_from(["unset", "delete"]), st.just(True)),
    ),
    st.sampled_from([("it",), ("it",), ("it", "that")]),
)
LOGINS = st.sampled_from([("d1", "u1"), ("d2", "u1"), ("d3", "u1"), ("d3", "u2")])
STORIES = st.lists(st.tuples(st.booleans(), st.one_of(CALLS, CALLS, CALLS, LOGINS)), max_size=40)


def append_story(log: StoryLog, story: list[tuple[bool, Any]], is_late: bool) -> Iterable[tuple[str, PropertyCall]]:
    """Write the messages of one of two streams, and say what they say of whom."""
    for number, (of_second, told_of) in enumerate(story):
        if of_second is not is_late:
            continue
        at_us, stream = NOON_US + number * SECOND_US, "ab"[of_second]
        if len(told_of) == 2:
            who, user = told_of
            log.append(native(event("login", {**device(who), **login(user)}, NOON)), at_us, stream)
            continue
        who, ms, (operation, value), names = told_of
        properties = {} if operation == "delete" else dict.fromkeys(names, value)
        log.append(sensors({**profile(operation, NOON_MS + ms, who, **properties), "_track_id": number}), at_us, stream)
        yield who, PropertyCall(ms, number, operation, properties)


AS_OF = f"""
select cast(person_id as varchar), moment, property_name, value
from property_history
cross join (select unnest(range({len(MOMENTS)})) as moment)
where
    epoch_ms(valid_from) <= {NOON_MS} + moment
    and (valid_until is null or {NOON_MS} + moment < epoch_ms(valid_until))
    and value is not null
union all
select cast(person_id as varchar), null as moment, property_name, value
from property_values
"""


@histories(3)
@given(STORIES)
def test_random_histories_are_what_a_loop_makes_of_them_at_every_moment(
    tmp_path_factory: pytest.TempPathFactory, story: list[tuple[bool, Any]]
) -> None:
    """One collector's stream is loaded first; the other's comes late, with calls and logins from in between."""
    log, warehouse = StoryLog(tmp_path_factory.mktemp("calls")), new_warehouse()
    calls = [*append_story(log, story, is_late=False)]
    loader_of(warehouse, log).load_all()
    calls += append_story(log, story, is_late=True)
    loader_of(warehouse, log).load_all()

    persons = dict(rows(warehouse, "select identity_value, cast(person_id as varchar) from identities"))
    calls_of: dict[str, list[PropertyCall]] = defaultdict(list)
    for who, call in calls:
        calls_of[persons[who]].append(call)
    expected = {
        (person, moment, name, json.dumps(value))
        for person, said in calls_of.items()
        for moment in (*MOMENTS, None)
        for name, value in properties_at(said, moment).items()
    }
    found = rows(warehouse, AS_OF)
    assert {(*key, json.dumps(normal(json.loads(value)))) for *key, value in found} == {
        (person, moment, name, json.dumps(normal(json.loads(value)))) for person, moment, name, value in expected
    }
    assert len(found) == len(expected)
    views = ("property_history", "property_values", "persons")
    assert contents(load_story(log), views) == contents(warehouse, views)


def normal(value: Any) -> Any:
    """A number as a float, whether or not it is whole."""
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
