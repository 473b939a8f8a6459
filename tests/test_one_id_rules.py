"""One-ID under the rules that a project may set: limits, parents, disabled and unknown keys, guards, which calls link.

D1, D2, ... are devices, L1, L2 logins, o1, o2 openids, u1 a unionid, m1, m2 mobile numbers.
"""

from pathlib import Path
from typing import Any

import pytest

from ingest.errors import IdentityRulesError
from ingest.identity.reading import check_upgrade, read_rules
from ingest.identity.rules import SET_IDENTITY_RULES
from ingest.message import ANONYMOUS_ID, LOGIN_ID
from ingest.record import Act
from tests.one_id_telling import (
    COOKIE,
    MOBILE,
    OPENID,
    UNIONID,
    Told,
    binds,
    does,
    fold,
    frees,
    logged,
    owned_in,
    signs_up,
)
from tests.stories import (
    NOON_US,
    SECOND_US,
    device,
    event,
    load_story,
    login,
    mobile,
    native,
    retraction,
    rows,
    segment,
    sensors,
    told,
    tracked,
)

D1, D2, D3, D4 = (device(name) for name in ("D1", "D2", "D3", "D4"))
L1, L2, M1, M2 = login("L1"), login("L2"), mobile("m1"), mobile("m2")
O1, O2, U1 = {OPENID: "o1"}, {OPENID: "o2"}, {UNIONID: "u1"}
REFUSED = "select left_identity_value, right_identity_value, outcome from identity_links where outcome = 'refused'"


# Limits


def test_value_beyond_the_limit_is_refused() -> None:
    rules = {"keys": {ANONYMOUS_ID: {"limit": 2}}}
    logins = (signs_up(each, L1) for each in (D1, D2, D3))
    assert fold(rules, *logins, does("e1", D3)) == {"D1 D2 L1": "", "D3": "e1"}


def test_value_beyond_the_limit_takes_the_place_of_the_oldest() -> None:
    """The past of the oldest stays; when it comes again it is a device of its own."""
    rules = {"keys": {ANONYMOUS_ID: {"limit": 2, "over_limit": "replace_oldest"}}}
    logins = (signs_up(each, L1) for each in (D1, D2, D3))
    assert fold(rules, does("e1", D1), *logins, does("e2", D1)) == {"D1 D2 D3 L1": "e1", "D1'": "e2"}


def test_new_number_takes_the_place_of_the_old_one_where_the_rules_say_so() -> None:
    rules = {"keys": {MOBILE: {"over_limit": "replace_oldest"}}}
    story = (binds(L1, M1), binds(L1, M2), does("e1", M2), does("e2", M1))
    assert fold(rules, *story) == {"L1 m1 m2": "e1", "m1'": "e2"}


def test_a_person_is_never_taken_apart_to_make_room_for_another() -> None:
    """m2 is not only a number: it has a login of its own. So there is nothing to replace."""
    rules = {"keys": {MOBILE: {"over_limit": "replace_oldest"}}}
    story = (binds(L1, M1), binds(D2, M2, event="e1"), binds(L1, M2, event="e2"))
    assert fold(rules, *story) == {"L1 m1": "e2", "D2 m2": "e1"}


def test_limits_hold_for_two_persons_who_would_become_one() -> None:
    rules = {"keys": {OPENID: {"limit": 1}}}
    story = (binds(L1, O1), binds(U1, O2), binds(L1, U1, event="e1"), does("e2", U1))
    assert fold(rules, *story) == {"L1 o1": "e1", "o2 u1": "e2"}


# Parents


def test_freed_unionid_frees_the_openids_below_it() -> None:
    rules = {"keys": {OPENID: {"parent": UNIONID}}}
    story = (binds(L1, U1), binds(U1, O1), binds(U1, O2), does("e1", O1), frees(U1), does("e2", O1), does("e3", O2))
    assert fold(rules, *story) == {"L1 o1 o2 u1": "e1", "o1'": "e2", "o2'": "e3"}


def test_freed_unionid_leaves_openids_where_no_parent_is_declared() -> None:
    story = (binds(L1, U1), binds(U1, O1), frees(U1), does("e1", O1), does("e2", U1))
    assert fold({}, *story) == {"L1 o1 u1": "e1", "u1'": "e2"}


# Keys


def test_disabled_key_does_not_link_and_owns_only_what_comes_under_it_alone() -> None:
    rules = {"keys": {MOBILE: {"status": "disabled"}}}
    story = (binds(L1, M1, event="e1"), binds(D2, M1, event="e2"), does("e3", M1))
    assert fold(rules, *story) == {"L1": "e1", "D2": "e2", "m1": "e3"}


def test_openid_key_of_any_mini_program_is_known() -> None:
    """Its key holds the program's appid; it stands before devices, and is refused by no project."""
    wx, d1 = {"$identity_mp_wx12ab_openid": "o7"}, {COOKIE: "c1"}
    rules = {"unknown_keys": "reject"}
    assert read_rules(rules, "rules").is_known("$identity_mp_wx12ab_openid")
    assert fold(rules, Told({**d1, **wx}, "e1"), does("e2", d1)) == {"c1 o7": "e1 e2"}


def test_unknown_key_is_learned_and_stands_between_people_and_devices() -> None:
    """Two pupils on one tablet: each event is its pupil's, and the tablet is of the first, as numbers may be many."""
    number, other = {"student_number": "7"}, {"student_number": "8"}
    story = (Told({**D1, **number}, "e1"), Told({**D1, **other}, "e2"), binds(L1, number))
    assert fold({}, *story) == {"7 8 D1 L1": "e1 e2"}
    single = {"keys": {"student_number": {"values": "single"}}}
    assert fold(single, *story) == {"7 D1 L1": "e1", "8": "e2"}


