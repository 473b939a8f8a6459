"""One-ID by example: what each scheme makes of the stories A to N, in the graph alone and through the warehouse.

D1, D2 are devices, L1, L2 logins, c1, c2 cookies, m1, m2 mobile numbers. `docs/concepts/one-id.md` tells the same.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.one_id_telling import (
    COOKIE,
    OPENID,
    UNIONID,
    Tell,
    binds,
    does,
    fold,
    frees,
    send,
    signs_up,
)
from tests.stories import device, login, mobile

D1, D2, L1, L2 = device("D1"), device("D2"), login("L1"), login("L2")
C1, C2, M1, M2 = {COOKIE: "c1"}, {COOKIE: "c2"}, mobile("m1"), mobile("m2")
O1, U1 = {OPENID: "o1"}, {UNIONID: "u1"}
ONE_TO_ONE: dict[str, Any] = {"scheme": "one_to_one"}
MANY_TO_ONE: dict[str, Any] = {"scheme": "many_to_one"}
GRAPH: dict[str, Any] = {"scheme": "graph"}


@pytest.fixture(params=["graph alone", "sent and loaded"])
def tell(request: pytest.FixtureRequest, tmp_path: Path) -> Tell:
    """Tells a story under rules; the answer is each person's events."""
    return fold if request.param == "graph alone" else send(tmp_path)


# One device to one login


def test_a_history_follows_from_a_device_to_its_login(tell: Tell) -> None:
    told = tell(ONE_TO_ONE, does("e1", D1), signs_up(D1, L1), does("e2", L1), does("e3", D1))
    assert told == {"D1 L1": "e1 e2 e3"}


def test_b_second_device_of_a_login_stays_by_itself(tell: Tell) -> None:
    first = (does("e1", D1), signs_up(D1, L1))
    told = tell(ONE_TO_ONE, *first, does("e2", D2), signs_up(D2, L1), does("e3", L1), does("e4", D2))
    assert told == {"D1 L1": "e1 e3", "D2": "e2 e4"}


def test_c_device_stays_with_its_first_login(tell: Tell) -> None:
    told = tell(ONE_TO_ONE, signs_up(D1, L1), signs_up(D1, L2), does("e1", L2), does("e2", D1))
    assert told == {"D1 L1": "e2", "L2": "e1"}


def test_d_login_known_from_a_server_takes_a_new_device(tell: Tell) -> None:
    told = tell(ONE_TO_ONE, does("e1", L1), signs_up(D1, L1), does("e2", D1))
    assert told == {"D1 L1": "e1 e2"}


def test_d_login_known_from_a_server_leaves_a_device_with_a_past(tell: Tell) -> None:
    story = (does("e1", L1), does("e2", D1), signs_up(D1, L1), does("e3", D1))
    assert tell(ONE_TO_ONE, *story) == {"D1": "e2 e3", "L1": "e1"}


def test_d_known_persons_become_one_where_the_rules_say_so() -> None:
    story = (does("e1", L1), does("e2", D1), signs_up(D1, L1), does("e3", D1))
    assert fold({**ONE_TO_ONE, "known_persons": "merge"}, *story) == {"D1 L1": "e1 e2 e3"}


# Many devices to one login


def test_e_second_device_of_a_login_brings_its_past(tell: Tell) -> None:
    first = (does("e1", D1), signs_up(D1, L1))
    told = tell(MANY_TO_ONE, *first, does("e2", D2), signs_up(D2, L1), does("e3", D2))
    assert told == {"D1 D2 L1": "e1 e2 e3"}


def test_e_second_device_stays_apart_where_known_persons_do() -> None:
    rules = {**MANY_TO_ONE, "known_persons": "stay_apart"}
    first = (does("e1", D1), signs_up(D1, L1))
    told = fold(rules, *first, does("e2", D2), signs_up(D2, L1), does("e3", D2))
    assert told == {"D1 L1": "e1", "D2": "e2 e3"}


def test_f_device_that_another_login_uses_stays_with_its_first(tell: Tell) -> None:
    told = tell(MANY_TO_ONE, signs_up(D1, L1), signs_up(D1, L2), does("e1", D1), does("e2", L2))
    assert told == {"D1 L1": "e1", "L2": "e2"}


def test_g_history_before_any_login_is_of_the_first(tell: Tell) -> None:
    told = tell(MANY_TO_ONE, does("e1", D1), signs_up(D1, L1), signs_up(D1, L2), does("e2", L2))
    assert told == {"D1 L1": "e1", "L2": "e2"}


# The graph of all identities


def test_h_two_cookies_of_one_login_are_one_person(tell: Tell) -> None:
    told = tell(GRAPH, does("e1", C1), signs_up(C1, L1), does("e2", C2), signs_up(C2, L1))
    assert told == {"L1 c1 c2": "e1 e2"}


def test_i_second_login_on_a_cookie_is_refused_and_owns_its_event(tell: Tell) -> None:
    told = tell(GRAPH, signs_up(C1, L1), signs_up(C1, L2, event="e1"))
    assert told == {"L1 c1": "", "L2": "e1"}


def test_j_cookie_alone_goes_on_being_its_owners(tell: Tell) -> None:
    told = tell(GRAPH, signs_up(C1, L1), signs_up(C1, L2, event="e1"), does("e2", C1))
    assert told == {"L1 c1": "e2", "L2": "e1"}


def test_k_mobile_number_of_two_logins_stays_with_the_first(tell: Tell) -> None:
    told = tell(GRAPH, binds(L1, M1), binds(L2, M1, event="e1"), does("e2", M1))
    assert told == {"L1 m1": "e2", "L2": "e1"}


def test_l_freed_number_leaves_its_past_and_makes_room(tell: Tell) -> None:
    story = (binds(L1, M1), does("e1", M1), frees(M1), binds(L1, M2), does("e2", M1))
    assert tell(GRAPH, *story) == {"L1 m1 m2": "e1", "m1'": "e2"}


def test_m_second_number_without_freeing_the_first_is_refused(tell: Tell) -> None:
    told = tell(GRAPH, binds(L1, M1), binds(L1, M2, event="e1"))
    assert told == {"L1 m1": "e1", "m2": ""}


def test_m_refused_number_is_taken_by_the_next_message_once_there_is_room(tell: Tell) -> None:
    story = (binds(L1, M1), binds(L1, M2, event="e1"), frees(M1), binds(L1, M2, event="e2"))
    assert tell(GRAPH, *story) == {"L1 m1 m2": "e1 e2"}


def test_n_openid_and_unionid_and_login_are_one_person_by_steps(tell: Tell) -> None:
    told = tell(GRAPH, does("e1", O1), binds(O1, U1), binds(U1, L1), does("e2", L1))
    assert told == {"L1 o1 u1": "e1 e2"}
