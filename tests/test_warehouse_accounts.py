"""Accounts in the warehouse: schools, classes and families, and who is in them, from when to when."""

from pathlib import Path
from typing import Any

from ingest.account_acts import ADD_MEMBER, END_MEMBER, UNMERGE_ACCOUNTS
from ingest.record import Act, Request
from tests.account_stories import day, group, member, merge, rename, told, told_either_way, unmerge
from tests.stories import (
    NOON_US,
    SECOND_US,
    StoryLog,
    contents,
    device,
    event,
    load_story,
    loader_of,
    login,
    mobile,
    native,
    new_warehouse,
    rows,
    segment,
    sensors,
    tracked,
    unbind,
    us,
)
from warehouse.warehouse import Warehouse

LI, WANG, D1 = login("li"), login("wang"), device("d1")


def periods(warehouse: Warehouse, account_type: str = "account") -> list[tuple[Any, ...]]:
    """Memberships as (account, day joined, day left or None)."""
    return rows(
        warehouse,
        f"""
        select account_id, day(joined_at), day(left_at)
        from memberships
        where account_type = '{account_type}'
        order by all
        """,
    )


def accounts_of_events(warehouse: Warehouse, account_type: str | None = None) -> dict[str, str | None]:
    """The account of each event, by its name."""
    if account_type is None:
        return dict(rows(warehouse, "select event_name, account_id from events"))
    found = rows(warehouse, f"select event_name, account_id from account_events where account_type = '{account_type}'")
    return dict(found)


# The examples of docs/concepts/accounts.md


def test_after_an_end_only_an_explicit_joining_begins_again(tmp_path: Path) -> None:
    story = [
        native(event("signs", LI, day(1), account_id="S1")),
        native(group(LI, "S1", day(5), **{"$leave": True})),
        native(event("old app", LI, day(7), account_id="S1")),
        native(group(LI, "S1", day(9))),
    ]
    expected: list[list[tuple[Any, ...]]] = [
        [("S1", 1, None)],
        [("S1", 1, 5)],
        [("S1", 1, 5)],
        [("S1", 1, 5), ("S1", 9, None)],
    ]
    for length, found in enumerate(expected, start=1):
        assert periods(told_either_way(tmp_path / str(length), *story[:length])) == found
    warehouse = told(tmp_path / "all", *story)
    assert accounts_of_events(warehouse) == {"signs": "S1", "old app": "S1"}
    assert rows(warehouse, "select changes from calls") == [("{}",), ("{}",)]


def test_which_account_an_event_belongs_to(tmp_path: Path) -> None:
    warehouse = told_either_way(
        tmp_path,
        native(event("looks", {**LI, **D1}, day(1))),
        native(event("signs", LI, day(2), account_id="S1")),
        native(event("joins", LI, day(3), account_id="S2")),
        native(event("teaches", LI, day(4))),
        native(group(LI, "S1", day(5), **{"$leave": True})),
        native(event("goes on", LI, day(6))),
        native(group(LI, "S2", day(7), **{"$leave": True})),
        native(event("comes back", LI, day(8))),
    )
    found = {
        "looks": "S1",
        "signs": "S1",
        "joins": "S2",
        "teaches": "S1",
        "goes on": "S2",
        "comes back": None,
    }
    assert accounts_of_events(warehouse) == found
    assert accounts_of_events(warehouse, "account") == {name: found[name] for name in found if found[name]}
    assert rows(warehouse, "select account_id from persons") == [(None,)]
    assert rows(warehouse, "select account_id, person_count from accounts order by all") == [("S1", 0), ("S2", 0)]


def test_an_operator_ends_a_membership_in_the_past(tmp_path: Path) -> None:
    """Wang changed schools on the 3rd; her app names the old one for another week."""
    warehouse = told_either_way(
        tmp_path,
        native(event("a", WANG, day(1), account_id="S1")),
        native(event("b", WANG, day(2))),
        native(event("c", WANG, day(5), account_id="S1")),
        native(event("d", WANG, day(6))),
        member(END_MEMBER, WANG, "account", "S1", day(3)),
        member(ADD_MEMBER, WANG, "account", "S2", day(4)),
    )
    assert periods(warehouse) == [("S1", 1, 3), ("S2", 4, None)]
    assert accounts_of_events(warehouse) == {"a": "S1", "b": "S1", "c": "S1", "d": "S2"}