def test_priority_says_whose_an_event_is_that_two_persons_are_named_in() -> None:
    story = (binds(L1, D1), binds(U1, D2), Told({**L1, **U1}, "e1"))
    apart = {"known_persons": "stay_apart"}
    assert fold(apart, *story) == {"D1 L1": "e1", "D2 u1": ""}
    assert fold({**apart, "keys": {UNIONID: {"priority": 1}}}, *story) == {"D1 L1": "", "D2 u1": "e1"}


# Guards


@pytest.mark.parametrize(
    "nobody",
    [
        login("null"),
        login("0"),
        login(" Undefined "),
        login("00000000-0000-0000-0000-000000000000"),
        mobile("13800138000"),
        {"$identity_email": "test@test.com"},
    ],
)
def test_value_that_is_nobody_links_no_two_persons(nobody: dict[str, str]) -> None:
    story = (Told({**nobody, **D1}, "e1"), Told({**nobody, **D2}, "e2"))
    assert fold({}, *story) == {"D1": "e1", "D2": "e2"}


def test_project_takes_a_value_off_the_list_and_adds_its_own() -> None:
    """`guest` is a real login here, and the number of the front desk is nobody's."""
    rules = {
        "somebody": {"by_key": {LOGIN_ID: ["guest"]}},
        "nobody": {"by_key": {MOBILE: ["02112345"]}, "any_key": ["demo"]},
    }
    story = (signs_up(D1, login("guest"), "e1"), does("e2", D1), *(binds(mobile("02112345"), who) for who in (D2, D3)))
    assert fold(rules, *story, signs_up(D4, login("Demo"))) == {"D1 guest": "e1 e2", "D2": "", "D3": "", "D4": ""}


# Which calls link


def test_only_association_calls_link_where_the_rules_say_so() -> None:
    rules = {"links_from": "association_calls"}
    both = {**L1, **D1}
    assert fold(rules, Told(both, "e1"), does("e2", D1)) == {"L1": "e1", "D1": "e2"}
    assert fold(rules, Told(both, "e1"), does("e2", D1), Told(both, call="identify")) == {"D1 L1": "e1 e2"}


# Families


def test_login_sent_by_two_families_is_one_identity(tmp_path: Path) -> None:
    """A teacher's device speaks Sensors, her laptop Segment; her login joins them."""
    signup = tracked("$SignUp", "L1", type="track_signup", original_id="D1")
    call = {"type": "track", "event": "e2", "anonymousId": "s1", "messageId": "1"}
    identify = {"type": "identify", "userId": "L1", "anonymousId": "s1", "messageId": "2"}
    warehouse = told(tmp_path, sensors(tracked("e1", "D1")), sensors(signup), segment(call), segment(identify))
    assert owned_in(warehouse) == {"D1 L1 s1": "e1 e2"}


def test_alias_of_segment_joins_the_anonymous_past(tmp_path: Path) -> None:
    call = {"type": "track", "event": "e1", "anonymousId": "s1", "messageId": "1"}
    alias = {"type": "alias", "userId": "L1", "previousId": "s1", "messageId": "2"}
    warehouse = told(tmp_path, segment(call), segment(alias), native(event("e2", L1)))
    assert owned_in(warehouse) == {"L1 s1": "e1 e2"}


def test_retracted_link_takes_its_past_along(tmp_path: Path) -> None:
    """Unbinding leaves the past with a person; an operator's retraction says that it never was that person's."""
    story = [native(event("e1", D1)), native(event("e2", {**L1, **D1})), native(event("e3", D1))]
    warehouse = load_story(logged(tmp_path, {}, *story, retraction(L1, D1)))
    assert owned_in(warehouse) == {"D1": "e1 e3", "L1": "e2"}


# Schemes


def test_a_wider_scheme_holds_for_what_arrives_after_it(tmp_path: Path) -> None:
    """Under one_to_one a second device was refused; the next message that carries both joins it under many_to_one."""
    log = logged(tmp_path, {"scheme": "one_to_one"})
    both = [native(event(f"e{number}", {**L1, **each})) for number, each in enumerate((D1, D2, D2))]
    log.append(native(event("e9", D2)), NOON_US)
    log.append(both[0], NOON_US + SECOND_US)
    log.append(both[1], NOON_US + 2 * SECOND_US)
    assert rows(load_story(log), REFUSED) == [("D2", "L1", "refused")]
    log.append(Act(SET_IDENTITY_RULES, "head office", {"rules": {"scheme": "many_to_one"}}), NOON_US + 3 * SECOND_US)
    log.append(both[2], NOON_US + 5 * SECOND_US)
    assert owned_in(load_story(log)) == {"D1 D2 L1": "e9 e0 e1 e2"}


def test_a_narrower_scheme_is_no_upgrade() -> None:
    rules = {scheme: read_rules({"scheme": scheme}, "rules") for scheme in ("one_to_one", "many_to_one", "graph")}
    for before, after in (("one_to_one", "one_to_one"), ("one_to_one", "graph"), ("many_to_one", "graph")):
        check_upgrade(rules[before], rules[after])
    for before, after in (("many_to_one", "one_to_one"), ("graph", "one_to_one"), ("graph", "many_to_one")):
        with pytest.raises(IdentityRulesError, match=f"'{after}' is narrower than '{before}'"):
            check_upgrade(rules[before], rules[after])


def test_simple_schemes_know_only_a_device_and_a_login() -> None:
    rules: dict[str, Any] = {"scheme": "many_to_one"}
    assert fold(rules, binds(L1, M1, event="e1"), signs_up(D1, L1), binds(L2, M1, event="e2")) == {
        "D1 L1": "e1",
        "L2": "e2",
    }
