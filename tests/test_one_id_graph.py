"""One-ID: which identities are one person, in the graph alone; a slow oracle judges it over random histories."""

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.identity.keys import KeyRule
from ingest.identity.rules import DEFAULT_RULES, IdentityRules
from ingest.message import ANONYMOUS_ID, LOGIN_ID, Identity
from tests.identity_oracle import Pair, Said, world_after
from tests.one_id_folding import FoldedWorld
from warehouse.one_id.arrays import StoredIdentities
from warehouse.one_id.graph import IdentityGraph
from warehouse.one_id.names import founder_person_id

SALT = b"sixteen bytes of salt"
MOBILE, UNIONID, OPENID = "$identity_mobile", "$identity_mp_unionid", "$identity_mp_wx1_openid"

PAIRS = [
    *((ANONYMOUS_ID, value) for value in ("d1", "d2", "x", "null")),
    *((LOGIN_ID, value) for value in ("u1", "u2", "x")),
    *((MOBILE, value) for value in ("138", "139")),
    *((UNIONID, value) for value in ("o1", "o2")),
    (OPENID, "p1"),
]
SAYINGS = st.builds(
    Said,
    pairs=st.one_of(
        st.sampled_from(PAIRS).map(lambda pair: (pair,)),
        *[st.lists(st.sampled_from(PAIRS), min_size=2, max_size=3, unique_by=lambda pair: pair[0]).map(tuple)] * 3,
    ),
    is_unbind=st.sampled_from([False] * 7 + [True]),
    record_type=st.sampled_from(["track", "track_signup", "identify"]),
    index=st.integers(0, 1),
)
RETRACTIONS = st.lists(st.tuples(st.sampled_from(PAIRS[:4]), st.sampled_from(PAIRS[4:])).map(frozenset), max_size=3)
RULES = st.sampled_from(
    [
        DEFAULT_RULES,
        IdentityRules(scheme="one_to_one"),
        IdentityRules(scheme="many_to_one"),
        IdentityRules(scheme="many_to_one", known_persons="stay_apart"),
        IdentityRules(links_from="association_calls"),
        IdentityRules(
            keys={
                UNIONID: KeyRule(limit=1),
                ANONYMOUS_ID: KeyRule(priority=60, limit=2),
                OPENID: KeyRule(parent=UNIONID),
            }
        ),
        IdentityRules(keys={MOBILE: KeyRule(values="single", over_limit="replace_oldest", parent=LOGIN_ID)}),
        IdentityRules(
            keys={
                ANONYMOUS_ID: KeyRule(priority=60, limit=1, over_limit="replace_oldest"),
                MOBILE: KeyRule(status="disabled"),
            }
        ),
    ]
)


def in_time(messages: Sequence[Said], shared: Sequence[bool]) -> list[Said]:
    """Messages with growing times; where `shared`, a message arrives in the microsecond of the one before it."""
    moment, dated = 0, list[Said]()
    for said, is_shared in zip(messages, shared, strict=True):
        moment += not is_shared
        dated.append(replace(said, arrived_us=moment))
    return sorted(dated, key=lambda said: (said.arrived_us, said.index))


HISTORIES = st.lists(st.tuples(SAYINGS, st.booleans()), min_size=3, max_size=20).map(
    lambda drawn: in_time([said for said, _ in drawn], [shared for _, shared in drawn])
)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(HISTORIES, RULES, RETRACTIONS, st.lists(st.sampled_from(PAIRS), max_size=1), st.integers(1, 20))
def test_graph_agrees_with_oracle_in_runs_of_any_length(
    messages: list[Said], rules: IdentityRules, retracted: list[frozenset[Pair]], blocked: list[Pair], length: int
) -> None:
    expected = world_after(messages, SALT, rules, retracted, blocked)
    world = FoldedWorld(SALT, rules, retracted, blocked)
    for begin in range(0, len(messages), length):
        world.say(messages[begin : begin + length])
    assert world.founders() == expected.founders()
    assert world.owners == expected.owners
    assert world.tried == expected.tried


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(HISTORIES, HISTORIES, RULES)
def test_restored_graph_goes_on_as_if_it_had_never_stopped(
    before: list[Said], after: list[Said], rules: IdentityRules
) -> None:
    after = [replace(said, arrived_us=said.arrived_us + 1_000) for said in after]
    going_on, restored = FoldedWorld(SALT, rules), FoldedWorld(SALT, rules)
    going_on.say(before)
    restored.say(before)
    restored.graph = IdentityGraph.restored(restored.stored(), restored.graph.keys.names())
    going_on.say(after)
    restored.say(after)
    assert restored.founders() == going_on.founders()
    assert restored.tried == going_on.tried


def hanging_together(stored: StoredIdentities, identity_id: int) -> npt.NDArray[np.int64]:
    """An identity with all of its person, all incarnations of their pairs, and so on."""
    is_chosen = stored.identity_id == identity_id
    while True:
        of_persons = np.isin(stored.founder_id, stored.founder_id[is_chosen])
        wider = of_persons | np.isin(stored.pair_id, stored.pair_id[of_persons])
        if (wider == is_chosen).all():
            return np.flatnonzero(is_chosen)
        is_chosen = wider


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(HISTORIES, HISTORIES, RULES, st.integers(0, 5))
def test_persons_put_in_the_place_of_themselves_go_on_as_if_nothing_had_been(
    before: list[Said], after: list[Said], rules: IdentityRules, first: int
) -> None:
    """As it happens when some persons are folded anew and come to the same."""
    after = [replace(said, arrived_us=said.arrived_us + 1_000) for said in after]
    going_on, replaced = FoldedWorld(SALT, rules), FoldedWorld(SALT, rules)
    going_on.say(before)
    replaced.say(before)
    stored = replaced.stored()
    chosen = hanging_together(stored, first)
    for _ in range(3):
        columns = {field.name: getattr(stored, field.name)[chosen] for field in fields(stored)}
        replaced.graph.replace(chosen, StoredIdentities(**columns), replaced.graph.keys.names())
    going_on.say(after)
    replaced.say(after)
    assert replaced.founders() == going_on.founders()
    assert replaced.tried == going_on.tried


@pytest.mark.parametrize(
    ("keys", "first"),
    [
        ([ANONYMOUS_ID, MOBILE, LOGIN_ID], LOGIN_ID),
        (["$identity_email", MOBILE], MOBILE),
        ([ANONYMOUS_ID, UNIONID], UNIONID),
        ([OPENID, UNIONID], UNIONID),
        (["$identity_cookie_id", ANONYMOUS_ID], "$identity_cookie_id"),  # equals keep the sender's order
        ([ANONYMOUS_ID, "student_number"], "student_number"),  # what a project brings stands before devices
    ],
)
def test_event_belongs_to_its_strongest_identity(keys: list[str], first: str) -> None:
    assert DEFAULT_RULES.by_priority([Identity(key, "x1") for key in keys])[0].key == first


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
