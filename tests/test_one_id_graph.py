"""One-ID: which identities are one person, in the graph alone; a slow oracle judges it over random histories."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.message import ANONYMOUS_ID, LOGIN_ID, Identity
from tests.identity_oracle import Fact, Incarnation, Said, facts_of, persons_after
from warehouse.identity import IdentityGraph, Link, by_priority, founder_person_id

SALT = b"sixteen bytes of salt"
MOBILE = "$identity_mobile"

PAIRS = [
    *((ANONYMOUS_ID, value) for value in ("d1", "d2", "x")),
    *((LOGIN_ID, value) for value in ("u1", "u2", "x")),
    *((MOBILE, value) for value in ("138", "139")),
    ("$identity_mp_unionid", "o1"),
]
HISTORIES = st.lists(
    st.builds(
        Said,
        pairs=st.lists(st.sampled_from(PAIRS), min_size=1, max_size=3, unique_by=lambda pair: pair[0]).map(tuple),
        is_unbind=st.sampled_from([False, False, False, True]),
    ),
    max_size=14,
)
RETRACTIONS = st.lists(st.lists(st.sampled_from(PAIRS), min_size=2, max_size=2, unique=True).map(frozenset), max_size=2)


def fold(facts: list[Fact]) -> tuple[dict[Incarnation, Incarnation], dict[frozenset[Incarnation], str]]:
    """What the graph makes of facts: founders and outcomes, in the words of the oracle."""
    graph, ids = IdentityGraph(), list[Incarnation]()
    outcomes: dict[frozenset[Incarnation], str] = {}
    for fact in facts:
        if fact.kind == "seen":
            graph.add(len(ids), Identity(fact.one.key, fact.one.value), f"{fact.message:03d}/{len(ids):03d}")
            ids.append(fact.one)
        elif fact.kind == "unbound":
            graph.release(ids.index(fact.one))
        elif fact.kind == "retracted" and fact.other is not None:
            outcomes[frozenset({fact.one, fact.other})] = "retracted"
        elif fact.other is not None:
            link = Link(ids.index(fact.one), ids.index(fact.other), f"{fact.message:03d}")
            outcomes[frozenset({fact.one, fact.other})] = graph.apply(link)[0]
    return {ids[each]: ids[founder] for each, founder in graph.founder_of.items()}, outcomes


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(HISTORIES, RETRACTIONS)
def test_graph_agrees_with_oracle(messages: list[Said], retracted: list[frozenset[tuple[str, str]]]) -> None:
    facts = facts_of(messages, retracted)
    expected = persons_after(facts)
    assert fold(facts) == (expected.founder_of, expected.outcomes)


def test_person_is_named_after_whom_was_seen_first() -> None:
    """A browser, then a login on it: the browser founded the person."""
    graph = IdentityGraph()
    graph.add(0, Identity(ANONYMOUS_ID, "d1"), "001")
    graph.add(1, Identity(LOGIN_ID, "u1"), "002")
    assert graph.apply(Link(0, 1, "002")) == ("joined", [1])
    assert graph.founder_of == {0: 0, 1: 0}


def test_two_known_persons_merge_into_the_elder() -> None:
    graph = IdentityGraph()
    for number, identity in enumerate([Identity(ANONYMOUS_ID, "d1"), Identity(LOGIN_ID, "u1")]):
        graph.add(number, identity, f"00{number}")
    assert graph.apply(Link(1, 0, "005")) == ("merged", [1])
    assert graph.apply(Link(0, 1, "006")) == ("confirmed", [])


def test_second_login_on_a_device_is_refused() -> None:
    """A shared tablet: Li logs in first, then Wang; the tablet stays with Li."""
    graph = IdentityGraph()
    graph.add(0, Identity(ANONYMOUS_ID, "tablet"), "001")
    graph.add(1, Identity(LOGIN_ID, "li"), "001")
    graph.add(2, Identity(LOGIN_ID, "wang"), "002")
    assert graph.apply(Link(0, 1, "001"))[0] == "joined"
    assert graph.apply(Link(0, 2, "002")) == ("refused", [])
    assert graph.founder_of == {0: 0, 1: 0, 2: 2}


def test_unbound_value_makes_room_for_another_of_its_key() -> None:
    """Li gives one phone number up and gets another."""
    graph = IdentityGraph()
    graph.add(0, Identity(LOGIN_ID, "li"), "001")
    graph.add(1, Identity(MOBILE, "138"), "001")
    graph.add(2, Identity(MOBILE, "139"), "002")
    assert graph.apply(Link(0, 1, "001"))[0] == "joined"
    graph.release(1)
    assert graph.apply(Link(0, 2, "003")) == ("merged", [2])
    assert graph.founder_of == {0: 0, 1: 0, 2: 0}


def test_unbinding_a_device_changes_nobody() -> None:
    graph = IdentityGraph()
    graph.add(0, Identity(ANONYMOUS_ID, "d1"), "001")
    graph.release(0)
    assert graph.founder_of == {0: 0}


@pytest.mark.parametrize(
    ("keys", "first"),
    [
        ([ANONYMOUS_ID, MOBILE, LOGIN_ID], LOGIN_ID),
        (["$identity_email", MOBILE], MOBILE),
        ([ANONYMOUS_ID, "$identity_mp_unionid"], "$identity_mp_unionid"),
        (["$identity_cookie_id", ANONYMOUS_ID], "$identity_cookie_id"),  # equals keep the sender's order
        ([ANONYMOUS_ID, "$identity_mp_wx1_openid"], "$identity_mp_wx1_openid"),
    ],
)
def test_event_belongs_to_its_strongest_identity(keys: list[str], first: str) -> None:
    assert by_priority([Identity(key, "1") for key in keys])[0].key == first


def test_person_ids_depend_on_salt_pair_and_incarnation_only() -> None:
    names = [
        founder_person_id(salt, Identity(key, value), incarnation)
        for salt in (SALT, b"another salt of 16")
        for key in (LOGIN_ID, MOBILE)
        for value in ("1", "2")
        for incarnation in (0, 1)
    ]
    assert len(set(names)) == len(names)
    assert str(founder_person_id(SALT, Identity(LOGIN_ID, "li"), 0)) == "4090657a-fc95-8d99-bbfb-f1a8bb98b9b4"