def test_an_end_at_the_beginning_takes_the_membership_away(tmp_path: Path) -> None:
    warehouse = told_either_way(
        tmp_path,
        native(event("a", LI, day(2))),
        member(ADD_MEMBER, LI, "account", "S1", day(1)),
        member(END_MEMBER, LI, "account", "S1", day(1)),
    )
    assert periods(warehouse) == []
    assert accounts_of_events(warehouse) == {"a": None}


def test_an_act_about_somebody_never_seen_waits_for_them(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    log.tell(member(ADD_MEMBER, LI, "family", "F1", day(1)))
    warehouse = new_warehouse()
    loader = loader_of(warehouse, log)
    loader.load_all()
    assert periods(warehouse, "family") == []
    log.append(native(event("a", LI, day(2))), NOON_US + SECOND_US)
    loader.load_all()
    assert periods(warehouse, "family") == [("F1", 1, None)]
    assert accounts_of_events(warehouse, "family") == {"a": "F1"}
    assert contents(warehouse) == contents(load_story(log))


def test_an_act_means_the_pair_that_was_live_when_it_came(tmp_path: Path) -> None:
    """Li's old number is given to Wang: what was said of it before is said of Li."""
    warehouse = told_either_way(
        tmp_path,
        native(event("li", {**LI, **mobile("138")}, day(1))),
        member(ADD_MEMBER, mobile("138"), "account", "S1", day(1)),
        unbind(mobile("138"), us(day(2)) // 1000),
        member(ADD_MEMBER, mobile("138"), "account", "S2", day(2)),
        native(event("wang", {**WANG, **mobile("138")}, day(3))),
    )
    assert accounts_of_events(warehouse) == {"li": "S1", "wang": "S2", "$UnbindID": "S1"}


# Types, and several accounts at once


def test_accounts_of_several_types_by_every_family(tmp_path: Path) -> None:
    warehouse = told_either_way(
        tmp_path,
        native({**event("a", LI, day(1), account_id="S1"), "accounts": {"class": ["C1", "C2"], "family": "F1"}}),
        sensors(tracked("b", "s1", properties={"$accounts": {"class": 7}, "account_id": "S2"})),
        segment(
            {"type": "track", "event": "c", "userId": "seg", "properties": {"$accounts": {"class": "C3"}}},
            {"type": "group", "userId": "seg", "groupId": "F2", "traits": {"$account_type": "family", "city": "Wuhan"}},
        ),
    )
    assert rows(
        warehouse, "select event_name, account_type, account_id, is_named from account_events order by all"
    ) == [
        ("a", "account", "S1", True),
        ("a", "class", "C1", True),
        ("a", "family", "F1", True),
        ("b", "account", "S2", True),
        ("b", "class", "7", True),
        ("c", "class", "C3", True),
        ("c", "family", "F2", False),
    ]
    assert rows(warehouse, "select account_type, account_id, person_count from accounts order by all") == [
        ("account", "S1", 1),
        ("account", "S2", 1),
        ("class", "7", 1),
        ("class", "C1", 1),
        ("class", "C2", 1),
        ("class", "C3", 1),
        ("family", "F1", 1),
        ("family", "F2", 1),
    ]
    assert rows(warehouse, "select target, target_id, property_name, value from property_values") == [
        ("family", "F2", "city", '"Wuhan"')
    ]
    assert rows(warehouse, "select count(*) from event_properties where property_name like '$acc%'") == [(0,)]


def test_one_id_in_two_types_is_two_accounts(tmp_path: Path) -> None:
    warehouse = told(
        tmp_path,
        native(group(LI, "7", day(1), city="Wuhan")),
        native({**group(WANG, None, day(1), grade=3), "accounts": {"class": "7"}}),
    )
    assert rows(warehouse, "select account_type, account_id, properties from accounts order by all") == [
        ("account", "7", '{"city":"Wuhan"}'),
        ("class", "7", '{"grade":3}'),
    ]


# Merge and rename


def test_merged_schools_are_one_until_that_is_taken_back(tmp_path: Path) -> None:
    story: list[Request | Act] = [
        native(event("a", LI, day(1), account_id="S1"), group(LI, "S1", day(1), city="Wuhan", name="One")),
        native(event("b", WANG, day(2), account_id="S1b"), group(WANG, "S1b", day(2), city="Hankou")),
        native(event("c", WANG, day(3))),
        merge("S1b", "S1"),
        native(event("d", D1, day(4), account_id="S1b")),
    ]
    warehouse = told_either_way(tmp_path / "merged", *story)
    assert accounts_of_events(warehouse) == {"a": "S1", "b": "S1", "c": "S1", "d": "S1"}
    columns = "account_id, name, day(first_seen_at), day(last_seen_at), person_count, merged_into, properties"
    assert rows(warehouse, f"select {columns} from accounts order by all") == [
        ("S1", "One", 1, 4, 3, None, '{"city":"Hankou","name":"One"}'),
        ("S1b", None, 2, 4, 0, "S1", None),
    ]
    apart = told_either_way(tmp_path / "apart", *story, unmerge("S1b"))
    never = told(tmp_path / "never", *story[:3], *story[4:])
    assert accounts_of_events(apart) == {"a": "S1", "b": "S1b", "c": "S1b", "d": "S1b"} == accounts_of_events(never)
    views = ("accounts", "property_values")
    assert contents(apart, views) == contents(never, views)


def test_merges_chain_and_never_lead_back(tmp_path: Path) -> None:
    seen = [native(event(name, login(name), day(1), account_id=name)) for name in "abc"]
    assert accounts_of_events(
        told_either_way(tmp_path / "chain", *seen, merge("a", "b"), merge("b", "c"), merge("c", "a"))
    ) == {"a": "c", "b": "c", "c": "c"}
    assert accounts_of_events(
        told_either_way(tmp_path / "cut", *seen, merge("a", "b"), merge("b", "c"), unmerge("b"), merge("c", "a"))
    ) == {"a": "b", "b": "b", "c": "b"}


def test_a_renamed_account_keeps_its_id(tmp_path: Path) -> None:
    story: list[Request | Act] = [
        native(group(LI, "S1", day(1), name="First")),
        rename("S1", "No. 1"),
        rename("S1", ""),
    ]
    names = [
        rows(told(tmp_path / str(length), *story[:length]), "select account_id, name from accounts")
        for length in (1, 2, 3)
    ]
    assert names == [[("S1", "First")], [("S1", "No. 1")], [("S1", "First")]]


def test_acts_that_cannot_be_followed_are_rejects(tmp_path: Path) -> None:
    warehouse = told(
        tmp_path,
        merge("S1", "S1"),
        Act(UNMERGE_ACCOUNTS, "me", {"account_id": "S1"}),
        Act(ADD_MEMBER, "me", {**member(ADD_MEMBER, LI, "account", "S1").details, "at_us": 1 << 62}),
        member(END_MEMBER, LI, "account", ""),
    )
    assert rows(warehouse, "select reason, detail from rejects order by log_order") == [
        ("unreadable_message", "merge_accounts: account 'S1' is to be merged into itself; name another one"),
        ("unreadable_message", "unmerge_accounts: Object missing required field `account_type`"),
        (
            "unreadable_message",
            "add_member: at_us is 4611686018427387904, no time of this calendar in microseconds since 1970",
        ),
        ("unreadable_message", "end_member: account_id is empty"),
    ]
    assert rows(warehouse, "from acts") == []


# What is sent wrongly


def test_accounts_that_cannot_be_read_are_refused_in_words(tmp_path: Path) -> None:
    warehouse = told(
        tmp_path,
        sensors(tracked("a", properties={"$accounts": "F1"})),
        native({**event("b", LI), "accounts": {"person": "F1"}}),
        native({**event("c", LI), "accounts": {"family": {"id": 1}}}),
        native({**event("d", LI), "accounts": {"family": "x" * 300}}),
        native({**event("e", LI), "accounts": {"class": list(range(3000))}}),
        native(group(LI, "S1", day(1), **{"$leave": "yes"})),
    )
    assert rows(warehouse, "select reason, detail from rejects order by log_order") == [
        ("unreadable_message", '$accounts is \'F1\': send an object such as {"family": "F1"}'),
        ("unreadable_message", "accounts: 'person' is no account type; name one such as school, class or family"),
        ("unreadable_message", "accounts: {'id': 1} is no id of a family"),
        ("name_too_long", "the id of a family has 300 characters; at most 255"),
        ("too_many_properties", "3000 accounts; at most 1000"),
        ("unreadable_message", "$leave is 'yes': send true where the person leaves"),
    ]
