"""Persons in the warehouse: stories of devices, logins and phone numbers, loaded one message at a time."""

from pathlib import Path
from typing import Any

import pytest

from ingest.message import ANONYMOUS_ID, LOGIN_ID
from ingest.record import Act, Request
from tests.stories import (
    NOON,
    NOON_US,
    SECOND_US,
    StoryLog,
    contents,
    device,
    event,
    event_names,
    load_story,
    loader_of,
    login,
    mobile,
    native,
    new_warehouse,
    retraction,
    rows,
    segment,
    sensors,
    tracked,
    unbind,
)
from warehouse.warehouse import Warehouse

D1, D2, LI, WANG = device("d1"), device("d2"), login("li"), login("wang")


def seen(name: str, *who: dict[str, str]) -> Request:
    """An event that carries all these identities."""
    return native(event(name, {key: value for each in who for key, value in each.items()}, NOON))


def told_either_way(folder: Path, *entries: Request | Act) -> Warehouse:
    """The story loaded in one go; it must be the same message by message."""
    log = StoryLog(folder)
    log.tell(*entries)
    warehouse = load_story(log)
    views = ("events", "identities", "identity_links")
    assert contents(load_story(log, load_max_bytes=1), views) == contents(warehouse, views)
    return warehouse


def together(warehouse: Warehouse) -> set[frozenset[str]]:
    """Which events belong to one person, by their names."""
    persons: dict[Any, set[str]] = {}
    for name, person_id in rows(warehouse, "select event_name, person_id from events"):
        persons.setdefault(person_id, set()).add(name)
    return {frozenset(each) for each in persons.values()}


def groups(*names: str) -> set[frozenset[str]]:
    return {frozenset(each.split()) for each in names}


def outcomes(warehouse: Warehouse) -> list[tuple[str, str, str, str]]:
    return rows(
        warehouse,
        """
        select left_identity_value, right_identity_value, link_kind, outcome
        from identity_links
        order by log_order, link_kind desc
        """,
    )


def test_history_moves_with_a_login(tmp_path: Path) -> None:
    """Li looks around on the web and on a phone, then logs in on both: one person, named after the first visit."""
    warehouse = told_either_way(
        tmp_path, seen("web", D1), seen("phone", D2), seen("login-web", D1, LI), seen("login-phone", D2, LI)
    )
    assert together(warehouse) == groups("web phone login-web login-phone")
    assert outcomes(warehouse) == [("d1", "li", "message", "joined"), ("d2", "li", "message", "merged")]
    alone = told_either_way(tmp_path / "alone", seen("web", D1))
    assert rows(alone, "select person_id from persons") == rows(warehouse, "select person_id from persons")


def test_second_login_on_one_device_is_another_person(tmp_path: Path) -> None:
    """Two children on one tablet: what it does alone is the first one's."""
    warehouse = told_either_way(
        tmp_path, seen("a", D1, LI), seen("b", D1, WANG), seen("tablet", D1), seen("c", WANG), seen("d", LI)
    )
    assert together(warehouse) == groups("a tablet d", "b c")
    assert outcomes(warehouse) == [("li", "d1", "message", "joined"), ("d1", "wang", "message", "refused")]


def test_one_login_may_own_many_devices_and_messages_may_chain(tmp_path: Path) -> None:
    union = {"$identity_mp_unionid": "o1"}
    warehouse = told_either_way(
        tmp_path,
        seen("mini", {"$identity_mp_id": "m1"}),
        seen("union", {"$identity_mp_id": "m1"}, union),
        seen("in", union, LI),
    )
    assert together(warehouse) == groups("mini union in")


def test_two_phone_numbers_keep_two_persons_apart(tmp_path: Path) -> None:
    warehouse = told_either_way(
        tmp_path,
        seen("a", LI, mobile("138")),
        seen("b", WANG, mobile("138")),
        seen("c", mobile("138")),
        seen("d", LI, mobile("139")),
    )
    assert together(warehouse) == groups("a c d", "b")
    assert [outcome for *_, outcome in outcomes(warehouse)] == ["joined", "refused", "refused"]


def test_unbound_number_is_free_and_its_past_stays(tmp_path: Path) -> None:
    """The phone company gives Li's old number to Wang, who signs up with it."""
    warehouse = told_either_way(
        tmp_path,
        seen("li-buys", LI, mobile("138")),
        seen("old", mobile("138")),
        unbind(mobile("138")),
        seen("new", mobile("138")),
        seen("wang-buys", WANG, mobile("138")),
    )
    assert together(warehouse) == groups("li-buys old $UnbindID", "new wang-buys")
    assert rows(
        warehouse,
        "select incarnation, is_unbound from identities where identity_value = '138' order by incarnation",
    ) == [(0, True), (1, False)]


def test_unbinding_makes_room_for_a_new_number(tmp_path: Path) -> None:
    warehouse = told_either_way(
        tmp_path,
        seen("a", LI, mobile("138")),
        unbind(mobile("138")),
        seen("b", LI, mobile("139")),
        seen("c", mobile("139")),
    )
    assert together(warehouse) == groups("a b c $UnbindID")


def test_same_value_as_device_and_as_login_is_one_person(tmp_path: Path) -> None:
    """An old server SDK reports the login as a bare distinct_id."""
    warehouse = told_either_way(tmp_path, sensors(tracked("server", "li")), seen("app", D1, LI), seen("later", LI))
    assert together(warehouse) == groups("server app later")
    assert ("li", "li", "same_value", "joined") in outcomes(warehouse)


def test_same_value_after_an_unbind_in_one_load_or_many(tmp_path: Path) -> None:
    """The device x was freed before a login x appeared: nothing implies that they are one."""
    warehouse = told_either_way(tmp_path, seen("device", device("x")), unbind(device("x")), seen("login", login("x")))
    assert together(warehouse) == groups("device $UnbindID", "login")


def test_alias_joins_the_former_id(tmp_path: Path) -> None:
    calls = [
        {"type": "track", "event": "before", "anonymousId": "d1", "messageId": "1"},
        {"type": "alias", "userId": "li", "previousId": "d1", "messageId": "2"},
        {"type": "track", "event": "after", "userId": "li", "messageId": "3"},
    ]
    assert together(told_either_way(tmp_path, segment(*calls))) == groups("before after")


# Taking links back


def test_retracted_link_takes_the_past_along(tmp_path: Path) -> None:
    """Support links the wrong device to Li, and takes that back."""
    warehouse = told_either_way(
        tmp_path, seen("device", D1), seen("li", LI), seen("wrong", D1, LI), retraction(D1, LI), seen("later", D1)
    )
    assert together(warehouse) == groups("device later", "li wrong")
    assert outcomes(warehouse) == [("d1", "li", "message", "retracted")]


def test_link_refused_because_of_a_wrong_one_becomes_possible(tmp_path: Path) -> None:
    """The tablet was Wang's all along."""
    story = [seen("wrong", D1, LI), seen("right", D1, WANG), seen("tablet", D1)]
    assert together(told_either_way(tmp_path / "before", *story)) == groups("wrong tablet", "right")
    warehouse = told_either_way(tmp_path / "after", *story, retraction(LI, D1))
    assert together(warehouse) == groups("wrong", "right tablet")
    assert [outcome for *_, outcome in outcomes(warehouse)] == ["retracted", "joined"]


def test_link_taken_back_before_it_comes_never_holds(tmp_path: Path) -> None:
    warehouse = told_either_way(tmp_path, retraction(D1, LI), seen("device", D1), seen("both", D1, LI))
    assert together(warehouse) == groups("device", "both")
    assert rows(warehouse, "select act, operator from acts") == [("retract_link", "head office")]


def test_retraction_of_what_was_never_linked_changes_nothing(tmp_path: Path) -> None:
    warehouse = told_either_way(tmp_path, seen("both", D1, LI), retraction(D2, LI), Act("retract_link", "me", {}))
    assert together(warehouse) == groups("both")


# Late streams


def test_link_that_comes_late_is_judged_in_the_order_of_arrival(tmp_path: Path) -> None:
    """A second collector was cut off: its news, that the tablet was Wang's, is older than what is loaded already."""
    log = StoryLog(tmp_path)
    log.append(seen("li", D1, LI), NOON_US + 10 * SECOND_US, "a")
    warehouse = new_warehouse()
    loader = loader_of(warehouse, log)
    loader.load_all()
    assert together(warehouse) == groups("li")
    log.append(seen("wang", D1, WANG), NOON_US, "b")
    log.append(seen("tablet", D1), NOON_US + 20 * SECOND_US, "b")
    loader.load_all()
    assert together(warehouse) == groups("li", "wang tablet")
    assert contents(warehouse) == contents(load_story(log))


def test_two_streams_told_together_are_told_in_order_of_arrival(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    for number in range(8):
        stream = "ab"[number % 3 == 0]
        log.append(seen(f"e{number}", device(f"d{number % 4}"), login(f"u{number % 3}")), NOON_US + number, stream)
    warehouse = load_story(log)
    assert event_names(warehouse) == [f"e{number}" for number in range(8)]
    assert contents(load_story(log, load_max_bytes=1)) == contents(warehouse)


@pytest.mark.parametrize("later", ["collector", "collector-2"])
def test_streams_that_receive_at_the_same_moment_are_ordered_by_name(tmp_path: Path, later: str) -> None:
    """Both collectors see the tablet first in the same microsecond."""
    log = StoryLog(tmp_path)
    log.append(seen("li", D1, LI), NOON_US, "collector")
    log.append(seen("wang", D1, WANG), NOON_US, "collector-2")
    warehouse = load_story(log)
    loader_of(warehouse, log).load_all()
    log.append(seen("more", D1), NOON_US + SECOND_US, later)
    loader_of(warehouse, log).load_all()
    assert contents(warehouse) == contents(load_story(log))


def test_identities_are_listed_with_when_they_were_seen(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    log.tell(seen("a", D1, LI), native(event("b", LI, NOON.replace(hour=1))))
    warehouse = load_story(log)
    found = rows(
        warehouse,
        "select identity_key, identity_value, hour(first_seen_at), hour(last_seen_at) from identities order by all",
    )
    assert found == [(ANONYMOUS_ID, "d1", 4, 4), (LOGIN_ID, "li", 1, 4)]
    assert rows(warehouse, "select identity_count from persons") == [(2,)]
